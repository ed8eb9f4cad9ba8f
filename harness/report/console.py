"""Render the result table, which answers which model to ship. Computes nothing; `units` formats every number.

One block a device and run. Rows with figures come first, Pareto-optimal ones marked ★; rows without (fell back,
failed, skipped …) follow with their status and reason instead of numbers. Columns that are empty everywhere are
left out, and so are the least important ones where the terminal is too narrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from harness import units
from harness.profiles import ON_HOST
from harness.report import plain
from harness.report.lines import Line, make_page
from harness.report.quick_rows import Piece, QuickRows, RenderedOnce
from harness.rows.columns import BY_NAME, INTEGER, LIST, NUMBER
from harness.rows.pareto import HOLLOW, STAR, MoreAccurate, more_accurate
from harness.text import clean

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table
    from rich.text import Text

REFERENCE = "ref"
LASTING_S = 60.0
"""A process that was watched for so long shows what a device does under load."""
_MARK_WIDTH, _NAME_WIDTH, _LEAST_NAME_WIDTH, _DELEGATE_WIDTH = 1, 24, 8, 16
_ROOMY, _TIGHT = 2, 1
"""Blanks between columns: roomy if all fits, tight before any important column is left out."""


class Field(NamedTuple):
    """A column with figures.

    `show` gives its text, `MISSING` where it is unknown; a column that is unknown in every row is left out.
    `weight` says which are left out first when the terminal is too narrow (the lightest; 0: only where there is room).
    """

    title: str
    weight: int
    show: Callable[[Line], str]
    style: str = ""


def _of(column: str, form: Callable[[Any], str]) -> Callable[[Line], str]:
    return lambda line: form(line.row[column])


def _interval(line: Line) -> str:
    return units.interval(line.row["latency_median_low_ms"], line.row["latency_median_high_ms"])


def _map_interval(line: Line) -> str:
    low, high = line.row["map_low"], line.row["map_high"]
    return units.MISSING if None in (low, high) else f"{units.metric(low)}–{units.metric(high)}"


def _half_width(line: Line) -> str:
    low, middle, high = (line.row[f"latency_median{part}_ms"] for part in ("_low", "", "_high"))
    if None in (low, high) or not middle:
        return units.MISSING
    return f"±{100 * max(high - middle, middle - low) / middle:.1f}%"


def _map_change(line: Line) -> str:
    return REFERENCE if line.change.is_reference else units.signed_metric(line.change.map_difference)


def _speed_change(line: Line) -> str:
    ratio = line.change.speed_ratio
    if line.change.is_reference:
        return REFERENCE
    return units.MISSING if ratio is None else f"{units.rate(ratio)}×"


INTERVAL = Field("95 % int.\nms", 6, _interval, "dim")
HALF_WIDTH = Field("95 %\nint.", 6, _half_width, "dim")
"""The interval's longer side in percent of the median, which takes fewer columns than its bounds."""

FIELDS = (
    Field("size\n", 5, _of("size_bytes", units.size)),
    Field("median\nms", 9, _of("latency_median_ms", units.milliseconds)),
    INTERVAL,
    Field("p90\nms", 4, _of("latency_p90_ms", units.milliseconds)),
    Field("FPS\n1/s", 3, _of("fps", units.rate)),
    Field("peak\nMiB", 2, _of("peak_memory_mb", units.megabytes)),
    Field("mAP\n0…1", 9, _of("map", units.metric)),
    Field("mAP\n95 % int.", 0, _map_interval, "dim"),
    Field("AP50\n0…1", 1, _of("ap50", units.metric)),
    Field("Δ mAP\nvs f32", 7, _map_change),
    Field("speed\nvs f32", 0, _speed_change),
)

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
        for own in _blocks(lines):
            yield from _parted(_title(own, with_run=several_runs), options.max_width, "bold")
            yield from layout.tables(own)
            yield ""
        for parts in _legend(lines, layout.fields):
            yield from _parted(parts, options.max_width, "dim")
        yield from (_text(clean(note), "yellow") for note in self._page.footnotes)
        yield from (_whole(f"records: {clean(source)}", "dim") for source in self._sources)

    def markdown(self) -> str:
        """Return the same in Markdown: all columns that are known, then the legend, the notes and the places."""
        lines = self._page.lines
        texts = {field: {field.show(line) for line in lines if line.has_figures} for field in FIELDS}
        fields = [field for field in FIELDS if texts[field] - {units.MISSING, REFERENCE}]
        several_runs = len({line.row["run_id"] for line in lines}) > 1
        parts = []
        for own in _blocks(lines):
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
        cells = [_markdown_cells(line, fields) for line in figures]
        yield plain.markdown_table(titles, cells, ["---", "---", "---", *["---:"] * len(fields), "---"])
    if others:
        cells = [[_model(line), _delegate(line), line.row["status"], _reason(line)] for line in others]
        yield plain.markdown_table(["model", "delegate", "status", "reason"], cells, ["---"] * 4)


def _markdown_cells(line: Line, fields: Sequence[Field]) -> list[str]:
    return [
        line.mark,
        _model(line),
        _delegate(line),
        *(field.show(line) for field in fields),
        line.label,
    ]


class Layout:
    """The columns to show and their widths: the same in every block.

    Args:
        lines: All lines of the page.
        width: Width of the terminal.
    """

    def __init__(self, lines: Sequence[Line], width: int) -> None:
        figures = [line for line in lines if line.has_figures]
        self._marked = any(line.mark for line in lines)
        self._short = False
        self._heading: RenderedOnce | None = None
        self._labels = {short: _widest(map(_labels(short), figures)) for short in (False, True)}
        self._delegate_width = min(_widest([*map(_delegate, lines), "delegate"]), _DELEGATE_WIDTH)
        texts = {field: [field.show(line) for line in figures] for field in (*FIELDS, HALF_WIDTH)}
        self._texts = {field: dict(zip(map(id, figures), texts[field], strict=True)) for field in texts}
        known = [field for field in FIELDS if set(texts[field]) - {units.MISSING, REFERENCE}]
        self._widths = {field: _widest([*texts[field], *field.title.split("\n")]) for field in texts}
        name = _widest([*(_model(line) for line in figures or lines), "model"])
        self.fields, self._gap = self._choose(known, width - min(name, _NAME_WIDTH))
        left = width - self._taken(self.fields, self._gap)
        self._name_width = max(min(name, left), _LEAST_NAME_WIDTH)
        spare = max(left - self._name_width, 0)
        self._delegate_width = min(
            self._delegate_width + spare, _widest([*map(_delegate, lines), "delegate"])
        )

    def tables(self, lines: Sequence[Line]) -> Iterator[QuickRows | RenderedOnce]:
        """Yield the table of the rows with figures, and that of those without, where there are any."""
        figures = [line for line in lines if line.has_figures]
        others = [line for line in lines if not line.has_figures]
        if figures or not self.fields:
            self._heading = self._heading or RenderedOnce(self._headings(others))
            yield self._heading
        if figures:
            yield QuickRows([self._figures(line) for line in figures], self._gap)
        if others:
            width = _widest(clean(line.row["status"]) for line in others)
            yield QuickRows([self._reasons(line, width) for line in others], self._gap)

    def _pieces(self, line: Line) -> list[Piece]:
        mark = [Piece(line.mark, _MARK_WIDTH, style="bold green", whole=True)] if self._marked else []
        names = ((_model(line), self._name_width), (_delegate(line), self._delegate_width))
        return [*mark, *(Piece(text, width, whole=True) for text, width in names)]

    def _figures(self, line: Line) -> tuple[list[Piece], str]:
        texts = ((self._texts[field][id(line)], field) for field in self.fields)
        shown = [Piece(text, self._widths[field], True, field.style) for text, field in texts]
        width = self._labels[self._short]
        label = [Piece(_labels(self._short)(line), width, style="yellow")] if width else []
        return [*self._pieces(line), *shown, *label], "bold" if line.mark == STAR else ""

    def _reasons(self, line: Line, width: int) -> tuple[list[Piece], str]:
        pieces = [Piece(clean(line.row["status"]), width, style="red"), Piece(_reason(line), 0)]
        return [*self._pieces(line), *pieces], ""

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
        widths = [self._delegate_width, *(self._widths[field] for field in fields)]
        widths += [self._labels[self._short]] if self._labels[self._short] else []
        return (_MARK_WIDTH + gap if self._marked else 0) + sum(width + gap for width in widths)

    def _headings(self, others: Sequence[Line]) -> Table:
        from rich.table import Table

        table = Table(box=None, padding=(0, self._gap, 0, 0), pad_edge=False, header_style="bold")
        if self._marked:
            table.add_column("", width=_MARK_WIDTH)
        table.add_column("model\n", width=self._name_width)
        table.add_column("delegate\n", width=self._delegate_width)
        for field in self.fields:
            table.add_column(field.title, width=self._widths[field], justify="right", no_wrap=True)
        if not self.fields and others:
            table.add_column("status\n", width=_widest(clean(line.row["status"]) for line in others))
            table.add_column("reason\n")
        return table


def _reason(line: Line) -> str:
    return clean("; ".join(line.row["reasons"] or ()) or "no reason was recorded")


def _labels(short: bool) -> Callable[[Line], str]:
    return lambda line: line.short_label if short else line.label


def chosen_columns(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    """Return a table of some public columns, in the order they were named."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in names:
        numeric = BY_NAME[name].dtype in {INTEGER, NUMBER}
        table.add_column(_text(name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(clean(_form(name, row[name]))) for name in names))
    return table


def _form(name: str, value: Any) -> str:
    if BY_NAME[name].dtype == LIST:
        return "; ".join(map(plain.item, value or ()))
    return FORMS.get(BY_NAME[name].unit, plain.cell)(value)


def _blocks(lines: Iterable[Line]) -> list[list[Line]]:
    """Return the lines of each block: one device in one run, and one data set, which the title names.

    Rows without an mAP stand with those of the first data set.
    """
    places: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        places.setdefault((line.row["device"], line.row["run_id"]), []).append(line)
    return [block for own in places.values() for block in _by_dataset(own)]


def _by_dataset(lines: Sequence[Line]) -> Iterator[list[Line]]:
    on = [None if line.row["map"] is None else clean(measured_on(line)) for line in lines]
    first = next((one for one in on if one is not None), None)
    blocks: dict[str | None, list[Line]] = {}
    for line, own in zip(lines, on, strict=True):
        blocks.setdefault(first if own is None else own, []).append(line)
    yield from blocks.values()


def _title(lines: Sequence[Line], *, with_run: bool) -> list[str]:
    device, kind, run = (clean(lines[0].row[name]) for name in ("device", "device_kind", "run_id"))
    parts = [device if kind == device else f"{device} ({kind})", *([run] if with_run else [])]
    parts += _distinct(line.row["runtime"] for line in lines)
    parts += _distinct(measured_on(line) for line in lines if line.row["map"] is not None)
    return parts


def measured_on(line: Line) -> str:
    """Return what a row's mAP is of: the data set, the images and the classes."""
    return f"mAP on {line.row['dataset']}, {units.count(line.row['n_images'])} images{_classes(line.row)}"


def _classes(row: Mapping[str, Any]) -> str:
    """Say how many classes the mAP is an average over; nothing of records that do not tell."""
    n, known = row["classes_evaluated"], row["classes_in_dataset"]
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


def _model(line: Line) -> str:
    return clean(line.row["model"])


def _delegate(line: Line) -> str:
    return clean(line.row["delegate_requested"])


def _widest(texts: Iterable[str]) -> int:
    from rich.cells import cell_len

    return max(map(cell_len, set(texts)), default=0)


def _parted(parts: Iterable[str], width: int, style: str) -> list[Text]:
    """Return parts joined by dots, in lines that begin with a part."""
    from rich.cells import cell_len

    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1]) + 3 + cell_len(part) <= width:
            lines[-1] += f" · {part}"
        else:
            lines.append(part)
    return [_text(line, style) for line in lines]


def _whole(text: str, style: str) -> Text:
    """Return a text with a path, which can be copied as it is: a terminal breaks it, and nothing else does."""
    from rich.text import Text

    return Text(text, style=style, no_wrap=True, overflow="ignore")


def _text(text: str, style: str = "") -> Text:
    """Return a text without interpreting markup in it."""
    from rich.text import Text

    return Text(text, style=style)
