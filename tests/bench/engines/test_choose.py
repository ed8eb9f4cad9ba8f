"""Which engine measures where, and that it starts cool."""

from dataclasses import replace
from pathlib import Path

import pytest

from harness.bench.engines import cooldown
from harness.bench.engines.base import DatasetInference, ProfiledOperators, TimedProcess
from harness.bench.engines.cooldown import CoolEngine
from harness.bench.engines.native.engine import NativeEngine
from harness.bench.engines.python_worker import PythonWorker
from harness.drivers.base import DeviceInfo
from harness.errors import UsageError
from harness.session import carry_out
from harness.worker.results import OutputCheck
from tests.support.launcher import make_launcher


@pytest.fixture
def launch(tmp_path, repository):
    """Make a stand-in for one of the native tools something that can be started."""
    (tmp_path / "tool").mkdir()
    return lambda name="benchmark_model": make_launcher(tmp_path / "tool", name)


@pytest.fixture
def stand_in(launch):
    return launch()


def test_this_computer_is_measured_by_our_worker(prepared):
    assert [type(engine) for engine in prepared().engines] == [PythonWorker]


def test_a_benchmark_binary_is_used_on_any_device(prepared, stand_in):
    assert [type(engine) for engine in prepared(benchmark_binary=str(stand_in)).engines] == [NativeEngine]


def test_a_delegate_that_our_worker_lacks_is_not_skipped_where_a_native_tool_is_given(prepared, stand_in):
    assert all(cell.skip for cell in prepared(delegates=("gpu",)).plan.cells)
    assert not any(
        cell.skip for cell in prepared(delegates=("gpu",), benchmark_binary=str(stand_in)).plan.cells
    )


def test_a_binary_that_does_not_exist_is_wrong_use(prepared):
    with pytest.raises(UsageError, match="--benchmark-binary"):
        prepared(benchmark_binary="no/such/tool")


def test_the_native_tool_gives_the_same_accuracy_as_our_worker_and_a_figure_a_process(
    prepared, stand_in, recorder, quick
):
    settings = replace(quick, accuracy=True, limit=12)
    common = {"models": ("shapes-full-integer",), "delegates": ("cpu:1",), "settings": settings}
    native = carry_out(prepared(benchmark_binary=str(stand_in), **common), recorder).records[0]
    ours = carry_out(prepared(**common), recorder).records[0]
    assert native.accuracy.figures == ours.accuracy.figures
    assert native.runtime.startswith("benchmark_model tflite sha256:")
    assert native.status == "ok" and native.delegate.actual == ours.delegate.actual == "xnnpack"
    assert [process.summary.count > 0 for process in native.processes] == [True, True]


def test_the_evaluation_tool_is_used_for_accuracy_where_it_is_given_and_the_model_fits_it(
    prepared, launch, recorder, quick
):
    settings = replace(quick, accuracy=True, latency=False, limit=6)
    ready = prepared(
        models=("shapes-float32",),
        delegates=("cpu:1",),
        settings=settings,
        benchmark_binary=str(launch()),
        eval_binary=str(launch("eval_coco_object_detection")),
    )
    (record,) = carry_out(ready, recorder).records
    assert record.accuracy.runtime.startswith("eval_coco_object_detection sha256:")
    assert record.accuracy.figures.map > 0
    assert record.accuracy.delegate.actual == "unknown", "that tool does not tell what ran"


class Warm:
    """A device that cools by one degree each time it is asked."""

    thermometer = "battery_temperature_c"

    def __init__(self, celsius):
        self.celsius = celsius

    def describe(self):
        self.celsius -= 1
        return DeviceInfo("phone", "fake", facts={self.thermometer: self.celsius})


class Instant:
    """An engine that answers at once."""

    def __init__(self, process):
        self._process = process
        self.inferred = DatasetInference(Path("detections.json"), 1, (), 1.0, process.delegate, "instant")
        self.profiled, self.checked = (
            ProfiledOperators((), "instant"),
            OutputCheck(remark="nothing to compare"),
        )

    def time(self, cell, repetition, scratch):
        return TimedProcess(self._process)

    def infer(self, cell, scratch, on_progress):
        return self.inferred

    def operators(self, cell, scratch):
        return self.profiled

    def check(self, cell, scratch):
        return self.checked


@pytest.mark.parametrize(("start", "pauses"), [(36.0, 0), (41.0, 3)])
def test_a_warm_device_is_given_time_to_cool(ok_process, start, pauses):
    slept = []
    engine = CoolEngine(Instant(ok_process()), Warm(start), 37.0, slept.append)
    timed = engine.time(None, 0, Path())
    assert slept == [cooldown.POLL_S] * pauses
    assert timed.facts.telemetry.cooled_s == cooldown.POLL_S * pauses
    assert timed.facts.telemetry.start_celsius <= 37.0 and timed.facts.reasons == ()


def test_only_timing_waits_for_a_cool_device(ok_process):
    inner = Instant(ok_process())
    engine = CoolEngine(inner, Warm(500.0), 37.0, pytest.fail)
    assert engine.infer(None, Path(), print) is inner.inferred
    assert engine.operators(None, Path()) is inner.profiled
    assert engine.check(None, Path()) is inner.checked


def test_a_device_that_stays_hot_is_measured_all_the_same_and_the_row_says_so(ok_process):
    device = Warm(500.0)
    engine = CoolEngine(Instant(ok_process()), device, 37.0, lambda _: None)
    timed = engine.time(None, 0, Path())
    assert "still at" in timed.facts.reasons[0]


def test_a_board_has_no_battery_and_its_hottest_zone_is_read(ok_process):
    device, slept = Warm(40.0), []
    device.thermometer = "hottest_c"
    CoolEngine(Instant(ok_process()), device, 37.0, slept.append).time(None, 0, Path())
    assert len(slept) == 2  # 39 and 38 degrees were too hot


def test_a_device_without_a_thermometer_is_not_waited_for(ok_process):
    class Bare:
        def describe(self):
            return DeviceInfo("local", "local")

    timed = CoolEngine(Instant(ok_process()), Bare(), 37.0, pytest.fail).time(None, 0, Path())
    assert timed.facts.telemetry.start_celsius is None
