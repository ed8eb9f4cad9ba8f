"""Every mode from the bundled float model: made, loaded and run by LiteRT, named rightly, as accurate as it must be."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from harness.cli.main import main
from harness.errors import JobError, ModelError, OutputError, UsageError
from harness.quantization import compare, prove, table, workflow
from harness.quantization.modes import MODES, find_mode
from harness.quantization.representative import find_representative
from harness.tflite.model import describe, load
from tests.example_training.measure import evaluate

pytestmark = pytest.mark.usefixtures("quantizer")
FLOAT_MAP = 0.6024  # the card's published figure: pycocotools on ai-edge-litert


class Silent:
    def update(self, done, total, text):
        pass


@pytest.fixture(scope="module")
def made(shapes, training_images, tmp_path_factory):
    """All modes, by their names."""
    folder = tmp_path_factory.mktemp("made")
    files = {}
    images = find_representative(training_images)
    few = replace(images, files=images.files[:40])
    for mode in MODES.values():
        job = workflow.Job(shapes, mode, few, output=folder / f"{mode.name}.tflite")
        workflow.quantize(job, Silent(), None)
        files[mode.name] = job.output
    return files


@pytest.mark.parametrize("name", MODES)
def test_every_mode_makes_what_it_promises(made, name):
    assert describe(made[name]).quantization == find_mode(name).makes


@pytest.mark.parametrize("name", MODES)
def test_every_mode_is_smaller_than_float_and_leaves_the_results_in_float(made, shapes, name):
    description = describe(made[name])
    assert description.size_bytes < 0.65 * shapes.file.stat().st_size
    assert {info.dtype for info in description.outputs} == {"float32"}
    assert [info.shape for info in description.outputs] == [(1, 150, 4), (1, 150), (1, 150), (1,)]


@pytest.mark.parametrize("name", ["dynamic", "float16", "weight-only", "int8-float-fallback"])
def test_modes_with_float_input_keep_the_map_by_pycocotools(made, repository, name):
    figures = evaluate(made[name], repository / "models" / "shapes" / "dataset")
    assert abs(figures["map"] - FLOAT_MAP) < (0.05 if "int8" in name else 0.01)


def test_only_postprocess_stays_float_in_int8(made):
    _, graph = load(made["int8"])
    assert table.left_in_float(graph) == {"TFLite_Detection_PostProcess": 1}


def test_the_int8_input_has_the_scale_that_the_preparation_gives(made):
    info = describe(made["int8"]).inputs[0]  # pixels of 0…255 are −1…1: 2 / 255 a step, and −1 for pixel 127
    assert (info.dtype, info.zero_point) == ("int8", -1)
    assert info.scale == pytest.approx(2 / 255, rel=1e-6)


def test_int8_from_the_command_line_stays_within_5_points_of_map(shapes, training_images, tmp_path, capsys):
    before = hashlib.sha256(shapes.file.read_bytes()).hexdigest()
    output = tmp_path / "q.tflite"
    with pytest.raises(SystemExit) as end:
        main(
            [
                *("quantize", "shapes-float32", "--mode", "int8", "--representative", str(training_images)),
                *("-o", str(output), "--format", "json"),
            ]
        )
    rows = json.loads(capsys.readouterr().out)
    assert end.value.code == 0
    assert [row["quantization"] for row in rows] == ["float32", "full-integer"]
    assert rows[0]["map"] == pytest.approx(FLOAT_MAP, abs=1e-4)
    assert abs(rows[1]["map"] - rows[0]["map"]) < 0.05
    assert rows[1]["snr_db"] > 15
    assert rows[1]["n_compared"] == 16
    assert rows[1]["float_operators"] == ["1 TFLite_Detection_PostProcess"]
    assert hashlib.sha256(shapes.file.read_bytes()).hexdigest() == before


def test_two_runs_give_the_same_bytes(made, shapes, training_images, tmp_path):
    images = find_representative(training_images)
    few = replace(images, files=images.files[:40])
    job = workflow.Job(shapes, find_mode("int8"), few, output=tmp_path / "q.tflite")
    workflow.quantize(job, Silent(), None)
    assert job.output.read_bytes() == made["int8"].read_bytes()


def test_prepared_arrays_calibrate_to_the_same_bytes_as_their_images(made, shapes, training_images, tmp_path):
    from tests.example_training.prepare import normalized, resized

    files = sorted(training_images.iterdir())[:40]
    np.save(
        tmp_path / "samples.npy", np.stack([normalized(resized(file.read_bytes(), 144)) for file in files])
    )
    data = find_representative(tmp_path / "samples.npy")
    job = workflow.Job(shapes, find_mode("int8"), data, output=tmp_path / "q.tflite")
    workflow.quantize(job, Silent(), None)
    assert job.output.read_bytes() == made["int8"].read_bytes()


def test_float16_weights_are_a_source_too(shapes, repository, tmp_path):
    model = replace(shapes, file=repository / "models" / "shapes" / "shapes_float16.tflite")
    job = workflow.Job(model, find_mode("dynamic"), output=tmp_path / "q.tflite")
    report = workflow.quantize(job, Silent(), None)
    assert [row["quantization"] for row in report.rows] == ["float16", "dynamic-range"]


@pytest.mark.parametrize("name", ["dynamic", "float16", "weight-only", "int8"])
def test_a_real_yolo_of_float16_weights_is_quantized(shared_data, real_photographs, tmp_path, name):
    from harness.recognize.card import infer_card

    model = infer_card(shared_data / "models" / "yolov5n-fp16.tflite")
    card = replace_input(model.card)
    images = find_representative(real_photographs)
    few = replace(images, files=images.files[:10])
    job = workflow.Job(replace(model, card=card), find_mode(name), few, output=tmp_path / "q.tflite")
    report = workflow.quantize(job, Silent(), None)
    assert report.rows[1]["quantization"] == find_mode(name).makes
    if name == "float16":  # the weights are float16 already: nothing may change
        assert report.rows[1]["max_abs_error"] == 0
    else:
        assert report.rows[1]["snr_db"] > 18


def replace_input(card):
    from msgspec.structs import replace as changed

    spec = changed(card.input, resize="letterbox", mean=(0.0,) * 3, std=(255.0,) * 3)
    return changed(card, input=spec)


def test_labels_behind_the_model_are_kept(shapes, tmp_path):
    source = tmp_path / "labelled.tflite"
    source.write_bytes(shapes.file.read_bytes())
    with zipfile.ZipFile(source, "a") as archive:
        archive.writestr("labels.txt", "circle\n")
    job = workflow.Job(replace(shapes, file=source), find_mode("float16"), output=tmp_path / "q.tflite")
    workflow.quantize(job, Silent(), None)
    assert zipfile.ZipFile(job.output).read("labels.txt") == b"circle\n"


def test_a_quantized_source_is_refused_before_anything_is_written(shapes, repository, tmp_path):
    model = replace(shapes, file=repository / "models" / "shapes" / "shapes_full_integer.tflite")
    job = workflow.Job(model, find_mode("float16"), output=tmp_path / "q.tflite")
    with pytest.raises(ModelError, match="found a full-integer model"):
        workflow.quantize(job, Silent(), None)
    assert list(tmp_path.iterdir()) == []


def test_int8_without_images_is_refused_with_what_to_give(shapes, tmp_path):
    job = workflow.Job(shapes, find_mode("int8"), output=tmp_path / "q.tflite")
    with pytest.raises(UsageError, match=r"--representative DIR with 100 to 500 images"):
        workflow.quantize(job, Silent(), None)


def test_bad_images_stop_it_unless_forced(shapes, photos, tmp_path):
    few = find_representative(photos(5))
    job = workflow.Job(shapes, find_mode("int8"), few, output=tmp_path / "q.tflite")
    with pytest.raises(UsageError, match="5 different images"):
        workflow.quantize(job, Silent(), None)
    assert not job.output.exists()
    workflow.quantize(replace(job, force=True), Silent(), None)
    assert describe(job.output).quantization == "full-integer"


@pytest.mark.parametrize("link", [False, True])
def test_the_input_is_never_the_output(shapes, tmp_path, link):
    source = tmp_path / "float.tflite"
    source.write_bytes(shapes.file.read_bytes())
    output = source
    if link:
        output = tmp_path / "link.tflite"
        output.symlink_to(source)
    job = workflow.Job(replace(shapes, file=source), find_mode("float16"), output=output)
    with pytest.raises(UsageError, match="is the input, which is never changed"):
        workflow.quantize(job, Silent(), None)
    assert source.read_bytes() == shapes.file.read_bytes()


def test_a_folder_as_output_is_refused(shapes, tmp_path):
    job = workflow.Job(shapes, find_mode("float16"), output=tmp_path)
    with pytest.raises(OutputError, match="is a folder"):
        workflow.quantize(job, Silent(), None)


def test_int8_refuses_operators_without_an_integer_form_and_names_them(shapes):
    from collections import Counter

    with pytest.raises(ModelError, match=r"2 EXP, 1 POW would stay float.*int8-float-fallback"):
        workflow.refuse_float_operators(find_mode("int8"), Counter({"EXP": 2, "POW": 1}), shapes.file)
    workflow.refuse_float_operators(find_mode("int8-float-fallback"), Counter({"EXP": 2}), shapes.file)


def test_a_model_that_litert_refuses_is_not_written(shapes, tmp_path):
    output = tmp_path / "q.tflite"
    output.write_bytes(b"the old file")
    with pytest.raises(JobError, match="LiteRT refused it"):
        prove.save(shapes.file.read_bytes()[:5000], output, "broken")
    assert output.read_bytes() == b"the old file"
    assert list(tmp_path.iterdir()) == [output]


def test_a_model_that_crashes_the_runtime_takes_nothing_with_it(shapes, tmp_path, monkeypatch):
    crash = tmp_path / "sitecustomize.py"
    crash.write_text("import os, sys\nif 'harness.tflite.trial' in ' '.join(sys.orig_argv): os.abort()\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *sys.path]))
    with pytest.raises(JobError, match=rf"crashed \(signal {signal.SIGABRT.value}\)"):
        prove.prove(shapes.file, "crashing")


def test_a_kill_while_quantizing_leaves_the_old_file(shapes, training_images, tmp_path):
    output = tmp_path / "q.tflite"
    output.write_bytes(b"the old file")
    child = subprocess.Popen(
        [
            *(
                sys.executable,
                "-m",
                "harness",
                "quantize",
                str(shapes.origin),
                "--mode",
                "int8",
                "--no-accuracy",
            ),
            *("--representative", str(training_images), "-o", str(output)),
        ],
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in child.stderr:
        if "calibrating" in line:
            break
    child.kill()
    child.communicate()
    assert output.read_bytes() == b"the old file"
    assert list(tmp_path.iterdir()) == [output]


def test_check_only_prints_findings_and_ends_with_status_1_for_an_error(shapes, photos, capsys):
    with pytest.raises(SystemExit) as end:
        main(
            [
                *("quantize", str(shapes.origin), "--representative", str(photos(4)), "--check-only"),
                *("--no-accuracy", "--format", "json"),
            ]
        )
    (found,) = json.loads(capsys.readouterr().out)
    assert (end.value.code, found["name"], found["severity"]) == (1, "too-few", "error")
    assert set(found) == {"severity", "name", "message", "remedy"}


def test_equal_models_have_an_infinite_snr_and_cosine_1(shapes):
    random = np.random.default_rng(0)
    inputs = [random.uniform(-1, 1, (1, 144, 144, 3)).astype(np.float32) for _ in range(2)]
    error = compare.compare(shapes.file, shapes.file, inputs)
    assert (error.snr_db, error.max_abs_error, error.n_images) == (float("inf"), 0.0, 2)
    assert error.cosine == pytest.approx(1.0)


def test_the_snr_is_that_of_its_definition(shapes, made):
    image = np.random.default_rng(1).uniform(-1, 1, (1, 144, 144, 3)).astype(np.float32)
    error = compare.compare(shapes.file, made["weight-only"], [image])
    first, second = (compare.Probe(path).outputs(image) for path in (shapes.file, made["weight-only"]))
    by_hand = [
        20 * np.log10(np.linalg.norm(a) / np.linalg.norm(a - b)) for a, b in zip(first, second, strict=True)
    ]
    assert error.snr_db == pytest.approx(min(by_hand))
    assert error.max_abs_error == max(np.abs(a - b).max() for a, b in zip(first, second, strict=True))
