"""The machine around a process, as it lies on disk: the keys of version 0.1, and only those that are known."""

import json
from pathlib import Path

import msgspec
import pytest

from harness.errors import RecordError
from harness.records.records import Record, load
from harness.records.telemetry import MachineState, Telemetry

RUNS = Path(__file__).parents[1] / "records_formats"
FORMS = [
    {},
    {"before": {}, "after": {}},
    {"before": {"probe_ns": 328181}, "after": {"probe_ns": 328600}, "fastest_probe_ns": 328181},
    {
        "before": {"probe_ns": 1, "mhz": 1800.0, "celsius": 41.5, "firmware_flags": 0},
        "other_load": 0.0,
        "after": {"probe_ns": 2, "mhz": 600.0, "celsius": 80.0, "firmware_flags": 0x50005},
        "governor": "powersave",
        "on_battery": False,
        "after_other_model": {"model": "other", "durations_ns": [3, 4]},
        "start_celsius": 36.5,
        "cooled_s": 30.0,
        "fastest_probe_ns": 1,
    },
    # A device without a thermometer: that it has none was looked at, and is told.
    {"start_celsius": None, "cooled_s": 0.0},
    {"before": {"mhz": 1.0, "battery": {"temp": "310", "capacity": "80", "status": "Charging"}}},
]


@pytest.mark.parametrize("form", FORMS)
def test_what_was_written_as_free_keys_is_read_and_written_the_same(form):
    text = json.dumps(form, separators=(",", ":"))
    assert msgspec.json.encode(msgspec.json.decode(text, type=Telemetry)).decode() == text


@pytest.mark.parametrize("path", sorted(RUNS.glob("*/*/cells/*/record.json")), ids=lambda p: p.parts[-5])
def test_records_that_are_kept_lose_nothing_of_it(path):
    kept = json.loads(path.read_text())
    again = json.loads(msgspec.json.encode(load(path, Record)))
    assert [p["telemetry"] for p in again["processes"]] == [p["telemetry"] for p in kept["processes"]]


def test_keys_of_a_newer_version_are_passed_over():
    form = {"before": {"probe_ns": 1, "fan_rpm": 900}, "altitude_m": 8848}
    assert msgspec.convert(form, Telemetry) == Telemetry(before=MachineState(probe_ns=1))


def test_a_value_that_cannot_be_one_is_refused_by_its_key(tmp_path):
    path = next(iter(RUNS.glob("1/*/cells/*/record.json")))
    data = json.loads(path.read_text())
    data["processes"][0]["telemetry"]["after"]["probe_ns"] = "fast"
    (tmp_path / "record.json").write_text(json.dumps(data))
    with pytest.raises(RecordError, match=r"telemetry\.after\.probe_ns"):
        load(tmp_path / "record.json", Record)


def test_what_was_not_looked_at_is_unknown():
    assert Telemetry().states == (MachineState(), MachineState())
