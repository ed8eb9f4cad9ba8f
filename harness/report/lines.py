"""Add to rows what a table shows with them: the Pareto mark, the change against float32, label and footnotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.report import notes
from harness.report.notes import Note
from harness.rows import pareto
from harness.rows.pareto import Change
from harness.vocabulary import MEASURED, Status, Verdict

MOST_NOTES = 6
SHORT: dict[str, str] = {Verdict.TOO_FEW_SAMPLES: "few samples", Verdict.TRUSTED: ""}
"""Short forms of labels that are too long for a column; the footnote spells them out."""


@dataclass(frozen=True)
class Line:
    """A row with its marks.

    Attributes:
        row: The public columns.
        optimal: Whether it is Pareto-optimal on its device.
        change: The change against float32.
        label: The doubt about it, with the numbers of its footnotes.
    """

    row: Mapping[str, Any]
    optimal: bool
    change: Change
    label: str

    @property
    def short_label(self) -> str:
        """The label without its word where a footnote has that word; a status is no doubt, and stays (law 1)."""
        if self.row["status"] != Status.OK or "[" not in self.label:
            return self.label
        return self.label[self.label.index("[") :]

    @property
    def has_figures(self) -> bool:
        """Whether its figures may be shown as those of the requested delegate."""
        return self.row["status"] in MEASURED


@dataclass(frozen=True)
class Page:
    """All lines of a table and the text below it.

    Attributes:
        lines: One a row, in the order of the rows.
        footnotes: Whole sentences, the gravest first.
    """

    lines: tuple[Line, ...]
    footnotes: tuple[str, ...]


def make_page(rows: Sequence[Mapping[str, Any]]) -> Page:
    """Make the lines and footnotes of rows."""
    figures = [index for index, row in enumerate(rows) if row["status"] in MEASURED]
    labels, footnotes = _remarks([rows[index] for index in figures])
    label_of = dict(zip(figures, labels, strict=True))
    marks, changes = pareto.optimal(rows), pareto.changes(rows)
    lines = (Line(row, marks[i], changes[i], label_of.get(i, "")) for i, row in enumerate(rows))
    return Page(tuple(lines), tuple(footnotes))


def _remarks(rows: Sequence[Mapping[str, Any]]) -> tuple[list[str], list[str]]:
    """Return the label of each row, and the footnotes.

    A doubt about all rows is stated once, below; a status that is not ok stands beside its figures in any case.
    """
    found = notes.gather(rows)
    words = [notes.label(row) for row in rows]
    common = words[0] if len(rows) > 1 and len(set(words)) == 1 else ""
    general = [note for note in found if len(rows) > 1 and len(note.rows) == len(rows)]
    special = [note for note in found if note not in general][: max(MOST_NOTES - len(general), 0)]
    beside = ["" if common in set(Verdict) else word for word in words]
    labels = [_label(word, index, special) for index, word in enumerate(beside)]
    hidden = len(found) - len(general) - len(special)
    return labels, [*_general(general, common), *_numbered(special, common), *_rest(hidden)]


def _label(word: str, index: int, numbered: Sequence[Note]) -> str:
    numbers = ",".join(str(n) for n, note in enumerate(numbered, start=1) if index in note.rows)
    return " ".join(filter(None, (SHORT.get(word, word), f"[{numbers}]" if numbers else "")))


def _general(found: Sequence[Note], word: str) -> list[str]:
    """Return the sentences that apply to all rows, the word that they share first."""
    shared = f"all rows are {word}" if SHORT.get(word, word) else ""
    starts = [shared or "all rows", *["all rows"] * len(found)]
    lines = [
        f"{start}{', the first' if note.varies else ''}: {note.text}"
        for start, note in zip(starts, found, strict=False)
    ]
    return lines or ([shared] if shared else [])


def _numbered(found: Sequence[Note], common: str) -> list[str]:
    """Return the footnotes, without a word that all rows share."""
    lines = []
    for number, note in enumerate(found, start=1):
        others = len(note.rows) - 1
        also = f" ({'alike' if note.varies else 'and'} in {others} more)" if others else ""
        word = f"{note.label}: " if SHORT.get(note.label, note.label) and note.label != common else ""
        lines.append(f"[{number}] {word}{note.text}{also}")
    return lines


def _rest(hidden: int) -> list[str]:
    return [f"… and {hidden} more reasons; --format json has them all"] if hidden else []
