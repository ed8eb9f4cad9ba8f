"""Collect the page's data: rows column by column, evidence, runs, models, and the details of some cells.

Nothing is summarized here that `harness.rows.frame` did not summarize. Numbers come twice: as text in the one form
that `harness.units` gives them, and raw (nine significant digits) for positions and for sorting.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime, timezone
from operator import itemgetter
from pathlib import Path
from typing import Any

from harness import units
from harness.errors import RecordError
from harness.records import records
from harness.records.records import RunFacts
from harness.report import plain
from harness.report.console import FORMS
from harness.report.html import cells, detections
from harness.report.html.digits import MOST_DIGITS, rounded_known
from harness.report.html.facts import make_facts, pairs
from harness.report.shown import PairedAccuracy, row_key
from harness.rows import pareto
from harness.rows.columns import COLUMNS, INTEGER, LIST, NUMBER, Column
from harness.rows.frame import Results, Row
from harness.text import clean
from harness.version import __version__
from harness.vocabulary import MEASURED

MOST_DETAILS = 150
"""Number of cells with samples and classes, those of the newest runs: keeps a file of 10,000 cells small."""


def make_document(results: Results, rows: Sequence[Row], sort: str | None = None) -> dict[str, Any]:
    """Return all data of the page, as plain values."""
    stored = results.records
    runs = [_run(path) for path in results.runs]
    detailed = _newest(rows, MOST_DETAILS)
    facts = make_facts(results.parts)
    return {
        "title": _title(rows),
        "made": f"{datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
        "version": __version__,
        "n": len(rows),
        "sort": sort,
        "missing": units.MISSING,
        "ranked": sorted(MEASURED),
        "columns": _columns(rows),
        "evidence": encode(facts["evidence"]),
        "settings": encode(facts["settings"]),
        "details": {index: cells.detail(stored[index]) for index in detailed},
        "most_details": MOST_DETAILS,
        "runs": [run for run in runs if run is not None],
        "models": facts["models"],
        "devices": facts["devices"],
        "warnings": list(map(clean, results.warnings)),
        **_accuracy(results, detailed),
    }


def _accuracy(results: Results, detailed: Sequence[int]) -> dict[str, Any]:
    """Return the curves and worst images of the cells with detections."""
    chosen = list(detections.with_detections([(index, results.records[index]) for index in detailed]))
    if not chosen:
        return {"curves": {}, "worst": {}}
    from harness.report.html import accuracy  # late: it needs what reads data sets and images

    return accuracy.document(results, chosen)


def shown_pairs(rows: Sequence[Row], is_shown: PairedAccuracy) -> list[tuple[int, int]]:
    """Return the pairs of rows of which the first is shown to be the more accurate by the detections alone."""
    pareto.marks(rows, is_shown)
    if not is_shown.pairs:
        return []
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
    return form if column.dtype in {INTEGER, NUMBER} else lambda value: clean(form(value))


def _columns(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the public columns; each row is looked at once: all are more than a processor keeps near."""
    in_order = itemgetter(*(column.name for column in COLUMNS))
    values = zip(*map(in_order, rows), strict=True) if rows else ((),) * len(COLUMNS)
    return [_column(column, several) for column, several in zip(COLUMNS, values, strict=True)]


def _column(column: Column, values: Sequence[Any]) -> dict[str, Any]:
    numeric = column.dtype in {INTEGER, NUMBER}
    is_unknown = values.count(None) == len(values)
    return {
        "name": column.name,
        "unit": column.unit,
        "meaning": column.meaning,
        "text": _texts(column, values[:1] if is_unknown else values),
        "raw": rounded_known(values, MOST_DIGITS) if numeric and not is_unknown else None,
    }


def _texts(column: Column, values: Sequence[Any]) -> dict[str, Any]:
    """Return values as texts; each distinct value is formatted once, because most columns have few."""
    if column.dtype == NUMBER:  # where most values differ and not all texts do
        return encode(list(map(shown(column), values)))
    coded = encode([_hashable(value) for value in values] if column.dtype == LIST else values)
    texts = encode(list(map(shown(column), coded["values"])))
    if not texts["at"]:
        return texts
    return {"values": texts["values"], "at": [texts["at"][place] for place in coded["at"]]}


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
        *pairs({key.replace("_", " "): value for key, value in told.items()}),
        *pairs({name: found for name, found in known if found is not None}),
    )
