"""A dataset through eval_coco_object_detection, by its stand-in and by a real log of it."""

import json
from dataclasses import replace

import msgspec
import pytest

from harness.accuracy.coco import evaluate
from harness.accuracy.dataset import ImageEntry, find_dataset
from harness.bench.engines.native import evaluation as native_eval
from harness.bench.engines.native.tool import NativeTool
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.plan import Cell
from harness.cards import Labels
from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.binaries import tool_from_file
from harness.drivers.benchmark_tool.eval_tool import EvalDetection, EvalImage, EvalOutput, parse_eval
from harness.drivers.local import LocalDevice
from harness.errors import MeasurementError
from harness.recognize.find import find_model
from harness.settings import Settings
from harness.tflite.model import describe
from harness.workspace import find_workspace
from tests.support.launcher import make_launcher


@pytest.fixture
def tools(repository, tmp_path):
    names = ("benchmark_model", "eval_coco_object_detection")
    return tuple(tool_from_file(make_launcher(tmp_path, name)) for name in names)


@pytest.fixture
def cell(repository):
    model = find_model("shapes-float32", find_workspace(repository))
    dataset = find_dataset(model.dataset_path).limited(8)
    return Cell(
        1, model, describe(model.file), "local", parse_delegate("cpu:1"), Settings(repetitions=1), dataset
    )


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "run" / ".scratch" / "cell"
    folder.mkdir(parents=True)
    return folder


def ignore(done, total):
    """Progress that nobody looks at."""


def test_its_detections_give_the_map_of_the_model(tools, cell, scratch, tmp_path):
    tool = NativeTool(LocalDevice(), tools[0])
    found = native_eval.infer(tool, tools[1], cell, scratch, ignore)
    other = tmp_path / "local"
    other.mkdir()
    local = PythonWorker(LocalDevice()).infer(cell, other, ignore)
    figures = [
        evaluate(cell.dataset.annotations, one.detections, cell.dataset.image_ids).figures
        for one in (found, local)
    ]
    # The tool prints six digits; a box may move by a pixel's thousandth.
    assert figures[0].map == pytest.approx(figures[1].map, abs=1e-3)
    assert figures[1].map > 0.1
    assert found.delegate.actual == "unknown"
    assert found.runtime.startswith("eval_coco_object_detection sha256:")


def test_its_batches_are_bounded_and_removed(tools, cell, scratch, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(native_eval, "BATCH_BYTES", 1)
    seen = []
    tool = NativeTool(LocalDevice(), tools[0])
    small = replace(cell, dataset=cell.dataset.limited(3))
    native_eval.infer(tool, tools[1], small, scratch, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]
    assert list(tmp_path.glob("harness-run-*")) == []
    assert not (scratch / "images.tar").exists()


def test_a_model_that_does_not_fit_is_refused_with_the_reason(cell):
    assert native_eval.why_not(cell) is None
    assert "no delegate qnn" in native_eval.why_not(replace(cell, delegate=parse_delegate("qnn")))
    facts = replace(cell.facts, outputs=cell.facts.outputs[:2])
    assert "1 input and boxes" in native_eval.why_not(replace(cell, facts=facts))
    card = msgspec.structs.replace(
        cell.model.card, input=msgspec.structs.replace(cell.model.card.input, resize="letterbox")
    )
    assert "stretches" in native_eval.why_not(replace(cell, model=replace(cell.model, card=card)))


def test_a_failure_of_the_tool_is_told(tools, cell, scratch, tmp_path):
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho 'ERROR: Could not run the task evaluation!' >&2\nexit 1\n")
    broken.chmod(0o755)
    tool = NativeTool(LocalDevice(), tools[0])
    with pytest.raises(MeasurementError, match="Could not run the task evaluation"):
        native_eval.infer(tool, tool_from_file(broken), cell, scratch, ignore)


def test_an_image_that_the_tool_left_out_is_told(cell):
    with pytest.raises(MeasurementError, match="told nothing of the image"):
        list(native_eval.detections_of(EvalOutput("ok", 0), cell.dataset.images[:1], cell))


def test_images_that_are_no_jpeg_are_counted_as_unreadable(tmp_path):
    unreadable = {}
    assert list(native_eval.jpeg_batches([ImageEntry(1, tmp_path / "a.png")], unreadable)) == []
    assert unreadable == {1: "a.png: eval_coco_object_detection reads JPEG only"}


def test_classes_are_the_models_and_boxes_in_pixels(cell):
    entry = cell.dataset.images[0]
    card = msgspec.structs.replace(cell.model.card, labels=Labels(offset=10))
    told = EvalOutput(
        "ok", 0, images=(EvalImage(f"{entry.id}.jpg", (EvalDetection(0.5, 3, 0.25, 0.75, 0.0, 0.5),)),)
    )
    found = next(
        native_eval.detections_of(told, [entry], replace(cell, model=replace(cell.model, card=card)))
    )
    width, height = entry.width, entry.height
    assert found.boxes.tolist() == [[0.0, 0.25 * height, 0.5 * width, 0.5 * height]]
    assert (found.categories.tolist(), found.scores.tolist()) == ([12], [0.5])


def test_a_real_log_becomes_detections_of_real_images(shared_data, cell):
    text = (shared_data / "eval_tool_logs" / "eval_coco_synth_debug.txt").read_text("utf-8")
    output = parse_eval(text, "", 0)
    truth = json.loads((shared_data / "coco50" / "instances_val2017.json").read_text("utf-8"))
    folder = shared_data / "coco50" / "val2017"
    entries = [ImageEntry(row["id"], folder / row["file_name"]) for row in truth["images"]]
    named = {path.name: entry for entry in entries for path in [entry.path]}
    assert {image.name for image in output.images} == set(named)
    renamed = replace(output, images=tuple(replace(i, name=f"{named[i.name].id}.jpg") for i in output.images))
    found = list(native_eval.detections_of(renamed, entries, cell))
    assert [len(image.scores) for image in found] == [10] * 50
    sizes = {row["id"]: (row["width"], row["height"]) for row in truth["images"]}
    for image in found:
        width, height = sizes[image.image_id]
        assert (image.boxes[:, 0] + image.boxes[:, 2] <= width + 1e-6).all()
        assert (image.boxes[:, 1] + image.boxes[:, 3] <= height + 1e-6).all()
        assert image.boxes[0, 1] == pytest.approx(0.161916 * height)
