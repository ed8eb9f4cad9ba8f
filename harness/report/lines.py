"""Add to rows what a table shows with them: the Pareto mark, the change against float32, label and footnotes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from textwrap import wrap
from typing import Any, NamedTuple

from harness.report import notes
from harness.report.notes import Note
from harness.rows import pareto
from harness.rows.pareto import Change
from harness.vocabulary import MEASURED, Status, Verdict

MOST_LINES, NARROW = 6, 80
"""Lines of footnotes below a table, on a terminal that is so narrow."""
SHORT: dict[str, str] = {Verdict.TOO_FEW_SAMPLES: "few samples", Verdict.TRUSTED: ""}
"""Short forms of labels that are too long for a column; the footnote spells them out."""


class Line(NamedTuple):
    """A row with its marks; a tuple, because a large report has thousands.

    Attributes:
        row: The public columns.
        mark: `★` where it is Pareto-optimal on its device, `☆` where that is not shown.
        change: The change against float32.
        label: The doubt about it, with the numbers of its footnotes.
    """

    row: Mapping[str, Any]
    mark: str
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


def make_page(
    rows: Sequence[Mapping[str, Any]],
    is_shown: pareto.MoreAccurate = pareto.more_accurate,
    *,
    all_notes: bool = False,
    identities: Mapping[str, str] | None = None,
) -> Page:
    """Make the lines and footnotes of rows.

    Args:
        rows: Rows with the public columns.
        is_shown: Tells of two rows whether the first is shown to be the more accurate one.
        all_notes: Give every footnote, however many lines they take.
        identities: What versions of one model share, by the hash of each, where that is known.
    """
    figures = [index for index, row in enumerate(rows) if row["status"] in MEASURED]
    labels, footnotes = _remarks([rows[index] for index in figures], all_notes=all_notes)
    label_of = dict(zip(figures, labels, strict=True))
    marks, changes = pareto.marks(rows, is_shown), pareto.changes(rows, identities)
    lines = (Line(row, marks[i], changes[i], label_of.get(i, "")) for i, row in enumerate(rows))
    return Page(tuple(lines), tuple(footnotes))


def _remarks(rows: Sequence[Mapping[str, Any]], *, all_notes: bool) -> tuple[list[str], list[str]]:
    """Return the label of each row, and the footnotes.

    A doubt about all rows is stated once, below; a status that is not ok stands beside its figures in any case.
    """
    found = notes.gather(rows)
    words = [notes.label(row) for row in rows]
    common = words[0] if len(rows) > 1 and len(set(words)) == 1 else ""
    general = [note for note in found if 1 < len(note.rows) == len(rows)]
    special = [note for note in found if note not in general]
    texts = [_sentence(note, len(rows), common if n else "") for n, note in enumerate(general)]
    if not general and SHORT.get(common, common):
        texts = [f"{common}: all {len(rows)} rows"]
    first = len(texts)
    texts += [f"[{n}] {_sentence(note, len(rows), common)}" for n, note in enumerate(special, 1)]
    fit = len(texts) if all_notes else _how_many_fit(texts)
    beside = [""] * len(words) if common in set(Verdict) else words
    numbers: dict[int, list[str]] = {}
    for number, note in enumerate(special[: max(fit - first, 0)], start=1):
        for index in note.rows:
            numbers.setdefault(index, []).append(str(number))
    labels = [_label(word, numbers.get(index, ())) for index, word in enumerate(beside)]
    return labels, [*texts[:fit], *_rest(len(texts) - fit)]


def _how_many_fit(texts: Sequence[str]) -> int:
    """Return how many notes fit into `MOST_LINES` of a narrow terminal, with one for the count of the others."""
    first = texts[: MOST_LINES + 1]  # each takes a line at least
    taken = list(accumulate(len(wrap(text, NARROW)) for text in first))
    if not taken or (taken[-1] <= MOST_LINES and len(first) == len(texts)):
        return len(texts)
    return max(sum(lines < MOST_LINES for lines in taken), 1)


def _label(word: str, numbers: Sequence[str]) -> str:
    return " ".join(filter(None, (SHORT.get(word, word), f"[{','.join(numbers)}]" if numbers else "")))


def _sentence(note: Note, n_rows: int, common: str) -> str:
    """Return a footnote: the verdict, unless it is the common one, how many rows, and a reason."""
    word = note.label if SHORT.get(note.label, note.label) and note.label != common else ""
    count = len(note.rows)
    all_rows = "both rows" if n_rows == 2 else f"all {n_rows} rows"
    where = all_rows if 1 < count == n_rows else f"{count} of {n_rows} rows" if count > 1 else ""
    start = ": ".join(filter(None, (word, where)))
    return f"{start}{', e.g. ' if note.varies else ': ' if start else ''}{note.text}"


def _rest(hidden: int) -> list[str]:
    if not hidden:
        return []
    return [
        f"… and {hidden} more note{'s' if hidden > 1 else ''}: --verbose shows {'them' if hidden > 1 else 'it'}"
    ]
