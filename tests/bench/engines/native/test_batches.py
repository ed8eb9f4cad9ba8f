"""A dataset through benchmark_model, a batch a round trip: the figures of this computer, resumed where it was lost."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.accuracy.coco import evaluate
from harness.accuracy.dataset import find_dataset
from harness.bench.engines.native.batches import PartialBatches
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.plan import Cell
from harness.cards import Model
from harness.delegates import parse_delegate
from harness.drivers.fake import FakeDevice, Fault
from harness.drivers.local import LocalDevice
from harness.errors import DeviceLostError, MeasurementError
from harness.recognize.find import find_model
from harness.settings import Settings
from harness.tflite.model import describe
from harness.workspace import find_workspace
from tests.support.counted_device import CountedDevice

SETTINGS = Settings(repetitions=1, min_runs=3, min_seconds=0.01)


def ignore(done, total):
    """Progress that nobody looks at."""


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("model", ["shapes-float32", "shapes-full-integer"])
def test_the_map_on_the_device_equals_the_local_one(model, native, shapes, scratch, tmp_path):
    cell = shapes(model=model, n_images=6)
    seen = []
    found = native().infer(cell, scratch, lambda done, total: seen.append((done, total)))
    other = tmp_path / "local"
    other.mkdir()
    local = PythonWorker(LocalDevice()).infer(cell, other, ignore)
    figures = [
        evaluate(cell.dataset.annotations, one.detections, cell.dataset.image_ids).figures
        for one in (found, local)
    ]
    assert figures[0] == figures[1]
    assert figures[0].map > 0.1
    assert found.detections.read_bytes() == local.detections.read_bytes()
    assert (found.n_images, found.unreadable, seen[-1]) == (6, (), (6, 6))
    assert found.delegate.actual == "xnnpack"
    assert found.runtime.startswith("benchmark_model tflite sha256:")


def test_an_accelerator_that_fell_back_has_no_accuracy(native, shapes, scratch):
    with pytest.raises(MeasurementError, match="unsupported on this platform") as caught:
        native(gpu="refused").infer(shapes("gpu"), scratch, ignore)
    assert caught.value.status == "fallback"


def test_a_crash_in_the_middle_of_a_batch_names_the_image(native, shapes, scratch):
    with pytest.raises(MeasurementError, match="image 1 of the batch: benchmark_model crashed with SIGSEGV"):
        native(gpu="crash").infer(shapes("gpu"), scratch, ignore)


def test_a_dataset_goes_through_in_batches_and_is_resumed_where_it_was_lost(
    native, shapes, scratch, monkeypatch, tmp_path
):
    monkeypatch.setattr("harness.bench.engines.native.batches.BATCH_IMAGES", 1)
    cell = shapes(n_images=3)
    lost = FakeDevice(folder=_made(tmp_path / "phone"), faults=[Fault("lost", "push", at=3)])
    with pytest.raises(DeviceLostError):
        native(lost).infer(cell, scratch, ignore)
    again = FakeDevice(folder=tmp_path / "phone")
    found = native(again).infer(cell, scratch, ignore)
    assert again.calls["push"] == 1, "two of three batches were kept"
    whole = _made(tmp_path / "whole" / ".scratch" / "x")
    assert native().infer(cell, whole, ignore).detections.read_bytes() == found.detections.read_bytes()
    assert not (scratch.parent.with_name(".partial") / cell.id).exists()


def test_a_batch_takes_three_round_trips(native, shapes, scratch, tmp_path):
    device = CountedDevice(folder=_made(tmp_path / "phone"))
    engine = native(device)
    engine.time(shapes(), 0, scratch)
    before = device.round_trips
    engine.infer(shapes(n_images=3), scratch, ignore)
    assert device.round_trips - before == 4, "push, run, pull, and one to clean up at the end"


def test_outputs_of_no_fixed_size_are_refused(native, shapes, scratch):
    cell = shapes()
    outputs = (replace(cell.facts.outputs[0], shape=(1, -1, 4)), *cell.facts.outputs[1:])
    with pytest.raises(MeasurementError, match="no fixed size"):
        native().infer(replace(cell, facts=replace(cell.facts, outputs=outputs)), scratch, ignore)


def test_a_kept_batch_that_is_damaged_is_run_again(tmp_path):
    kept = PartialBatches(tmp_path)
    (tmp_path / "k.json").write_text('{"images": [')
    assert kept.load("k") is None
    assert kept.load("absent") is None


def test_the_published_figures_of_a_real_model_come_back_through_the_tool(
    native, shared_data, repository, scratch
):
    card = find_model("coco-ssd-mobilenet-v1-quant", find_workspace(repository)).card
    file = shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite"
    dataset = find_dataset(shared_data / "coco50")
    cell = Cell(1, Model(card, file), describe(file), "local", parse_delegate("cpu:1"), SETTINGS, dataset)
    found = native().infer(cell, scratch, ignore)
    figures = evaluate(dataset.annotations, found.detections, dataset.image_ids, "pycocotools").figures
    assert (round(figures.map, 3), round(figures.ap50, 3)) == (0.193, 0.326)
