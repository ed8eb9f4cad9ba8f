"""What all commands share: the formats, printing rows, consoles, progress and how examples are written."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from harness.errors import OutputError, UsageError
from harness.report.text import clean

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

FORMATS = ("table", "json", "csv", "markdown")
WIDTH = 100
"""Columns of a table that does not go to a terminal."""
CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}
"""`context_settings` of every command."""


def examples(*lines: str) -> str:
    """Return the `epilog` of a command that shows its examples, one a line, each with a remark after spaces."""
    return "\n\n".join(("Examples:", *lines))


def format_option(formats: Sequence[str] = FORMATS) -> Callable[[F], F]:
    """Add `--format`, passed as `format_`."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(list(formats)),
        default=formats[0],
        show_default=True,
        help="How the rows are printed.",
    )


def output_option() -> Callable[[F], F]:
    """Add `-o/--output FILE`, passed as `output`."""
    return click.option(
        "-o",
        "--output",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Write to a file instead of stdout.",
    )


def emit(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    format: str = "table",
    output: Path | None = None,
) -> None:
    """Print rows of plain values (str, number, bool, None, list of str), or write them to a file.

    Args:
        rows: The rows; keys that are not in `columns` are left out, missing ones are null.
        columns: The columns in order; every row of JSON has exactly these keys.
        format: One of `FORMATS`.
        output: The file; None for stdout.

    Raises:
        OutputError: The file cannot be written.
    """
    if format == "table":
        emit_table(_generic_table(rows, columns), output)
    else:
        from harness.report import plain

        emit_text(plain.render(rows, columns, format), output)


def emit_text(text: str, output: Path | None = None) -> None:
    """Print a text to stdout or write it whole to a file, as UTF-8."""
    if output is None:
        sys.stdout.write(text)
        sys.stdout.flush()
    else:
        emit_bytes(text.encode("utf-8"), output)


def emit_bytes(data: bytes, output: Path | None) -> None:
    """Write a file whole.

    Raises:
        UsageError: No file was named: bytes are not printed.
        OutputError: The file cannot be written.
    """
    from harness import atomic

    if output is None:
        raise UsageError("this format is not text: name a file with -o FILE")
    if output.is_dir():
        raise OutputError(f"{output}: is a folder, expected the name of a file")
    atomic.write_bytes(output, data)


def emit_table(table: Any, output: Path | None = None) -> None:
    """Print something that rich can render, or write it to a file as plain text."""
    if output is None:
        console_out().print(table)
        return
    console = make_console(width=WIDTH, color_system=None)
    with console.capture() as capture:
        console.print(table)
    emit_text(capture.get(), output)


def _generic_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Any:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from harness.report.plain import cell

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        numeric = any(isinstance(row.get(column), (int, float)) for row in rows)
        table.add_column(Text(column), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(cell(row.get(column)))) for column in columns))
    return table


def make_console(**settings: Any) -> Console:
    """Make a console that leaves markup, emoji names and numbers in text alone and reports a closed pipe."""
    from rich.console import Console

    class PlainConsole(Console):
        def on_broken_pipe(self) -> None:
            raise  # noqa: PLE0704 - rich calls this while it handles the BrokenPipeError; `main` ends quietly

    return PlainConsole(markup=False, emoji=False, highlight=False, **settings)


def console_out() -> Console:
    """Return a console on stdout; as wide as the terminal, or `WIDTH` where there is none."""
    return _console(sys.stdout)


def console_err() -> Console:
    """Return a console on stderr, for everything that is not data."""
    return _console(sys.stderr)


def _console(file: Any) -> Console:
    import os

    known = file.isatty() or "COLUMNS" in os.environ
    return make_console(file=file, width=None if known else WIDTH)


def warn(text: str) -> None:
    """Print a warning to stderr."""
    console_err().print(f"warning: {clean(text)}", style="yellow", soft_wrap=True)


def note(text: str) -> None:
    """Print a remark to stderr."""
    console_err().print(clean(text), soft_wrap=True)
