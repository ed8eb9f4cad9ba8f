"""Render the result table, which answers which model to ship. Computes nothing; `units` formats every number.

One block a device and run. Rows with figures come first, Pareto-optimal ones marked ★; rows without (fell back,
failed, skipped …) follow with their status and reason instead of numbers. Columns that are empty everywhere are
left out, and so are the least important ones where the terminal is too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal

from harness import units
from harness.profiles import ON_HOST
from harness.report import plain
from harness.report.fields import FIELDS, HALF_WIDTH, INTERVAL, REFERENCE, Field
from harness.report.lines import Line, make_page
from harness.report.quick_rows import Column, QuickRows, QuickText, RenderedOnce, widest
from harness.rows.columns import BY_NAME, INTEGER, LIST, NUMBER
from harness.rows.pareto import HOLLOW, STAR, MoreAccurate, more_accurate
from harness.text import clean

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table
    from rich.text import Text

LASTING_S = 60.0
"""A process that was watched for so long shows what a device does under load."""
_MARK_WIDTH, _NAME_WIDTH, _LEAST_NAME_WIDTH, _DELEGATE_WIDTH = 1, 24, 8, 16
_GAP = 3
"""Blanks between chosen columns, as between those of rich's `SIMPLE_HEAD`."""
_ROOMY, _TIGHT = 2, 1
"""Blanks between columns: roomy if all fits, tight before any important column is left out."""


MAP_INTERVAL = (
    "mAP 95 % int.: over images, less what few images make an mAP too high: the figure may be its upper end"
)
FORMS: dict[str, Callable[[Any], str]] = {
    "bytes": units.size,
    "nodes": units.count,
    "partitions": units.count,
    "classes": units.count,
    "inferences": units.count,
    "images": units.count,
    "ms": units.milliseconds,
    "s": units.duration,
    "inferences/s": units.rate,
    "images/s": units.rate,
    "MB of 2^20 bytes": units.megabytes,
    "0…1": units.metric,
}
"""The form of a public column in a table of chosen columns, by its unit."""


class ResultTable:
    """A table of all results that rich renders to the console's width.

    Args:
        rows: Rows with the public columns.
        sources: The places of the records, one line each.
        is_shown: Tells of two rows whether the first is shown to be the more accurate one.
        all_notes: Print every footnote, however many lines they take.
        identities: What versions of one model share, by the hash of each, where that is known.
    """

    def __init__(
        self,
        rows: Sequence[Mapping[str, Any]],
        sources: Iterable[object] = (),
        is_shown: MoreAccurate = more_accurate,
        *,
        all_notes: bool = False,
        identities: Mapping[str, str] | None = None,
    ) -> None:
        self._page = make_page(rows, is_shown, all_notes=all_notes, identities=identities)
        self._sources = tuple(sources)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for the width of the console."""
        lines = self._page.lines
        layout = Layout(lines, options.max_width)
        several_runs = len({line.row["run_id"] for line in lines}) > 1
        for places in _blocks(lines):
            own = [lines[place] for place in places]
            yield from _parted(_title(own, with_run=several_runs), options.max_width, "bold")
            yield from layout.tables(places)
            yield QuickText("")
        for parts in _legend(lines, layout.fields):
            yield from _parted(parts, options.max_width, "dim")
        yield from (QuickText(clean(note), "yellow") for note in self._page.footnotes)
        yield from (QuickText(f"records: {clean(source)}", "dim", whole=True) for source in self._sources)

    def markdown(self) -> str:
        """Return the same in Markdown: all columns that are known, then the legend, the notes and the places."""
        lines = self._page.lines
        figures = [line for line in lines if line.has_figures]
        fields = [field for field in FIELDS if _is_known(field.show(figures))]
        several_runs = len({line.row["run_id"] for line in lines}) > 1
        parts = []
        for places in _blocks(lines):
            own = [lines[place] for place in places]
            parts += [
                f"**{' · '.join(_title(own, with_run=several_runs))}**\n",
                *_markdown_tables(own, fields),
            ]
        below = [
            *map(" · ".join, _legend(lines, fields)),
            *self._page.footnotes,
            *(f"records: {one}" for one in self._sources),
        ]
        return "\n".join([*parts, "".join(f"- {plain.markdown_text(text)}\n" for text in below)])


def _markdown_tables(lines: Sequence[Line], fields: Sequence[Field]) -> Iterator[str]:
    """Yield the table of the rows with figures, and that of those without, where there are any."""
    figures = [line for line in lines if line.has_figures]
    others = [line for line in lines if not line.has_figures]
    if figures:
        titles = ["", "model", "delegate", *(field.title.replace("\n", " ").strip() for field in fields), ""]
        names = ([line.mark for line in figures], _models(figures), _delegates(figures))
        shown = (field.show(figures) for field in fields)
        cells = list(zip(*names, *shown, [line.label for line in figures], strict=True))
        yield plain.markdown_table(titles, cells, ["---", "---", "---", *["---:"] * len(fields), "---"])
    if others:
        words = ([line.row["status"] for line in others], list(map(_reason, others)))
        cells = list(zip(_models(others), _delegates(others), *words, strict=True))
        yield plain.markdown_table(["model", "delegate", "status", "reason"], cells, ["---"] * 4)


def _is_known(texts: Iterable[str]) -> bool:
    """Whether a column tells anything."""
    return bool(set(texts) - {units.MISSING, REFERENCE})


class Layout:
    """The columns to show and their widths: the same in every block.

    Args:
        lines: All lines of the page.
        width: Width of the terminal.
    """

    def __init__(self, lines: Sequence[Line], width: int) -> None:
        self._lines = lines
        self._figures = [place for place, line in enumerate(lines) if line.has_figures]
        self._shown = [lines[place] for place in self._figures]
        self._place_of = {place: n for n, place in enumerate(self._figures)}
        self._marked = any(line.mark for line in lines)
        self._short = False
        self._heading: RenderedOnce | None = None
        self._text: dict[Field, list[str]] = {}
        self._widths: dict[Field, int] = {}
        self._label: dict[bool, tuple[list[str], int]] = {}
        self._models, self._delegates = _models(lines), _delegates(lines)
        delegate = widest([*self._delegates, "delegate"])
        self._delegate_width = min(delegate, _DELEGATE_WIDTH)
        known = [field for field in FIELDS if _is_known(self._texts(field))]
        names = [self._models[place] for place in self._figures] or self._models
        name = widest([*names, "model"])
        self.fields, self._gap = self._choose(known, width - min(name, _NAME_WIDTH))
        left = width - self._taken(self.fields, self._gap)
        self._name_width = max(min(name, left), _LEAST_NAME_WIDTH)
        spare = max(left - self._name_width, 0)
        self._delegate_width = min(self._delegate_width + spare, delegate)

    def tables(self, places: Sequence[int]) -> Iterator[QuickRows | RenderedOnce]:
        """Yield the table of the lines with figures at some places, and that of those without, where there are any."""
        figures = [place for place in places if place in self._place_of]
        others = [place for place in places if place not in self._place_of]
        if figures or not self.fields:
            self._heading = self._heading or RenderedOnce(self._headings(others))
            yield self._heading
        if figures:
            styles = ["bold" if self._lines[place].mark == STAR else "" for place in figures]
            yield QuickRows([*self._names(figures), *self._of_figures(figures)], styles, self._gap)
        if others:
            yield QuickRows([*self._names(others), *self._of_others(others)], [""] * len(others), self._gap)

    def _texts(self, field: Field) -> list[str]:
        """Return a column's texts, of the lines with figures."""
        if field not in self._text:
            self._text[field] = field.show(self._shown)
        return self._text[field]

    def _width(self, field: Field) -> int:
        if field not in self._widths:
            self._widths[field] = widest([*self._texts(field), *field.title.split("\n")])
        return self._widths[field]

    def _labels(self) -> tuple[list[str], int]:
        """Return the labels of the lines with figures, and their width; short ones where that was chosen."""
        if self._short not in self._label:
            texts = [line.short_label if self._short else line.label for line in self._shown]
            self._label[self._short] = texts, widest(texts)
        return self._label[self._short]

    def _names(self, places: Sequence[int]) -> list[Column]:
        marks = Column(
            [self._lines[place].mark for place in places], _MARK_WIDTH, style="bold green", whole=True
        )
        return [
            *([marks] if self._marked else []),
            Column([self._models[place] for place in places], self._name_width, whole=True),
            Column([self._delegates[place] for place in places], self._delegate_width, whole=True),
        ]

    def _of_figures(self, places: Sequence[int]) -> Iterator[Column]:
        numbers = [self._place_of[place] for place in places]
        for field in self.fields:
            texts = self._texts(field)
            yield Column([texts[n] for n in numbers], self._width(field), True, field.style)
        labels, width = self._labels()
        if width:
            yield Column([labels[n] for n in numbers], width, style="yellow")

    def _of_others(self, places: Sequence[int]) -> list[Column]:
        lines = [self._lines[place] for place in places]
        words = [clean(line.row["status"]) for line in lines]
        return [Column(words, widest(words), style="red"), Column(list(map(_reason, lines)), 0)]

    def _choose(self, known: Sequence[Field], width: int) -> tuple[list[Field], int]:
        """Return the columns that fit into `width` beside the model's name, and the blanks between them."""
        chosen, gap = list(known), _ROOMY
        while len(chosen) > 1 and self._taken(chosen, gap) > width:
            lightest = min(chosen, key=lambda field: field.weight)
            if lightest.weight > 0 and gap == _ROOMY:
                gap = _TIGHT
            elif lightest.weight > 0 and INTERVAL in chosen:
                chosen[chosen.index(INTERVAL)] = HALF_WIDTH
            elif lightest.weight > 0 and not self._short:
                self._short = True
            else:
                chosen.remove(lightest)
        return chosen, gap

    def _taken(self, fields: Sequence[Field], gap: int) -> int:
        """Return the width of everything but the model's name, with a blank before each column."""
        widths = [self._delegate_width, *map(self._width, fields)]
        widths += [width for _, width in (self._labels(),) if width]
        return (_MARK_WIDTH + gap if self._marked else 0) + sum(width + gap for width in widths)

    def _headings(self, others: Sequence[int]) -> Table:
        from rich.table import Table

        table = Table(box=None, padding=(0, self._gap, 0, 0), pad_edge=False, header_style="bold")
        if self._marked:
            table.add_column("", width=_MARK_WIDTH)
        table.add_column("model\n", width=self._name_width)
        table.add_column("delegate\n", width=self._delegate_width)
        for field in self.fields:
            table.add_column(field.title, width=self._width(field), justify="right", no_wrap=True)
        if not self.fields and others:
            table.add_column(
                "status\n", width=widest([clean(self._lines[place].row["status"]) for place in others])
            )
            table.add_column("reason\n")
        return table


def _reason(line: Line) -> str:
    return clean("; ".join(line.row["reasons"] or ()) or "no reason was recorded")


class ChosenColumns:
    """A table of some public columns, in the order they were named.

    Args:
        rows: Rows with the public columns.
        names: The columns.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
        self._names = names
        self._columns = []
        for name in names:
            texts = [clean(_form(name, row[name])) for row in rows]
            numeric = BY_NAME[name].dtype in {INTEGER, NUMBER}
            self._columns.append(Column(texts, max(widest(texts), widest([name])), right=numeric))
        self._n_rows = len(rows)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render for the width of the console; rich's own Table, for which a row takes 1 ms, folds what is too wide."""
        width = sum(column.width + _GAP for column in self._columns) - _GAP
        if width > options.max_width:
            yield self._table(zip(*(column.texts for column in self._columns), strict=True))
            return
        yield self._table((), [column.width for column in self._columns])
        yield QuickRows(self._columns, [""] * self._n_rows, _GAP)

    def _table(self, rows: Iterable[Sequence[str]], widths: Sequence[int] | None = None) -> Table:
        from rich import box
        from rich.table import Table

        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        fixed: Sequence[int | None] = widths or [None] * len(self._names)
        for name, column, width in zip(self._names, self._columns, fixed, strict=True):
            side: Literal["left", "right"] = "right" if column.right else "left"
            table.add_column(_text(name), justify=side, overflow="fold", width=width)
        for row in rows:
            table.add_row(*map(_text, row))
        return table


def _form(name: str, value: Any) -> str:
    if BY_NAME[name].dtype == LIST:
        return "; ".join(map(plain.item, value or ()))
    return FORMS.get(BY_NAME[name].unit, plain.cell)(value)


def _blocks(lines: Sequence[Line]) -> list[list[int]]:
    """Return the places of each block's lines: one device in one run, and one data set, which the title names.

    Rows without an mAP stand with those of the first data set.
    """
    places: dict[tuple[str, str], list[int]] = {}
    for place, line in enumerate(lines):
        places.setdefault((line.row["device"], line.row["run_id"]), []).append(place)
    return [block for own in places.values() for block in _by_dataset(lines, own)]


def _by_dataset(lines: Sequence[Line], places: Sequence[int]) -> Iterator[list[int]]:
    on = [None if lines[place].row["map"] is None else clean(measured_on(lines[place])) for place in places]
    first = next((one for one in on if one is not None), None)
    blocks: dict[str | None, list[int]] = {}
    for place, own in zip(places, on, strict=True):
        blocks.setdefault(first if own is None else own, []).append(place)
    yield from blocks.values()


def _title(lines: Sequence[Line], *, with_run: bool) -> list[str]:
    device, kind, run = (clean(lines[0].row[name]) for name in ("device", "device_kind", "run_id"))
    parts = [device if kind == device else f"{device} ({kind})", *([run] if with_run else [])]
    parts += _distinct(line.row["runtime"] for line in lines)
    parts += _distinct(measured_on(line) for line in lines if line.row["map"] is not None)
    return parts


def measured_on(line: Line) -> str:
    """Return what a row's mAP is of: the data set, the images and the classes."""
    return _measured_on(*_of_accuracy(line.row))


_of_accuracy = itemgetter("dataset", "n_images", "classes_evaluated", "classes_in_dataset")


@lru_cache(maxsize=256)
def _measured_on(dataset: str, n_images: int, n_classes: int | None, known: int | None) -> str:
    return f"mAP on {dataset}, {units.count(n_images)} images{_classes(n_classes, known)}"


def _classes(n: int | None, known: int | None) -> str:
    """Say how many classes the mAP is an average over; nothing of records that do not tell."""
    if n is None:
        return ""
    of = "" if known in {None, n} else f" of {units.count(known)}"
    return f", {units.count(n)}{of} class{'' if n == 1 and not of else 'es'}"


def _distinct(values: Iterable[Any]) -> list[str]:
    return [clean(value) for value in dict.fromkeys(values) if value]


def _legend(lines: Sequence[Line], fields: Sequence[Field]) -> Iterator[list[str]]:
    titles = " ".join(field.title for field in fields)
    marks = {line.mark for line in lines}
    if STAR in marks:
        yield [f"{STAR} Pareto-optimal: no other row of the device is both faster and more accurate"]
    if HOLLOW in marks:
        yield [
            f"{HOLLOW} so by its figures, but not shown: within the intervals another row may be as good in both"
        ]
    of_median = any(field.title in titles for field in (INTERVAL, HALF_WIDTH))
    parts = ["95 % int.: of the median, from process to process" if of_median else ""]
    parts += ["p90: of the inferences of these processes" if "p90" in titles else ""]
    by_name = any(line.change.by_name and line.change.map_difference is not None for line in lines)
    told = "vs f32: against float32, same delegate"
    parts += [f"{told}{' (versions by their names)' if by_name else ''}" if "f32" in titles else ""]
    parts += [MAP_INTERVAL if "mAP\n95" in titles and any(map(_is_at_upper_end, lines)) else ""]
    if any(parts):
        yield list(filter(None, parts))
    yield from _watched(lines)


def _is_at_upper_end(line: Line) -> bool:
    high, value = line.row["map_high"], line.row["map"]
    return high is not None and value is not None and high <= value


def _watched(lines: Sequence[Line]) -> Iterator[list[str]]:
    """Say how long phones and boards were watched, which heat up and change their clocks later."""
    far = [line.row["watched_s"] for line in lines if line.row["device_kind"] not in ON_HOST]
    short = [seconds for seconds in far if seconds is not None and seconds < LASTING_S]
    if short:
        yield [
            f"each process was watched for at least {min(short):.2g} s: what sets in later (heat, a lower clock) shows "
            "with --sustained 10m"
        ]


def _models(lines: Iterable[Line]) -> list[str]:
    return [clean(line.row["model"]) for line in lines]


def _delegates(lines: Iterable[Line]) -> list[str]:
    return [clean(line.row["delegate_requested"]) for line in lines]


def _parted(parts: Iterable[str], width: int, style: str) -> list[QuickText]:
    """Return parts joined by dots, in lines that begin with a part."""
    from rich.cells import cell_len

    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1]) + 3 + cell_len(part) <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return [QuickText(line, style) for line in lines]


def _text(text: str) -> Text:
    """Return a text without interpreting markup in it."""
    from rich.text import Text

    return Text(text)
