"""Sum up the times of cells' operators by kind."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import units
from harness.errors import RecordError, UsageError
from harness.records.records import OperatorTime, StoredRecord
from harness.text import clean
from harness.vocabulary import Status

COLUMNS = (
    "run_id",
    "model",
    "device",
    "delegate_requested",
    "delegate_actual",
    "status",
    "operator",
    "delegated",
    "count",
    "time_ms",
    "share_percent",
)


@dataclass(frozen=True)
class Kind:
    """All operators of one kind that were executed in the same way.

    Attributes:
        name: The kind: an operator of the model, or the delegate's name for several.
        delegated: Whether a delegate executed them, and not a builtin kernel.
        count: Their number in the executed graph.
        time_ms: Their time in one inference.
        share: Their share of the time of all operators, 0…1.
    """

    name: str
    delegated: bool
    count: int
    time_ms: float
    share: float


def by_kind(operators: Iterable[OperatorTime]) -> list[Kind]:
    """Sum up operators by kind and by what executed them, the costliest first."""
    groups: dict[tuple[str, bool], list[OperatorTime]] = {}
    for one in operators:
        groups.setdefault((one.kind, one.delegated), []).append(one)
    times = {key: sum(one.time_ns for one in group) for key, group in groups.items()}
    whole = sum(times.values()) or 1
    kinds = [
        Kind(key[0], key[1], len(group), times[key] / units.NS_PER_MS, times[key] / whole)
        for key, group in groups.items()
    ]
    return sorted(kinds, key=lambda kind: -kind.time_ms)


def recorded_rows(stored: Iterable[StoredRecord], runs: Iterable[Path]) -> list[dict[str, Any]]:
    """Return one row a kind of operator of each cell.

    Raises:
        UsageError: No operators were recorded at all; says where and what records them.
    """
    rows = operator_rows(stored)
    if not rows:
        raise UsageError(
            f"no operators were recorded in {', '.join(map(str, runs))}; harness run --operators records them"
        )
    return rows


def readable(stored: Iterable[StoredRecord]) -> tuple[list[StoredRecord], list[str]]:
    """Return the cells whose operators can be read, and a sentence for each where they are damaged."""
    kept, damaged = [], []
    for one in stored:
        try:
            one.operators()
            kept.append(one)
        except RecordError as error:
            damaged.append(str(error))
    return kept, damaged


def operator_rows(stored: Iterable[StoredRecord]) -> list[dict[str, Any]]:
    """Return one row a kind of operator of each cell; cells that fell back or were not recorded have none.

    Raises:
        RecordError: A file with operators is missing, or is not one of ours.
    """
    shown = (one for one in stored if _fell_back(one) is None)
    return [_row(one, kind) for one in shown for kind in by_kind(one.operators())]


def remarks(stored: Iterable[StoredRecord]) -> list[str]:
    """Return a sentence for each cell whose operators were requested and could not be recorded."""
    told = []
    for one in stored:
        facts, record = one.record.operators, one.record
        other = _fell_back(one)
        if facts is not None and (facts.status != Status.OK or other is not None):
            reasons = "; ".join(facts.reasons if facts.status != Status.OK or other is None else (other,))
            told.append(f"no operators of {record.model.name} on {record.delegate.requested}: {reasons}")
    return told


def _fell_back(stored: StoredRecord) -> str | None:
    """Say what ran in place of the delegate that was asked for, whose operators these are not; None where it ran."""
    record = stored.record
    if record.status != Status.FALLBACK:
        return None
    return f"{record.status}: {record.delegate.actual} ran, and its operators are not those of the delegate"


def _row(stored: StoredRecord, kind: Kind) -> dict[str, Any]:
    record = stored.record
    return {
        "run_id": record.run_id,
        "model": record.model.name,
        "device": record.device.name,
        "delegate_requested": record.delegate.requested,
        "delegate_actual": record.delegate.actual,
        "status": record.status,
        "operator": kind.name,
        "delegated": kind.delegated,
        "count": kind.count,
        "time_ms": kind.time_ms,
        "share_percent": 100 * kind.share,
    }


def for_page(stored: StoredRecord) -> dict[str, Any] | None:
    """Return a cell's operators for the HTML page; None where they were not requested."""
    facts = stored.record.operators
    if facts is None:
        return None
    fell_back = _fell_back(stored)
    if fell_back is not None and facts.operators is not None:
        return {"missing": [clean(fell_back)]}
    try:
        operators = stored.operators()
    except RecordError as error:
        return {"missing": [clean(error)]}
    if not operators:
        return {"missing": list(map(clean, facts.reasons))}
    whole = sum(one.time_ns for one in operators)
    return {
        "n": units.count(facts.n_inferences),
        "sum": units.milliseconds(whole / units.NS_PER_MS),
        "runtime": clean(facts.runtime or units.MISSING),
        "kinds": [_page_kind(kind) for kind in by_kind(operators)],
        "each": [_page_operator(one, whole) for one in operators],
    }


def _page_kind(kind: Kind) -> list[Any]:
    shown = (units.count(kind.count), units.milliseconds(kind.time_ms), units.share(kind.share))
    return [clean(kind.name), kind.delegated, round(kind.share, 4), *shown]


def _page_operator(one: OperatorTime, whole_ns: int) -> list[Any]:
    time = units.milliseconds(one.time_ns / units.NS_PER_MS)
    return [
        clean(one.kind),
        clean(one.name),
        one.delegated,
        time,
        units.share(one.time_ns / (whole_ns or 1)),
    ]
