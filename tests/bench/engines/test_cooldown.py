"""A device cools down before it is timed, and the record says how long that took."""

from pathlib import Path

import pytest

from harness.bench.engines import cooldown
from harness.bench.engines.base import DatasetInference, ProfiledOperators, TimedProcess
from harness.bench.engines.cooldown import CoolEngine
from harness.drivers.base import DeviceInfo
from harness.worker.results import OutputCheck


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
