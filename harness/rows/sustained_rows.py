"""Turn latency over a long run into rows: both ends of each cell, its knee, and its rank at both ends."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from harness import units
from harness.errors import RecordError
from harness.records.records import Record, StoredRecord
from harness.rows.energy import Power, power_of
from harness.rows.sustained import Sustained, analyze_cell
from harness.vocabulary import MEASURED, Status

COLUMNS = (
    "model",
    "delegate_requested",
    "device",
    "status",
    "seconds",
    "first_ms",
    "last_ms",
    "change_percent",
    "knee_s",
    "basis",
    "n_processes",
    "first_celsius",
    "last_celsius",
    "first_mhz",
    "last_mhz",
    "power_w",
    "power_low_w",
    "power_high_w",
    "power_basis",
    "joules_per_inference",
    "rank_first",
    "rank_last",
)


def sustained_rows(records: Iterable[StoredRecord]) -> list[dict[str, Any]]:
    """Return one row a cell that was measured under sustained load to its end.

    Ranks are by device, the fastest 1.
    """
    found = [
        (stored, result)
        for stored in records
        if stored.record.settings.get("sustained") is not None and stored.record.status in MEASURED
        for result in [_analyzed(stored)]
        if result is not None
    ]
    return [_row(stored, result, found) for stored, result in found]


def _analyzed(stored: StoredRecord) -> Sustained | None:
    """Describe a cell over time; None also where its samples are damaged, which is said where the rows are made."""
    try:
        return analyze_cell(stored)
    except RecordError:
        return None


def _row(
    stored: StoredRecord, result: Sustained, all_found: list[tuple[StoredRecord, Sustained]]
) -> dict[str, Any]:
    record = stored.record
    same = [
        other for other_stored, other in all_found if other_stored.record.device.name == record.device.name
    ]
    return {
        "model": record.model.name,
        "delegate_requested": record.delegate.requested,
        "device": record.device.name,
        "status": str(record.status),
        "seconds": result.seconds,
        "first_ms": result.first_ms,
        "last_ms": result.last_ms,
        "change_percent": result.change_percent,
        "knee_s": result.knee_s,
        "basis": result.basis,
        "n_processes": result.n_processes,
        **_machine(record),
        **_energy(record),
        "rank_first": 1 + sum(other.first_ms < result.first_ms for other in same),
        "rank_last": 1 + sum(other.last_ms < result.last_ms for other in same),
    }


def _machine(record: Record) -> dict[str, float | None]:
    """Return temperature and clock before the first process of a load and after its last."""
    before, after = record.processes[0].telemetry.states[0], record.processes[-1].telemetry.states[1]
    return {
        "first_celsius": before.celsius,
        "last_celsius": after.celsius,
        "first_mhz": before.mhz,
        "last_mhz": after.mhz,
    }


def _energy(record: Record) -> dict[str, float | str | None]:
    """Return the power of the whole phone over a load, and what an inference of it cost; unknown without a gauge."""
    power = power_of(record.processes) or Power(None, None, None, 0.0, "")
    busy = sum(process.duration_s or 0.0 for process in record.processes)
    inferences = sum(process.summary.count for process in record.processes if process.summary is not None)
    joules = None if power.watt is None or not (busy and inferences) else power.watt * busy / inferences
    return {
        "power_w": power.watt,
        "power_low_w": power.low,
        "power_high_w": power.high,
        "power_basis": power.basis or None,
        "joules_per_inference": joules,
    }


def _course(row: dict[str, Any], unit: str) -> str:
    ends = [row[f"{end}_{unit}"] for end in ("first", "last")]
    return (
        "" if ends == [None, None] else " → ".join(units.MISSING if v is None else f"{v:,.0f}" for v in ends)
    )


def _watts(row: dict[str, Any]) -> str:
    if row["power_w"] is None:
        return ""
    return f"{row['power_w']:.2f} ({row['power_low_w']:.2f}–{row['power_high_w']:.2f})"


def shown(row: dict[str, Any]) -> dict[str, str]:
    """Return a row for a table, whose status is empty where it is ok."""
    return {
        "model": row["model"],
        "delegate": row["delegate_requested"],
        "status": "" if row["status"] == Status.OK else row["status"],
        "ran": units.duration(row["seconds"]),
        "first ms": units.milliseconds(row["first_ms"]),
        "last ms": units.milliseconds(row["last_ms"]),
        "change": units.percent(row["change_percent"]),
        "knee at": "none" if row["knee_s"] is None else units.duration(row["knee_s"]),
        "°C": _course(row, "celsius"),
        "MHz": _course(row, "mhz"),
        "medians of": "" if row["n_processes"] is None else f"{row['n_processes']} processes",
        "W": _watts(row),
        "W from": row["power_basis"] or "",
        "J each": ""
        if row["joules_per_inference"] is None
        else units.milliseconds(row["joules_per_inference"]),
        "rank": f"{row['rank_first']} → {row['rank_last']}",
    }
