"""The state of the machine, from the files of Linux."""

import pytest

from harness.worker import telemetry
from harness.worker.telemetry import TelemetryReader


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A computer of files; what is not written is not there."""
    monkeypatch.setattr(telemetry, "SYS", tmp_path / "sys")
    monkeypatch.setattr(telemetry, "PROC_STAT", tmp_path / "stat")
    monkeypatch.setattr(telemetry, "read_flags", lambda: None)

    def write(path, text):
        file = tmp_path / "sys" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    return write


def test_a_machine_that_tells_nothing_is_unknown_but_for_the_probe(machine):
    readings = TelemetryReader().read()
    assert readings.before.probe_ns > 0 and readings.after.probe_ns > 0
    told = (readings.before.mhz, readings.before.celsius, readings.before.firmware_flags)
    assert told == (None, None, None)
    assert (readings.other_load, readings.governor, readings.on_battery) == (None, None, None)


def test_the_fastest_clock_and_the_hottest_zone_are_read_before_and_after(machine):
    for cpu, khz in enumerate((600_000, 1_800_000)):
        machine(f"devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", f"{khz}\n")
    machine("devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n")
    for zone, text in enumerate(("41000", "0", "55500", "nonsense", "999999999")):
        machine(f"class/thermal/thermal_zone{zone}/temp", text)
    reader = TelemetryReader()
    machine("class/thermal/thermal_zone2/temp", "70000")
    readings = reader.read()
    assert (readings.before.mhz, readings.before.celsius, readings.after.celsius) == (1800.0, 55.5, 70.0)
    assert readings.governor == "powersave"


@pytest.mark.parametrize(("status", "on_battery"), [("Discharging", True), ("Full", False)])
def test_a_battery_is_in_use_or_not(machine, status, on_battery):
    machine("class/power_supply/AC/type", "Mains\n")
    machine("class/power_supply/BAT0/type", "Battery\n")
    machine("class/power_supply/BAT0/status", f"{status}\n")
    assert TelemetryReader().read().on_battery is on_battery
