"""What a phone's fuel gauge says, in the forms of Linux' sysfs and of Android's battery service."""

import pytest

from harness.drivers.adb.battery_log import read_battery_log
from harness.records.telemetry import PowerSample

SYSFS = """\
at 8123.45
status Discharging
current_now -412109
voltage_now 4023000
charge_counter 2345000
at 8124.46
status Discharging
current_now -398010
voltage_now 4021000
"""
SERVICE = """\
at 100.01
Current Battery Service state:
  AC powered: false
  USB powered: false
  Wireless powered: false
  Dock powered: false
  Max charging current: 0
  Max charging voltage: 0
  Charge counter: 2781000
  status: 3
  health: 2
  present: true
  level: 89
  scale: 100
  voltage: 4187
  temperature: 291
  technology: Li-ion
"""


def test_files_of_linux_are_samples_in_micro_units():
    assert read_battery_log(SYSFS) == (
        PowerSample(
            at_s=8123.45, discharging=True, charge_uah=2345000, current_ua=-412109, voltage_uv=4023000
        ),
        PowerSample(at_s=8124.46, discharging=True, current_ua=-398010, voltage_uv=4021000),
    )


def test_the_text_of_androids_service_is_a_sample_too():
    (sample,) = read_battery_log(SERVICE)
    assert sample == PowerSample(at_s=100.01, discharging=True, charge_uah=2781000, voltage_uv=4187000)


@pytest.mark.parametrize(
    "change",
    [("USB powered: false", "USB powered: true"), ("status: 3", "status: 2"), ("status: 3", "status: 4")],
)
def test_a_phone_with_a_cable_does_not_discharge(change):
    (sample,) = read_battery_log(SERVICE.replace(*change))
    assert not sample.discharging


@pytest.mark.parametrize(
    "text",
    [
        "",
        "at soon\nvoltage_now 1",
        "voltage_now 4000000",
        "at 1.0\nsh: dumpsys: not found",
        SERVICE.replace("Current Battery", "(UPDATES STOPPED -- use 'reset' to restart)\nCurrent Battery"),
    ],
)
def test_what_says_nothing_of_the_battery_is_no_sample(text):
    assert read_battery_log(text) == ()


def test_a_counter_that_there_is_not_is_unknown():
    (sample,) = read_battery_log(SERVICE.replace("2781000", "0"))
    assert sample.charge_uah is None and sample.voltage_uv == 4187000
