"""The content of a command's output, and the one place that decides which form fits a format.

A command hands over rows of plain values with their columns. Every format can be made of those; where a format has a
form of its own (a sheet, a pivot, a page), the content knows how to make it, and makes it only when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from harness import outputs
from harness.text import clean

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

Row: TypeAlias = Mapping[str, Any]
Form: TypeAlias = "str | bytes | RenderableType | Content"
"""A text, a file's bytes, what rich prints, or content of its own."""

FORMATS = ("table", "json", "csv", "markdown")
ENDINGS = {
    ".json": "json",
    ".csv": "csv",
    ".md": "markdown",
    ".txt": "table",
    ".parquet": "parquet",
    ".html": "html",
}
"""The format of a file where none is given, by the file's ending."""
LONGEST_STATUS = 20
"""A status is a word; what an Edge TPU's compiler calls one is a sentence."""
_EMPTY: tuple[Any, ...] = (None, "", (), [])


@dataclass(frozen=True)
class Content:
    """The content of a command's output.

    Attributes:
        rows: Rows of plain values (str, number, bool, None, list of str).
        columns: The columns in order; every object of JSON has exactly these keys.
        in_table: The columns of a table; all where none are named.
        own: The forms of formats that have one of their own, each made on demand.
    """

    rows: Sequence[Row]
    columns: Sequence[str]
    in_table: Sequence[str] = ()
    own: Mapping[str, Callable[[], Form]] = field(default_factory=dict)


def format_for(output: Path | None, given: str | None, formats: Collection[str] = FORMATS) -> str:
    """Return the format to use: the given one, else the file's by its ending, else a table.

    Args:
        output: The file; None for stdout.
        given: The format that was asked for.
        formats: Those that there are.

    Raises:
        OutputError: The file's ending says none of them; names those that do.
    """
    if given or output is None:
        return given or FORMATS[0]
    known = {ending: format for ending, format in ENDINGS.items() if format in formats}
    outputs.check(output, known)
    return known.get(output.suffix.lower(), FORMATS[0])


def render(content: Content, format: str) -> str | bytes | RenderableType:
    """Return content in a format: a text, bytes for a file, or a renderable of rich.

    Raises:
        UsageError: The content has no form in that format.
        MissingExtraError: Parquet without pyarrow.
    """
    if format in content.own:
        form = content.own[format]()
        return render(form, format) if isinstance(form, Content) else form
    if format == "table":
        return generic_table(content.rows, content.in_table or content.columns)
    if format == "parquet":
        from harness.report import export

        return export.to_bytes(content.rows, content.columns, format)
    from harness.report import plain

    return plain.render(content.rows, content.columns, format)


def nested(
    rows: Sequence[Row], columns: Sequence[str], own: Mapping[str, Callable[[], Form]] | None = None
) -> Content:
    """Return content whose rows hold objects: JSON has them as they are, every other format as JSON texts."""
    from harness.report import plain

    def flat() -> Content:
        return Content(
            [{key: plain.object_cell(value) for key, value in row.items()} for row in rows], columns
        )

    return Content(rows, columns, own={**dict.fromkeys(("table", "csv", "markdown"), flat), **(own or {})})


def generic_table(rows: Sequence[Row], columns: Sequence[str]) -> RenderableType:
    """Return a table of the columns that are not empty everywhere."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from harness.report.plain import cell

    filled = [column for column in columns if not rows or any(row.get(column) not in _EMPTY for row in rows)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in filled:
        numeric = any(isinstance(row.get(column), (int, float)) for row in rows)
        side: Literal["left", "right"] = "right" if numeric else "left"
        whole = column == "status" and all(len(cell(row.get(column))) <= LONGEST_STATUS for row in rows)
        table.add_column(Text(column), justify=side, overflow="fold", no_wrap=whole)
    for row in rows:
        table.add_row(*(Text(clean(cell(row.get(column)))) for column in filled))
    return table


def whole_line(text: str) -> Text:
    """Return a text with a command or an address in it, which no line break of ours takes apart."""
    from rich.text import Text

    return Text(text, style="dim", no_wrap=True, overflow="ignore")
