"""The native tool on a real adbd: what the engine does over ADB is what it does here."""

import random
import threading
import time
from dataclasses import replace

import pytest

from harness.accuracy.coco import evaluate
from harness.accuracy.dataset import find_dataset
from harness.bench.engines.native.engine import NativeEngine
from harness.bench.engines.native.tool import NativeTool
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.plan import Cell
from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.binaries import tool_from_file
from harness.drivers.local import LocalDevice
from harness.errors import DeviceError, DeviceLostError
from harness.recognize.find import find_model
from harness.settings import Settings
from harness.tflite.model import describe
from harness.workspace import find_workspace
from tests.support.launcher import make_launcher

SETTINGS = Settings(repetitions=1, min_runs=3, min_seconds=0.01)


@pytest.fixture
def tool(repository, tmp_path):
    return lambda **plays: tool_from_file(make_launcher(tmp_path, **plays))


@pytest.fixture
def cell(repository):
    model = find_model("shapes-float32", find_workspace(repository))
    dataset = find_dataset(model.dataset_path).limited(4)
    return lambda delegate: Cell(
        1, model, describe(model.file), "phone", parse_delegate(delegate), SETTINGS, dataset
    )


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "run" / ".scratch" / "cell"
    folder.mkdir(parents=True)
    return folder


def ignore(done, total):
    """Progress that nobody looks at."""


def test_a_cell_takes_few_round_trips(adb_device, tool, cell, scratch):
    engine = NativeEngine(NativeTool(adb_device, tool()))
    cold = engine.time(cell("cpu:1"), 0, scratch)
    before = adb_device.round_trips
    warm = engine.time(cell("cpu:1"), 1, scratch)
    assert adb_device.round_trips - before <= 2
    assert before <= 5, "what runs there, what is there, the files, their installation, and the run"
    for timed in (cold, warm):
        assert (timed.facts.status, timed.facts.delegate.actual) == ("ok", "xnnpack")
        assert (timed.facts.delegate.delegated_nodes, timed.facts.delegate.total_nodes) == (54, 55)


def test_a_phone_without_exit_codes_gives_the_same(old_adb_device, tool, cell, scratch):
    facts = NativeEngine(NativeTool(old_adb_device, tool(gpu="partial"))).time(cell("gpu"), 0, scratch).facts
    assert (facts.status, facts.delegate.actual, facts.delegate.delegated_nodes) == ("partial", "gpu", 54)


def test_a_crash_on_the_phone_is_the_cells_and_the_phone_goes_on(adb_device, tool, cell, scratch):
    engine = NativeEngine(NativeTool(adb_device, tool(gpu="crash")))
    facts = engine.time(cell("gpu"), 0, scratch).facts
    assert (facts.status, facts.reasons) == ("failed", ("benchmark_model crashed with SIGSEGV",))
    assert engine.time(cell("cpu:1"), 0, scratch).facts.status == "ok"


def test_the_map_on_the_phone_equals_the_local_one(adb_device, tool, cell, scratch, tmp_path):
    asked = cell("cpu:1")
    found = NativeEngine(NativeTool(adb_device, tool())).infer(asked, scratch, ignore)
    other = tmp_path / "local"
    other.mkdir()
    local = PythonWorker(LocalDevice()).infer(asked, other, ignore)
    figures = [
        evaluate(asked.dataset.annotations, one.detections, asked.dataset.image_ids).figures
        for one in (found, local)
    ]
    assert figures[0] == figures[1]
    assert found.detections.read_bytes() == local.detections.read_bytes()


def test_a_phone_that_goes_away_in_a_run_is_noticed_at_once(adbd, adb_device, tool, cell, scratch):
    engine = NativeEngine(NativeTool(adb_device, tool(gpu="hang")))
    engine.time(cell("cpu:1"), 0, scratch)
    killed = []

    def pull_the_plug():
        time.sleep(2.0)
        killed.append(time.monotonic())
        adbd.kill()

    threading.Thread(target=pull_the_plug).start()
    with pytest.raises(DeviceLostError):
        engine.time(cell("gpu"), 0, scratch)
    assert time.monotonic() - killed[0] < 20


def infer_and_kill(adbd, tool, asked, scratch, after_s):
    """Run a dataset and kill the daemon meanwhile; return the batches finished and how late the fault was noticed."""
    device, killed, seen = adbd.device(), [], []

    def kill():
        killed.append(time.monotonic())
        adbd.kill()

    timer = threading.Timer(after_s, kill)
    timer.start()
    late = 0.0
    try:
        NativeEngine(NativeTool(device, tool())).infer(asked, scratch, lambda done, total: seen.append(done))
    except DeviceError:
        late = time.monotonic() - killed[0]
    timer.join()
    device.close()
    return len(seen), late


def test_kills_at_random_instants_hang_nothing_and_lose_no_finished_batch(
    adbd, tool, cell, scratch, tmp_path, monkeypatch
):
    monkeypatch.setattr("harness.bench.engines.native.batches.BATCH_IMAGES", 1)
    asked, chance = cell("cpu:1"), random.Random(7)
    finished = 0
    for _ in range(6):
        done, late = infer_and_kill(adbd, tool, asked, scratch, chance.uniform(0.2, 3.0))
        assert late < 20
        assert done >= finished, "what was finished before comes from here, without the phone"
        finished = 0 if done == len(asked.dataset.images) else done
        adbd.start()
    last = adbd.device()
    found = NativeEngine(NativeTool(last, tool())).infer(asked, scratch, ignore)
    last.close()
    other = tmp_path / "local"
    other.mkdir()
    local = PythonWorker(LocalDevice()).infer(asked, other, ignore)
    assert found.detections.read_bytes() == local.detections.read_bytes()


def test_an_external_library_is_pushed_and_loaded_there_with_its_options(
    adb_device, tool, cell, scratch, delegate_library
):
    asked = cell(f"external:{delegate_library}")
    delegate = replace(asked.delegate, options=(*asked.delegate.options, ("option.take", "CONV_2D")))
    facts = (
        NativeEngine(NativeTool(adb_device, tool())).time(replace(asked, delegate=delegate), 0, scratch).facts
    )
    assert (facts.status, facts.delegate.actual) == ("partial", "external")
    assert (facts.delegate.delegated_nodes, facts.delegate.total_nodes) == (20, 55)
