"""A phone that goes away in the middle of a run and comes back: a real adbd, killed and started again."""

import threading
from collections import Counter

import pytest

from harness.accuracy.dataset import find_dataset
from harness.bench.device_wait import DeviceWait
from harness.bench.engines.native.engine import NativeEngine
from harness.bench.engines.native.tool import NativeTool
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.plan import Cell, Plan
from harness.bench.run import Runner
from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.binaries import tool_from_file
from harness.drivers.local import LocalDevice
from harness.recognize.find import find_model
from harness.records.records import load_records
from harness.records.store import RunStore, new_run_folder
from harness.settings import Settings
from harness.tflite.model import describe
from harness.workspace import find_workspace
from tests.support.launcher import make_launcher
from tests.support.observers import Recorder

PROCESSES, IMAGES = 3, 6


class Unplugging(Recorder):
    """Pulls the plug in the middle of the n-th task of a kind, and plugs the phone in again when it is waited for."""

    def __init__(self, adbd, kind, nth, *, comes_back=True):
        super().__init__()
        self.adbd, self.kind, self.nth, self.comes_back = adbd, kind, nth, comes_back
        self.seen = Counter()
        self.batches = 0

    def task(self, task):
        super().task(task)
        self.seen[task.kind] += 1
        if task.kind == self.kind == "latency" and self.seen[task.kind] == self.nth:
            threading.Timer(0.3, self.adbd.kill).start()

    def images(self, task, done, total):
        super().images(task, done, total)
        self.batches += 1
        if self.kind == "accuracy" and done == self.nth and not self.waits:
            self.adbd.kill()

    def waiting(self, task, seconds, limit):
        super().waiting(task, seconds, limit)
        if self.comes_back and self.adbd.process.poll() is not None:
            self.adbd.start()


@pytest.fixture
def run_on(adbd, repository, tmp_path, monkeypatch):
    """Run the bundled example on the phone with a tool that takes its time, one image a batch."""
    monkeypatch.setattr("harness.bench.engines.native.batches.BATCH_IMAGES", 1)
    model = find_model("shapes-float32", find_workspace(repository))
    dataset = find_dataset(model.dataset_path).limited(IMAGES)
    settings = Settings(repetitions=PROCESSES, min_runs=3, min_seconds=3.0)
    cell = Cell(1, model, describe(model.file), "phone", parse_delegate("cpu:1"), settings, dataset)
    store = RunStore(new_run_folder(tmp_path / "results"))

    def run(observer, patience_s):
        device = adbd.device()
        engine = NativeEngine(NativeTool(device, tool_from_file(make_launcher(tmp_path))))
        info = device.describe()
        Runner(Plan((cell,), 0), engine, info, store, observer, DeviceWait(device, info, patience_s)).run()
        device.close()
        return load_records(store.folder)[0].record

    run.cell, run.store = cell, store
    return run


def of_this_computer(run_on, tmp_path):
    folder = tmp_path / "local"
    folder.mkdir()
    return PythonWorker(LocalDevice()).infer(run_on.cell, folder, lambda done, total: None).detections


@pytest.mark.parametrize("kind", ["latency", "accuracy"])
def test_a_run_goes_on_with_what_is_missing_when_the_phone_is_back(run_on, adbd, tmp_path, kind):
    seen = Unplugging(adbd, kind, 2)
    record = run_on(seen, 60)
    assert seen.waits and {what for what, _, _ in seen.waits} == {kind}
    assert record.complete and record.status == "ok"
    assert [process.index for process in record.processes] == list(range(PROCESSES))
    again = [any("a new attempt" in text for text in process.reasons) for process in record.processes]
    assert again == [kind == "latency" and n == 1 for n in range(PROCESSES)]
    assert any("a new attempt" in text for text in record.accuracy.reasons) == (kind == "accuracy")
    detections = run_on.store.cell_folder(record.cell) / record.accuracy.detections
    assert detections.read_bytes() == of_this_computer(run_on, tmp_path).read_bytes()
    assert seen.total == len(seen.finished) == PROCESSES + 1


def test_a_phone_that_never_comes_back_leaves_a_cell_that_can_be_resumed(run_on, adbd):
    record = run_on(Unplugging(adbd, "latency", 2, comes_back=False), 2)
    assert (record.status, record.complete) == ("failed", False)
    assert [process.status for process in record.processes] == ["ok", "failed"]
    assert record.processes[1].device_lost
    adbd.start()
    record = run_on(Recorder(), 2)
    assert (record.status, record.complete, len(record.processes)) == ("ok", True, PROCESSES)
    assert record.accuracy is not None


def test_only_the_images_that_are_missing_are_inferred_when_the_phone_is_back(run_on, adbd, monkeypatch):
    from harness.bench.engines.native import batches

    inferred = []
    run_batch = batches.run_batch

    def counted(tool, cell, batch, scratch, folder):
        found = run_batch(tool, cell, batch, scratch, folder)
        inferred.extend(prepared.image_id for prepared in batch)
        return found

    monkeypatch.setattr(batches, "run_batch", counted)
    run_on(Unplugging(adbd, "accuracy", 3), 60)
    assert Counter(inferred) == Counter({entry.id: 1 for entry in run_on.cell.dataset.images})
