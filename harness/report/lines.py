"""Rows with what a table says beside them: the Pareto mark, the change against float32, label and footnotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report import notes, pareto
from harness.report.columns import HAVE_LATENCY
from harness.report.notes import Note
from harness.report.pareto import Change

MOST_NOTES = 6
SHORT = {"too-few-samples": "few samples", "trusted": ""}
"""Labels that are too long for a column; the footnote spells them out."""


@dataclass(frozen=True)
class Line:
    """A row and what was found out about it.

    Attributes:
        row: The public columns.
        optimal: Whether it is Pareto-optimal on its device.
        change: The change against float32.
        label: Why it is not to be trusted without reading on, with the numbers of its footnotes.
    """

    row: Mapping[str, Any]
    optimal: bool
    change: Change
    label: str

    @property
    def has_figures(self) -> bool:
        """Whether its figures may be shown as those of the delegate that was asked for."""
        return self.row["status"] in HAVE_LATENCY


@dataclass(frozen=True)
class Page:
    """All lines of a table and what stands below it.

    Attributes:
        lines: One a row, in the order of the rows.
        footnotes: Whole sentences, the gravest first.
    """

    lines: tuple[Line, ...]
    footnotes: tuple[str, ...]


def make_page(rows: Sequence[Mapping[str, Any]]) -> Page:
    """Find out what is to be said about the rows."""
    figures = [index for index, row in enumerate(rows) if row["status"] in HAVE_LATENCY]
    found = notes.gather([rows[index] for index in figures])
    labels = dict(zip(figures, _labels([rows[index] for index in figures], found), strict=True))
    alike = len(figures) > 1 and len(set(labels.values())) == 1
    marks, changes = pareto.optimal(rows), pareto.changes(rows)
    lines = (
        Line(row, marks[index], changes[index], "" if alike else labels.get(index, ""))
        for index, row in enumerate(rows)
    )
    return Page(tuple(lines), tuple(_footnotes(found, alike=alike)))


def _labels(rows: Sequence[Mapping[str, Any]], found: Sequence[Note]) -> list[str]:
    """Return each row's label with the numbers of those of its notes that are shown."""
    labels = []
    for index, row in enumerate(rows):
        word = notes.label(row)
        numbers = [str(n) for n, note in enumerate(found[:MOST_NOTES], start=1) if index in note.rows]
        parts = [SHORT.get(word, word), f"[{','.join(numbers)}]" if numbers else ""]
        labels.append(" ".join(filter(None, parts)))
    return labels


def _footnotes(found: Sequence[Note], *, alike: bool) -> list[str]:
    """Return the sentences; where they hold of every row alike, they say so instead of carrying a number."""
    shown = []
    for number, note in enumerate(found[:MOST_NOTES], start=1):
        others = len(set(note.rows)) - 1
        also = f" (and alike in {others} more)" if others and not alike else ""
        start = f"all rows are {note.label}:" if alike else f"[{number}]"
        shown.append(f"{start} {note.text}{also}")
    hidden = len(found) - MOST_NOTES
    return [*shown, f"… and {hidden} more reasons; --format json has them all"] if hidden > 0 else shown
