"""One suite for every engine: what it answers about a cell, whichever way it measures."""

from dataclasses import replace

import pytest

from harness.accuracy.dataset import find_dataset
from harness.bench.engines.cooldown import CoolEngine
from harness.bench.engines.native.engine import NativeEngine
from harness.bench.engines.native.tool import NativeTool
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.plan import Cell
from harness.delegates import parse_delegate
from harness.drivers.benchmark_tool.binaries import tool_from_file
from harness.drivers.local import LocalDevice
from harness.recognize.find import find_model
from harness.settings import Settings
from harness.tflite.model import describe
from harness.worker.results import OutputCheck
from harness.workspace import find_workspace
from tests.support.launcher import make_launcher


@pytest.fixture(params=["python-worker", "benchmark_model", "python-worker that cools"])
def engine(request, tmp_path):
    if request.param == "benchmark_model":
        return NativeEngine(NativeTool(LocalDevice(), tool_from_file(make_launcher(tmp_path))))
    worker = PythonWorker(LocalDevice())
    return worker if request.param == "python-worker" else CoolEngine(worker, LocalDevice(), 500.0)


@pytest.fixture
def scratch(tmp_path):
    names = iter(range(100))

    def make():
        folder = tmp_path / "run" / ".scratch" / f"cell-{next(names)}"
        folder.mkdir(parents=True)
        return folder

    return make


@pytest.fixture(scope="module")
def cell(repository):
    def make(delegate="cpu:1", **options):
        model = find_model("shapes-float32", find_workspace(repository))
        dataset = find_dataset(model.dataset_path).limited(3)
        settings = Settings(repetitions=1, min_runs=3, min_seconds=0.01)
        asked = parse_delegate(delegate)
        asked = replace(asked, options=(*asked.options, *options.items()))
        return Cell(1, model, describe(model.file), "local", asked, settings, dataset)

    return make


def test_it_times_infers_records_operators_and_checks(engine, cell, scratch):
    one = cell()
    timed = engine.time(one, 0, scratch())
    assert timed.facts.status == "ok" and (timed.samples is None) != (timed.facts.summary is None)
    seen = []
    found = engine.infer(one, scratch(), lambda done, total: seen.append((done, total)))
    assert found.n_images == 3 and found.delegate.actual == timed.facts.delegate.actual == "xnnpack"
    profiled = engine.operators(one, scratch())
    assert profiled.operators[-1].kind == "TFLite_Detection_PostProcess" and profiled.n_inferences > 1
    assert engine.check(one, scratch()) == OutputCheck(), "one CPU thread is what all others are held against"


def test_it_finds_right_outputs_right_and_wrong_ones_wrong(engine, cell, scratch, delegate_library):
    external = f"external:{delegate_library}"
    assert engine.check(cell(external), scratch()) == OutputCheck()
    (wrong,) = engine.check(cell(external, **{"option.wrong": "1"}), scratch()).wrong
    assert "gives other detections than" in wrong
