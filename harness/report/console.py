"""The table that answers: which one should I ship? Computes nothing; `units` gives every number its form.

One block a device. Rows with figures come first, Pareto-optimal ones marked ★; rows without (fell back,
failed, skipped …) follow with their status and reason in the place of numbers. Columns that nobody filled are
left out, and so are the least important ones where the terminal is too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import units
from harness.report import notes, pareto
from harness.report.columns import HAVE_LATENCY
from harness.report.notes import Note
from harness.report.pareto import Change
from harness.report.text import clean

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table
    from rich.text import Text

STAR = "★"
MOST_NOTES = 6
SHORT = {"too-few-samples": "few samples", "trusted": ""}
"""Labels that are too long for a column; the footnote spells them out."""
_MARK, _NAME_WIDTH, _DELEGATE_WIDTH = 1, 24, 16
_ROOMY, _TIGHT = 2, 1
"""Blanks between columns: roomy if all fits, tight before any column of weight is left out."""


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


class Field(NamedTuple):
    """A column with figures.

    `column` must be known in some row for it to be shown; `weight` says which go first when the terminal is
    too narrow (the lightest).
    """

    title: str
    column: str
    weight: int
    show: Callable[[Line], str]
    style: str = ""


FIELDS = (
    Field("size\n", "size_bytes", 5, lambda line: units.size(line.row["size_bytes"])),
    Field(
        "median\nms", "latency_median_ms", 9, lambda line: units.milliseconds(line.row["latency_median_ms"])
    ),
    Field(
        "95 % int.\nms",
        "latency_median_ms",
        6,
        lambda line: units.interval(line.row["latency_median_low_ms"], line.row["latency_median_high_ms"]),
        "dim",
    ),
    Field("p90\nms", "latency_median_ms", 4, lambda line: units.milliseconds(line.row["latency_p90_ms"])),
    Field("FPS\n1/s", "fps", 3, lambda line: units.rate(line.row["fps"])),
    Field("peak\nMiB", "peak_memory_mb", 2, lambda line: units.megabytes(line.row["peak_memory_mb"])),
    Field("mAP\n0…1", "map", 9, lambda line: units.metric(line.row["map"])),
    Field("AP50\n0…1", "ap50", 1, lambda line: units.metric(line.row["ap50"])),
    Field(
        "Δ mAP\nvs f32",
        "map",
        7,
        lambda line: _change(line, units.signed_metric(line.change.map_difference)),
    ),
    Field(
        "speed\nvs f32", "latency_median_ms", 0, lambda line: _change(line, _times(line.change.speed_ratio))
    ),
)


class ResultTable:
    """All results, as something that rich renders to the width it is given.

    Args:
        rows: Rows with the public columns.
        sources: Where the records are, one line each.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], sources: Iterable[object] = ()) -> None:
        self._sources = tuple(sources)
        figures = [row for row in rows if row["status"] in HAVE_LATENCY]
        self._notes = notes.gather(figures)
        self._labels = _labels(figures, self._notes[:MOST_NOTES])
        marks, changes = pareto.optimal(rows), pareto.changes(rows)
        self._lines = [
            Line(row, mark, change, next(labels) if row["status"] in HAVE_LATENCY else "")
            for row, mark, change in zip(rows, marks, changes, strict=True)
        ]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for the width of the console."""
        layout = Layout(self._lines, options.max_width)
        several = len({line.row["run_id"] for line in self._lines}) > 1
        for block in dict.fromkeys(map(_block, self._lines)):
            own = [line for line in self._lines if _block(line) == block]
            yield _title(own, with_run=several)
            yield from layout.tables(own)
            yield ""
        yield from self._legend(layout)
        yield from self._footnotes()
        for source in self._sources:
            yield _text(f"records: {clean(source)}", "dim")

    def _legend(self, layout: Layout) -> Iterator[Text]:
        parts = []
        if any(line.optimal for line in self._lines):
            parts.append(f"{STAR} Pareto-optimal: none on its device is both faster and more accurate")
        if any(field.title.startswith("95 %") for field in layout.fields):
            parts.append("95 %: interval of the median")
        if parts:
            yield _text(" · ".join(parts), "dim")
        if any("f32" in field.title for field in layout.fields):
            yield _text("vs f32: against the float32 version (ref) on the same device and delegate", "dim")

    def _footnotes(self) -> Iterator[Text]:
        for number, note in enumerate(self._notes[:MOST_NOTES], start=1):
            more = len(set(note.rows)) - 1
            start = f"all rows are {note.label}" if self._alike else f"[{number}]"
            also = f" ({more} more rows alike)" if more and not self._alike else ""
            yield _text(f"{start}: {clean(note.text)}{also}" if self._alike else f"{start} {clean(note.text)}{also}", "yellow")
        rest = len(self._notes) - MOST_NOTES
        if rest > 0:
            yield _text(f"… and {rest} more; --format json has all reasons", "yellow")


class Layout:
    """Which columns are shown, and how wide each is, the same for all devices."""

    def __init__(self, lines: Sequence[Line], width: int) -> None:
        figures = [line for line in lines if line.row["status"] in HAVE_LATENCY]
        self._marked = any(line.optimal for line in lines)
        self._labelled = any(line.label for line in figures)
        self._label_width = _widest([line.label for line in figures])
        self._delegate_width = min(_widest([_delegate(line) for line in lines], "delegate"), _DELEGATE_WIDTH)
        natural = _widest([clean(line.row["model"]) for line in figures or lines], "model")
        wanted = [field for field in FIELDS if _is_known(field, figures)]
        self._widths = {
            field: _widest([field.show(line) for line in figures], field.title) for field in wanted
        }
        self.fields, self._gap = self._choose(wanted, width, min(natural, _NAME_WIDTH))
        self._name_width = max(min(natural, width - self._taken(self.fields, self._gap)), 8)
        self._width = width

    def tables(self, lines: Sequence[Line]) -> Iterator[Table]:
        """Return the table of the rows with figures, and that of those without, where there are any."""
        figures = [line for line in lines if line.row["status"] in HAVE_LATENCY]
        if figures:
            yield self._figures(figures)
        others = [line for line in lines if line.row["status"] not in HAVE_LATENCY]
        if others:
            yield self._others(others)

    def _choose(self, fields: Sequence[Field], width: int, name: int) -> tuple[list[Field], int]:
        chosen, gap = list(fields), _ROOMY
        while len(chosen) > 1 and self._taken(chosen, gap) + name > width:  # the last blank is not printed
            lightest = min(chosen, key=lambda field: field.weight)
            if lightest.weight > 0 and gap == _ROOMY:
                gap = _TIGHT
            else:
                chosen.remove(lightest)
        return chosen, gap

    def _taken(self, fields: Sequence[Field], gap: int) -> int:
        """Return the width that everything but the model's name takes."""
        widths = [self._delegate_width, *(self._widths[field] for field in fields)]
        widths += [self._label_width] if self._labelled else []
        mark = _MARK + 1 if self._marked else 0
        return mark + gap + sum(width + gap for width in widths) - gap

    def _start(self, *, header: bool) -> Table:
        from rich.table import Table

        table = Table(
            box=None, show_header=header, padding=(0, self._gap, 0, 0), pad_edge=False, header_style="bold"
        )
        if self._marked:
            table.add_column("", width=_MARK, style="bold green")
        table.add_column("model\n", width=self._name_width, overflow="fold")
        table.add_column("delegate\n", width=self._delegate_width, overflow="fold")
        return table

    def _figures(self, lines: Sequence[Line]) -> Table:
        table = self._start(header=True)
        for field in self.fields:
            table.add_column(
                field.title, width=self._widths[field], justify="right", style=field.style, no_wrap=True
            )
        if self._labelled:
            table.add_column("", width=self._label_width, style="yellow", no_wrap=True)
        for line in lines:
            cells = [*(field.show(line) for field in self.fields), *([line.label] if self._labelled else [])]
            table.add_row(*self._head(line), *map(_text, cells), style="bold" if line.optimal else "")
        return table

    def _others(self, lines: Sequence[Line]) -> Table:
        table = self._start(header=False)
        table.add_column(style="red", no_wrap=True)
        table.add_column(overflow="fold")
        for line in lines:
            reasons = "; ".join(line.row["reasons"] or ()) or "no reason was recorded"
            table.add_row(*self._head(line), _text(line.row["status"]), _text(clean(reasons)))
        return table

    def _head(self, line: Line) -> list[Text]:
        mark = [_text(STAR if line.optimal else "")] if self._marked else []
        return [*mark, _text(clean(line.row["model"])), _text(_delegate(line))]


def _block(line: Line) -> tuple[str, str]:
    """Lines of one block stand together: one device in one run."""
    return line.row["device"], line.row["run_id"]


def _title(lines: Sequence[Line], *, with_run: bool) -> Text:
    device, kind, run = (clean(lines[0].row[name]) for name in ("device", "device_kind", "run_id"))
    parts = [device if kind == device else f"{device} ({kind})", *([run] if with_run else [])]
    parts += _distinct(line.row["runtime"] for line in lines)
    scored = [line for line in lines if line.row["map"] is not None]
    parts += _distinct(
        f"mAP on {line.row['dataset']}, {units.count(line.row['n_images'])} images" for line in scored
    )
    return _text(" · ".join(parts), "bold")


def _distinct(values: Iterable[Any]) -> list[str]:
    return [clean(value) for value in dict.fromkeys(values) if value]


def _labels(rows: Sequence[Mapping[str, Any]], numbered: Sequence[Note]) -> list[str]:
    """Return each row's label with the numbers of its notes; nothing where all rows say the same."""
    labels = []
    for index, row in enumerate(rows):
        word = notes.label(row)
        numbers = [str(number) for number, note in enumerate(numbered, start=1) if index in note.rows]
        labels.append(
            " ".join(filter(None, (SHORT.get(word, word), f"[{','.join(numbers)}]" if numbers else "")))
        )
    return labels


def _is_known(field: Field, lines: Sequence[Line]) -> bool:
    if field.title.startswith("Δ"):
        return any(line.change.map_difference is not None for line in lines)
    if field.title.startswith("speed"):
        return any(line.change.speed_ratio is not None for line in lines)
    return any(line.row[field.column] is not None for line in lines)


def _change(line: Line, text: str) -> str:
    return "ref" if line.change.is_reference else text


def _times(ratio: float | None) -> str:
    return units.MISSING if ratio is None else f"{units.rate(ratio)}×"


def _delegate(line: Line) -> str:
    return clean(line.row["delegate_requested"])


def _widest(texts: Iterable[str], title: str = "") -> int:
    from rich.cells import cell_len

    return max(map(cell_len, (*texts, *title.split("\n"))), default=0)


def _text(text: str, style: str = "") -> Text:
    """Text as it is: nothing in it is taken for markup."""
    from rich.text import Text

    return Text(text, style=style)
