"""Render published figures on a terminal: in columns of their own beside what was measured, their sources below."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import units
from harness.report import plain
from harness.report.content import whole_line
from harness.report.quick_rows import Column, QuickRows
from harness.rows.beside import Pair
from harness.text import clean
from harness.vocabulary import MEASURED

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

Row = Mapping[str, Any]
TITLE = (
    "published figures: of others, never ranked; here: what was measured, ratio: that by the published figure"
)
_GAP, _NAME_WIDTH = 2, 26


def _text(column: str) -> Callable[[Row], str]:
    return lambda row: clean(str(row[column] or units.MISSING))


def here(row: Row) -> str:
    """Return the latency that was measured, or what became of that cell."""
    unmeasured = row["own_status"] not in {None, *MEASURED}
    return clean(row["own_status"]) if unmeasured else units.milliseconds(row["own_latency_ms"])


FIELDS: tuple[tuple[str, bool, int, Callable[[Row], str]], ...] = (
    # heading      right  weight text
    ("quantization", False, 5, _text("quantization")),
    ("device",       False, 9, _text("device")),
    ("delegate",     False, 8, _text("delegate")),
    ("ms",           True,  9, lambda row: units.milliseconds(row["latency_mean_ms"])),
    ("here",         True,  9, here),
    ("ms ratio",     True,  9, lambda row: units.ratio(row["latency_ratio"])),
    ("FPS",          True,  2, lambda row: units.rate(row["fps"])),
    ("size",         True,  3, lambda row: units.size(row["size_bytes"])),
    ("mAP",          True,  9, lambda row: units.metric(row["map"])),
    ("mAP here",     True,  9, lambda row: units.metric(row["own_map"])),
    ("mAP ratio",    True,  9, lambda row: units.ratio(row["map_ratio"])),
    ("AR",           True,  1, lambda row: units.metric(row["ar100"])),
    ("data",         False, 4, _text("dataset")),
)  # fmt: skip
"""The columns; where they do not fit, the lightest are left out first."""


class PublishedTable:
    """A table of published rows that rich renders to the console's width.

    Args:
        pairs: Published rows, each with one that was measured; their first reason repeats the figures.
    """

    def __init__(self, pairs: Sequence[Pair]) -> None:
        self._rows = rows = list(map(merged, pairs))
        self._notes = {note: n for n, note in enumerate(dict.fromkeys(map(note_of, rows)), 1)}

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for the width of the console."""
        from rich.text import Text

        yield Text(TITLE, style="bold")
        styles = ["bold", *[""] * len(self._rows)]
        yield QuickRows(self._columns(options.max_width), styles, _GAP)
        for note, number in self._notes.items():
            yield whole_line(f"[{number}] {note}")

    def markdown(self) -> str:
        """Return the same in Markdown: all columns that are known, and the notes."""
        fields = self._known()
        titles = ["model", *(field[0] for field in fields), ""]
        cells = [
            [clean(row["model"]), *(field[3](row) for field in fields), f"[{self._notes[note_of(row)]}]"]
            for row in self._rows
        ]
        sides = ["---", *("---:" if field[1] else "---" for field in fields), "---"]
        notes = "".join(
            f"- {plain.markdown_text(f'[{number}] {note}')}\n" for note, number in self._notes.items()
        )
        return f"**{TITLE}**\n\n{plain.markdown_table(titles, cells, sides)}\n{notes}"

    def _known(self) -> list[Any]:
        return [field for field in FIELDS if any(field[3](row) != units.MISSING for row in self._rows)]

    def _columns(self, width: int) -> list[Column]:
        """Return the columns that fit, each below its heading."""
        names = [clean(row["model"]) for row in self._rows]
        name = min(max(map(len, ["model", *names])), _NAME_WIDTH)
        numbers = [f"[{self._notes[note_of(row)]}]" for row in self._rows]
        return [
            Column(["model", *names], name, whole=True),
            *(
                Column([title, *map(show, self._rows)], size, right)
                for (title, right, _, show), size in self._fields(width - name)
            ),
            Column(["", *numbers], 4, style="dim"),
        ]

    def _fields(self, width: int) -> list[tuple[Any, int]]:
        """Return the columns that something is known in and that fit, with their widths."""
        chosen = self._known()
        sizes = {
            field[0]: max(len(field[0]), *(len(field[3](row)) for row in self._rows)) for field in chosen
        }
        while len(chosen) > 1 and sum(sizes[field[0]] + _GAP for field in chosen) + 4 + _GAP > width:
            chosen.remove(min(chosen, key=lambda field: field[2]))
        return [(field, sizes[field[0]]) for field in chosen]


def merged(pair: Pair) -> dict[str, Any]:
    """Return a published row with the figures that were measured beside it, and the delegate of both."""
    own = pair.own or dict.fromkeys(pair.published)
    return {
        **pair.published,
        "device": pair.published["device"] or own["device"],
        "delegate": own["delegate_requested"] or pair.published["delegate_requested"],
        "own_status": own["status"],
        "own_latency_ms": own["latency_median_ms"] if pair.latency_ratio is not None else None,
        "latency_ratio": pair.latency_ratio,
        "own_map": own["map"] if pair.published["map"] is not None else None,
        "map_ratio": pair.map_ratio,
        "note": pair.note,
    }


def note_of(row: Row) -> str:
    """Return why a figure has no ratio, its notes, and its source."""
    return clean("; ".join(filter(None, (row["note"], *row["reasons"][1:]))))
