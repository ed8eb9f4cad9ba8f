"""Collect the page's data: rows column by column, evidence, runs, models, and the details of some cells.

Nothing is summarized here that `harness.rows.frame` did not summarize. Numbers come twice: as text in the one form
that `harness.units` gives them, and raw (nine significant digits) for positions and for sorting.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import msgspec

from harness import units
from harness.errors import RecordError
from harness.records import records
from harness.records.records import DelegateFacts, DeviceFacts, ModelFacts, Record, RunFacts
from harness.report import plain
from harness.report.console import FORMS
from harness.report.html import accuracy, cells
from harness.report.shown import PairedAccuracy, row_key
from harness.rows import pareto
from harness.rows.columns import COLUMNS, INTEGER, LIST, NUMBER, Column
from harness.rows.frame import Results, Row
from harness.text import clean
from harness.version import __version__
from harness.vocabulary import MEASURED

MOST_DETAILS = 150
"""Number of cells with samples and classes, those of the newest runs: keeps a file of 10,000 cells small."""
_DIGITS = 9
Facts = tuple[tuple[str, str], ...]


def make_document(results: Results, rows: Sequence[Row], sort: str | None = None) -> dict[str, Any]:
    """Return all data of the page, as plain values."""
    stored = results.records
    runs = [_run(path) for path in results.runs]
    detailed = _newest(rows, MOST_DETAILS)
    facts = _of_records(one.record for one in stored)
    return {
        "title": _title(rows),
        "made": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        "version": __version__,
        "n": len(rows),
        "sort": sort,
        "missing": units.MISSING,
        "ranked": sorted(MEASURED),
        "columns": [_column(column, [row[column.name] for row in rows]) for column in COLUMNS],
        "evidence": facts["evidence"],
        "settings": facts["settings"],
        "details": {index: cells.detail(stored[index]) for index in detailed},
        "most_details": MOST_DETAILS,
        "runs": [run for run in runs if run is not None],
        "models": facts["models"],
        "devices": facts["devices"],
        "warnings": list(map(clean, results.warnings)),
        **accuracy.document(results, detailed),
    }


def shown_pairs(rows: Sequence[Row], is_shown: PairedAccuracy) -> list[tuple[int, int]]:
    """Return the pairs of rows of which the first is shown to be the more accurate by the detections alone."""
    pareto.marks(rows, is_shown)
    place = {row_key(row): index for index, row in enumerate(rows)}
    return [(place[first], place[second]) for first, second in is_shown.pairs]


def encode(values: Sequence[Hashable]) -> dict[str, Any]:
    """Return the distinct values and, for each value, its place among them (0: all are equal)."""
    place = {value: index for index, value in enumerate(dict.fromkeys(values))}
    return {"values": list(place), "at": [place[value] for value in values] if len(place) > 1 else 0}


def shown(column: Column) -> Callable[[Any], str]:
    """Return what gives a value of a public column as text."""
    if column.dtype == LIST:
        return lambda value: "\n".join(clean(plain.item(one)) for one in value or ())
    form = FORMS.get(column.unit, plain.cell)
    return lambda value: clean(form(value))


def raw(value: float | None) -> float | None:
    """Return a number with more digits than any measurement has; None for one that JSON cannot hold."""
    number = value if type(value) is float and math.isfinite(value) else plain.value(value)
    return None if number is None else float(f"{number:.{_DIGITS}g}")


def _column(column: Column, values: Sequence[Any]) -> dict[str, Any]:
    numeric = column.dtype in {INTEGER, NUMBER}
    return {
        "name": column.name,
        "unit": column.unit,
        "meaning": column.meaning,
        "text": _texts(column, values),
        "raw": [raw(value) for value in values] if numeric and any(v is not None for v in values) else None,
    }


def _texts(column: Column, values: Sequence[Any]) -> dict[str, Any]:
    """Return values as texts; each distinct value is formatted once, because most columns have few."""
    coded = encode([_hashable(value) for value in values] if column.dtype == LIST else values)
    texts = encode(list(map(shown(column), coded["values"])))
    at = [0] * len(coded["values"]) if texts["at"] == 0 else texts["at"]
    places = coded["at"] if coded["at"] != 0 else [0] * len(values)
    return {
        "values": texts["values"],
        "at": [at[place] for place in places] if len(texts["values"]) > 1 else 0,
    }


def _hashable(value: Any) -> Hashable:
    """Return a value that can be looked up: a list as a tuple, an object in it as its text."""
    if not isinstance(value, list):
        return value  # type: ignore[no-any-return]
    return tuple(plain.item(one) if isinstance(one, dict) else one for one in value)


def _newest(rows: Sequence[Row], most: int) -> list[int]:
    """Return the indices of the cells of the newest runs, at most so many; within a run in the order of its plan."""
    order = sorted(range(len(rows)), key=lambda index: rows[index]["run_id"] or "", reverse=True)
    return sorted(order[:most])


def _title(rows: Sequence[Row]) -> str:
    devices = list(dict.fromkeys(clean(row["device"]) for row in rows))
    names = ", ".join(devices[:3]) + (f" and {len(devices) - 3} more" if len(devices) > 3 else "")
    return f"{_models_in_words(rows)} on {names}" if rows else "On-device detectors"


def _models_in_words(rows: Sequence[Row]) -> str:
    """Name two models, or the families that several are versions of."""
    models = list(dict.fromkeys(clean(row["model"]) for row in rows))
    if len(models) <= 2:
        return " and ".join(models)
    families = list(dict.fromkeys(pareto.family(name) for name in models))
    if len(families) == 1:
        return f"{families[0]} in {len(models)} versions"
    more = f" and {len(families) - 2} more" if len(families) > 2 else ""
    return f"{', '.join(families[:2])}{more}" if more else " and ".join(families)


def _evidence(record: Record) -> Facts:
    """Return the evidence of what ran: of the cell, of processes where theirs differs, and of the accuracy."""
    found = [("", record.delegate)]
    found += [(f"process {p.index + 1}", p.delegate) for p in record.processes if p.delegate is not None]
    if record.accuracy is not None and record.accuracy.delegate is not None:
        found.append(("accuracy", record.accuracy.delegate))
    return _different(found)


def _different(found: Iterable[tuple[str, DelegateFacts]]) -> Facts:
    told: list[tuple[str, str]] = []
    raw_lines: set[str] = set()
    seen: set[str] = set()
    for who, facts in found:
        lines = [clean(line) for line in facts.evidence if line not in raw_lines]
        told += [(who, line) for line in lines if line not in seen]
        raw_lines.update(facts.evidence)
        seen.update(lines)
    return tuple(told)


def _pairs(facts: dict[str, Any]) -> Facts:
    return tuple((clean(key), clean(plain.cell(value))) for key, value in facts.items() if value is not None)


def _run(path: Path) -> dict[str, Any] | None:
    try:
        facts = records.load_run(path)
    except RecordError:
        return None
    return {"id": clean(facts.run_id), "started": clean(facts.started_at), "facts": _run_facts(facts)}


def _run_facts(facts: RunFacts) -> tuple[tuple[str, str], ...]:
    told = dict(facts.environment)
    packages = told.pop("packages", None)
    known = packages.items() if isinstance(packages, dict) else ()
    return (
        ("harness", clean(facts.harness_version)),
        ("command", clean(" ".join(facts.command)) or units.MISSING),
        ("seed", str(facts.seed)),
        *_pairs({key.replace("_", " "): value for key, value in told.items()}),
        *_pairs({name: found for name, found in known if found is not None}),
    )


def _of_records(several: Iterable[Record]) -> dict[str, Any]:
    """Return what the rows do not say: evidence, settings, models and devices; each record is looked at once."""
    evidence, settings = [], []
    models: dict[str, ModelFacts] = {}
    devices: set[tuple[str | None, ...]] = set()
    pairs_of: dict[bytes, Facts] = {}
    for record in several:
        evidence.append(_evidence(record))
        key = msgspec.msgpack.encode(record.settings)
        settings.append(pairs_of.get(key) or pairs_of.setdefault(key, _pairs(record.settings)))
        models[record.model.sha256] = record.model
        devices.add(_device(record.device))
    return {
        "evidence": encode(evidence),
        "settings": encode(settings),
        "models": _models(models.values()),
        "devices": [tuple(clean(text or units.MISSING) for text in one) for one in sorted(devices, key=str)],
    }


def _models(facts: Iterable[ModelFacts]) -> list[dict[str, Any]]:
    return [
        {
            "name": clean(model.name),
            "sha256": clean(model.sha256),
            "size": units.size(model.size_bytes),
            "quantization": clean(model.quantization),
            "evidence": list(map(clean, model.evidence)),
        }
        for model in facts
    ]


def _device(facts: DeviceFacts) -> tuple[str | None, ...]:
    return facts.name, facts.kind, facts.model, facts.soc, facts.os, facts.abi, _told(facts.facts)


def _told(facts: dict[str, Any]) -> str:
    return ", ".join(f"{key}: {plain.cell(value)}" for key, value in facts.items())
