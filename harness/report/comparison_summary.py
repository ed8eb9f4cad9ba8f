"""Render a comparison for people: the short table of a terminal, and the Markdown of a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from harness import units
from harness.comparison import design
from harness.comparison.compare import RunComparison
from harness.comparison.gate import Finding, GateResult, Outcome, doubt
from harness.comparison.match import name_of
from harness.comparison.rows import COLUMNS
from harness.report import plain
from harness.report.content import Content
from harness.text import clean
from harness.vocabulary import Status

Row = dict[str, Any]

_MARKUP = re.compile(r"[\\`*\[\]|]|\b_|_\b")
"""Characters that are markup; an underscore inside a word is none."""

WORDS: dict[Outcome, str] = {
    Outcome.PASS: "passed",
    Outcome.FAIL: "failed",
    Outcome.UNDECIDED: "undecided: the data cannot tell",
}


def content(compared: RunComparison, verdict: GateResult, rows: Sequence[Row]) -> Content:
    """Return a comparison as content: a short table, a summary for a pull request, or all rows."""
    return Content(
        rows,
        COLUMNS,
        own={"markdown": lambda: to_markdown(compared, verdict, rows), "table": lambda: _short_table(rows)},
    )


def _short_table(rows: Sequence[Row]) -> Content:
    short = short_rows(rows)
    return Content(short, list(short[0]) if short else ())


def short_rows(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the columns to show of each row of a comparison, as text, without columns that are empty everywhere."""
    short = [_short(row) for row in rows]
    if len({row["device"] for row in rows}) == 1:
        short = [{name: value for name, value in row.items() if name != "device"} for row in short]
    filled = {name for row in short for name, value in row.items() if value not in {None, units.MISSING}}
    return [{name: value for name, value in row.items() if name in filled} for row in short]


def _short(row: Row) -> dict[str, Any]:
    return {
        "model": _models(row),
        "device": row["device"],
        "delegate": row["delegate_requested"],
        "median ms": f"{_speed(row, 'base')} → {_speed(row, 'new')}",
        "change": change(row),
        "95 % int.": interval(row),
        "mAP": units.metric(row["new_map"]) if row["new_map"] is not None else None,
        "Δ mAP": map_change(row),
        "gate": row["gate"],
    }


def _models(row: Row) -> str:
    base, new = row["base_model"], row["new_model"]
    return str(new) if base == new else f"{base} → {new}"


def _speed(row: Row, side: str) -> str:
    """Return the median, with the status where that is not ok and the verdict where it is not trusted."""
    median, word = row[f"{side}_latency_median_ms"], _doubt(row, side)
    if median is None and word:
        return word
    return f"{units.milliseconds(median)} {word}".rstrip()


def _doubt(row: Row, side: str) -> str:
    return doubt({name: row[f"{side}_{name}"] for name in ("status", "verdict")})


def change(row: Row) -> str:
    """Return the change of the median; with `~` where it cannot be told from noise."""
    if row["difference_percent"] is None:
        return units.MISSING
    noise = "~ " if row["decision"] == "~" else ""
    return f"{noise}{units.percent_change(row['difference_percent'])}"


def interval(row: Row) -> str:
    """Return the interval of that change."""
    if row["low"] is None:
        return units.MISSING
    return f"{row['low']:+.1f}…{row['high']:+.1f}%"


def map_change(row: Row) -> str | None:
    """Return the difference of the mAPs with half of its interval; with `~` where it cannot be told from chance."""
    if row["map_difference"] is None:
        return None
    noise = "~ " if row["map_decision"] == "~" else ""
    low, high = row["map_difference_low"], row["map_difference_high"]
    half = "" if low is None or low == high else f" ±{units.metric((high - low) / 2)}"
    return f"{noise}{units.signed_metric(row['map_difference'])}{half}"


def remarks(compared: RunComparison) -> Iterator[str]:
    """Return sentences about cells that were not compared, and why."""
    yield from compared.warnings
    yield from compared.matching.remarks
    yield from design.remarks(one.pair for one in compared.comparisons)
    yield from (
        f"mAP not compared: {one.pair.name}: {one.accuracy.reason}"
        for one in compared.comparisons
        if one.accuracy.other_images
    )
    yield from (f"not compared: {odd}" for odd in compared.matching.incomparable)
    yield from (f"missing from the new run: {name_of(s.record)}" for s in compared.matching.missing)
    yield from (f"only in the new run: {name_of(s.record)}" for s in compared.matching.added)


def pairing_of(compared: RunComparison) -> Iterator[str]:
    """Return how cells of one run are compared; nothing where the two sides are of different runs."""
    yield from design.pairing(one.pair for one in compared.comparisons)


def undecided_reasons(rows: Sequence[Row]) -> Iterator[str]:
    """Return why a change is not decided that its interval alone would show."""
    for row in rows:
        if row["decision"] == "~" and row["low"] is not None and not row["low"] <= 0 <= row["high"]:
            yield f"{row['model']}, {row['delegate_requested']}: undecided: {row['reason']}"


def changed_things(rows: Sequence[Row]) -> Iterator[str]:
    """Return sentences about files, runtimes and delegates that differ between the two."""
    for row in rows:
        cell = f"{row['model']}, {row['delegate_requested']}{_status(row)}: "
        whose = {
            "model_sha256": f"{_models(row)}: ",
            "runtime": "",
            "delegate_actual": cell,
            "delegated_nodes": cell,
        }
        for name, prefix in whose.items():
            old, new = row[f"base_{name}"], row[f"new_{name}"]
            if old != new and None not in (old, new):
                yield f"{prefix}{name} {_cut(old)} → {_cut(new)}"


def _status(row: Row) -> str:
    """Return the statuses of both in brackets; nothing where both are ok."""
    statuses = dict.fromkeys((row["base_status"], row["new_status"]))
    return "" if list(statuses) == [Status.OK] else f" ({' → '.join(statuses)})"


def _cut(value: Any) -> str:
    """Shorten a hash."""
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 else text


def to_markdown(compared: RunComparison, verdict: GateResult, rows: Sequence[Row]) -> str:
    """Return a summary for a pull request: the decision, its grounds, and the table."""
    parts = [_heading(verdict, rows), *_findings(verdict)]
    if rows:
        short = short_rows(rows)
        parts += ["", plain.to_markdown(short, list(short[0])).rstrip("\n")]
    notes = [*undecided_reasons(rows), *dict.fromkeys(changed_things(rows)), *remarks(compared)]
    parts += ["", *(f"- {_text(note)}" for note in notes)] if notes else []
    parts += [""]
    count = compared.decisions.sentence()
    pairing = [f"{_text(said.capitalize())}." for said in pairing_of(compared)]
    parts += [*([f"{count}."] if count else []), *pairing]
    parts += ["Change of the printed medians of independent processes; `~` cannot be told from noise."]
    return "\n".join(parts) + "\n"


def _heading(verdict: GateResult, rows: Sequence[Row]) -> str:
    devices = ", ".join(dict.fromkeys(_text(row["device"]) for row in rows))
    cells = f"{units.counted(len(rows), 'cell')}{' on ' if devices else ''}{devices}"
    if not verdict.findings:
        return f"### Benchmark: {cells} compared"
    mark = {Outcome.PASS: "✅", Outcome.FAIL: "❌", Outcome.UNDECIDED: "❔"}[verdict.outcome]
    return f"### {mark} Benchmark gate {WORDS[verdict.outcome]} ({cells})"


def _findings(verdict: GateResult) -> Iterator[str]:
    grave = [finding for finding in verdict.findings if finding.outcome != Outcome.PASS]
    if grave:
        yield ""
    for finding in grave:
        yield f"- **{finding.outcome}** `{_code(finding.condition)}` {_text(describe(finding))}"


def describe(finding: Finding) -> str:
    """Return a finding in one sentence."""
    return f"{finding.cell}: {finding.text}"


def _code(text: object) -> str:
    return str(text).replace("`", "")


def _text(text: str) -> str:
    """Escape markup of Markdown and HTML, because names may come from anybody."""
    cleaned = _MARKUP.sub(r"\\\g<0>", clean(text))
    return cleaned.replace("&", "&amp;").replace("<", "&lt;").replace("@", "&#64;")
