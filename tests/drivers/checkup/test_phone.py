"""What a run on a phone needs."""

from harness.drivers.base import DeviceInfo
from harness.drivers.checkup.phone import check_phone


def test_the_doctor_warns_of_heat_a_low_battery_and_a_lit_screen():
    told = {
        "battery_percent": 9,
        "battery_temperature_c": 41.5,
        "thermal_status": "moderate",
        "screen_on": "yes",
        "free_mb": 50,
    }
    states = {check.check: check for check in check_phone(DeviceInfo("x", "adb", facts=told))}
    assert {name: check.state for name, check in states.items() if name not in {"benchmark_model", "our worker"}} == {
        "space": "failed", "big cores": "warning", "battery": "warning", "temperature": "warning", "screen": "warning",
    }  # fmt: skip
    assert all(check.reason for check in states.values() if check.state != "ok")
