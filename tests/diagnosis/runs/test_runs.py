"""Detections of a side as `harness run` makes them, and counterfactuals."""

import json
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
from msgspec.structs import replace

from harness.accuracy.annotations import read_annotations
from harness.accuracy.dataset import find_dataset
from harness.accuracy.prepare import Preparation
from harness.bench.request import Request
from harness.detectors.heads import HeadDecoder
from harness.diagnosis.runs.changes import Change
from harness.diagnosis.runs.model_pair import Place, load_model
from harness.diagnosis.runs.prepared_inputs import BUDGET, PreparedInputs
from harness.diagnosis.runs.runs import Runs
from harness.edit.cut import cut, lay_open
from harness.errors import JobError, ModelError, UsageError
from harness.recognize.find import find_model
from harness.session import carry_out, prepare
from harness.settings import Settings
from harness.workspace import find_workspace

N = 12


@pytest.fixture
def dataset(repository):
    return find_dataset(repository / "models/shapes/dataset").limited(N)


@pytest.fixture
def runs(dataset):
    return Runs(dataset, read_annotations(dataset.annotations))


def model_of(repository, name, place=None, role="quantized"):
    return load_model(role, find_model(name, find_workspace(str(repository))), place)


class Silent:
    def begin(self, n_tasks): ...
    def more(self, n_tasks): ...
    def task(self, task): ...
    def images(self, task, done, total): ...

    def waiting(self, task, seconds, limit): ...
    def done(self, task, record): ...


@pytest.mark.parametrize("name", ["shapes-float32", "shapes-full-integer"])
def test_detections_and_map_are_those_of_harness_run_to_the_last_digit(repository, runs, tmp_path, name):
    request = Request(
        models=(name,), delegates=("cpu:1",), workspace=str(repository), output=str(tmp_path),
        settings=Settings(latency=False, limit=N),
    )  # fmt: skip
    outcome = carry_out(prepare(request), Silent())
    stored = json.loads(next(Path(outcome.folder).rglob("detections.json")).read_text())
    found = runs.detections(model_of(repository, name))
    rows = [[one["image_id"], *one["bbox"], one["score"], one["category_id"]] for one in stored]
    assert np.array_equal(found.table.rows, np.array(rows, np.float64))
    from harness.accuracy.coco import evaluate

    figures = evaluate(runs.truth, found.table, found.image_ids).figures
    assert figures == outcome.records[0].accuracy.figures
    assert found.delegate.actual == outcome.records[0].accuracy.delegate.actual == "xnnpack"


def test_another_reading_of_the_outputs_costs_no_inference(repository, runs):
    model = model_of(repository, "shapes-full-integer")
    first = [raw.outputs for raw in runs.raw(model)]
    labels = replace(model.card.labels, offset=2)
    trial = runs.trial(model, Change("labels one too high", card=replace(model.card, labels=labels)))
    assert trial.map == pytest.approx(0, abs=0.05) and trial.difference.high < 0
    again = [raw.outputs for raw in runs.raw(model)]
    assert all(a is b for a, b in zip(first, again, strict=True))


def test_a_trial_is_measured_against_the_side_as_it_is_on_the_same_images(repository, runs):
    model = model_of(repository, "shapes-float32")
    trial = runs.trial(model, Change("nothing", card=model.card), 5)
    assert trial.difference.n_images == 5 and trial.gain == 0.0
    assert trial.difference.low <= 0 <= trial.difference.high


def test_what_is_fed_and_what_comes_out_can_be_changed(repository, runs):
    model = model_of(repository, "shapes-float32")
    black = runs.trial(model, Change("black images", feed=lambda tensor: np.full_like(tensor, -1)))
    assert black.difference.high < 0
    halved = runs.detections(
        model, Change("half scores", outputs=lambda out: [out[0], out[1], out[2] / 2, out[3]])
    )
    assert np.allclose(halved.table.scores, runs.detections(model).table.scores / 2)


def test_another_file_can_stand_in(repository, runs):
    model = model_of(repository, "shapes-float32")
    other = model_of(repository, "shapes-float16")
    trial = runs.trial(model, Change("float16 weights", file=other.file))
    assert np.array_equal(trial.detections.table.rows, runs.detections(other).table.rows)


def test_outputs_beyond_the_budget_are_inferred_again_with_the_same_result(repository, dataset, runs):
    model = model_of(repository, "shapes-float32")
    poor = Runs(dataset, runs.truth, budget=0)
    assert np.array_equal(poor.detections(model).table.rows, runs.detections(model).table.rows)
    assert not any(poor.kept.values())


@pytest.mark.parametrize("budget", [1 << 30, 0])
def test_an_inference_of_a_model_that_is_laid_open_serves_detections_and_heads(
    repository, dataset, tmp_path, budget
):
    model = model_of(repository, "shapes-float32")
    data = model.file.read_bytes()
    (tmp_path / "cut.tflite").write_bytes(cut(data, model.file).data)
    (tmp_path / "opened.tflite").write_bytes(lay_open(data, model.file))
    runs = Runs(dataset, read_annotations(dataset.annotations), further_budget=budget)
    heads = [raw.outputs for raw in runs.raw(model, Change("cut", file=tmp_path / "cut.tflite"))]
    expected = runs.detections(model).table.rows
    runs = Runs(dataset, runs.truth, further_budget=budget)
    with runs.laid_open(model, tmp_path / "opened.tflite"):
        found = runs.detections(model)
        assert np.array_equal(found.table.rows, expected) and found.delegate.actual == "xnnpack"
        opened = [raw.outputs for raw in runs.raw(model, Change("heads", further=True))]
        assert all(
            np.array_equal(a, b)
            for one, two in zip(opened, heads, strict=True)
            for a, b in zip(one, two, strict=True)
        )
    (tmp_path / "opened.tflite").unlink()
    assert not any(raw.further for raw in next(iter(runs.kept.values())).values())
    assert runs.further_budget == budget
    assert np.array_equal(runs.detections(model, n_images=5).table.rows[:3], expected[:3])


def test_prepared_inputs_are_kept_for_models_that_are_fed_the_same(repository, dataset):
    inputs, image = PreparedInputs(), dataset.images[0]
    models = models_of(repository)
    specs = [(model.card.input, model.description.image_input) for model in models]
    specs += [
        (replace(specs[0][0], channels="bgr"), specs[0][1]),
        (replace(specs[0][0], mean=(1, 2, 3)), specs[0][1]),
    ]
    for kept in (inputs, PreparedInputs(budget=0)):
        for spec, info in specs:
            found, geometry = kept.of(spec, info).load(image)
            expected, place = Preparation(spec, info).load(image.file)
            assert np.array_equal(found, expected) and found.dtype == expected.dtype and geometry == place
    assert inputs.budget == BUDGET - 144 * 144 * 3
    other = replace(specs[0][0], method="tf-bilinear")
    inputs.of(other, specs[0][1]).load(image)
    assert inputs.budget == BUDGET - 2 * 144 * 144 * 3


def models_of(repository):
    return [model_of(repository, name) for name in ("shapes-float32", "shapes-full-integer")]


def test_a_card_that_does_not_fit_is_an_error(repository, runs):
    model = model_of(repository, "shapes-float32")
    wrong = replace(model.card, input=replace(model.card.input, width=96))
    with pytest.raises(ModelError, match="correct the card"):
        runs.detections(model, Change("96 pixels wide", card=wrong))


def test_a_file_that_no_interpreter_takes_is_an_error(repository, runs, tmp_path):
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    model = model_of(repository, "shapes-float32")
    written = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model.file.read_bytes()), 0))
    for code in written.operatorCodes:
        code.version = 99
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(written.Pack(builder), b"TFL3")
    file = tmp_path / "future.tflite"
    file.write_bytes(bytes(builder.Output()))
    with pytest.raises(JobError, match=r"future.tflite: cannot be run"):
        runs.detections(model, Change("operators of a version that nobody has", file=file))


def test_an_image_that_cannot_be_read_is_left_out(repository, tmp_path):
    import shutil

    shutil.copytree(repository / "models/shapes/dataset", tmp_path / "data")
    dataset = find_dataset(tmp_path / "data").limited(3)
    dataset.images[1].path.write_bytes(b"no image")
    runs = Runs(dataset, read_annotations(dataset.annotations))
    found = runs.detections(model_of(repository, "shapes-float32"))
    assert len(found.unreadable) == 1 and found.image_ids == (dataset.image_ids[0], dataset.image_ids[2])
    assert dataset.images[1].id not in set(found.table.image_ids.tolist())


@pytest.fixture
def elsewhere(repository, tmp_path):
    """A workspace with this computer under another name: what runs there runs in processes of its own."""
    import shutil

    (tmp_path / "devices").mkdir()
    (tmp_path / "models").mkdir()
    text = (repository / "devices/local.toml").read_text()
    (tmp_path / "devices/board.toml").write_text(text.replace('"local"', '"board"', 1))
    for path in (repository / "models").glob("shapes-f*.toml"):
        shutil.copy(path, tmp_path / "models")
    shutil.copytree(repository / "models/shapes", tmp_path / "models/shapes")
    return tmp_path


def test_a_side_on_another_device_is_run_there_with_the_same_result(repository, elsewhere, runs):
    place = Place("board", "cpu:1", workspace=str(elsewhere))
    there = runs.detections(model_of(elsewhere, "shapes-full-integer", place))
    here = runs.detections(model_of(repository, "shapes-full-integer"))
    assert np.array_equal(there.table.rows, here.table.rows)
    assert there.delegate.actual == "xnnpack" and there.delegate.evidence


def test_what_needs_raw_outputs_cannot_be_tried_elsewhere(elsewhere, runs):
    model = model_of(elsewhere, "shapes-full-integer", Place("board", "cpu:1", workspace=str(elsewhere)))
    with pytest.raises(UsageError, match="raw outputs"):
        runs.detections(model, Change("half scores", outputs=lambda out: out))
    with pytest.raises(UsageError, match="raw outputs"):
        next(runs.raw(model))


def test_a_delegate_that_a_device_does_not_offer_is_an_error(elsewhere, runs):
    model = model_of(elsewhere, "shapes-full-integer", Place("board", "hexagon", workspace=str(elsewhere)))
    with pytest.raises(UsageError, match="not hexagon"):
        runs.detections(model)


def test_decoders_of_raw_heads_can_be_taken_apart():
    from harness.cards import DecoderSpec
    from harness.detectors.registry import make_decoder
    from harness.tflite.tensor_info import TensorInfo

    decoder = make_decoder(DecoderSpec(name="yolov8"), [TensorInfo("o", (1, 6, 100), "float32")])
    assert isinstance(decoder, HeadDecoder)
    read = decoder.read([np.random.default_rng(0).random((1, 6, 100)).astype(np.float32)])
    assert read.boxes.shape == (100, 4) and read.scores.shape == (100, 2) and read.weights is None
