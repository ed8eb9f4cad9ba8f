"""What all commands share: the formats, printing rows, consoles, progress and how examples are written."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import rich_click as click

from harness.errors import OutputError, UsageError
from harness.report.consoles import WIDTH, make_console, to_text
from harness.report.content import FORMATS, Content, render
from harness.text import clean

if TYPE_CHECKING:
    from rich.console import Console

F = TypeVar("F", bound=Callable[..., Any])

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}
"""`context_settings` of every command."""
PATH = click.Path(path_type=Path)
"""The type of options that take a file or a folder."""
PLAIN_INTERVAL_S = 5.0
"""Progress that does not go to a terminal is at most one line in this many seconds."""


def examples(*lines: str) -> str:
    """Return the `epilog` of a command that shows its examples, one a line, each with a remark behind it."""
    return "\n\n".join(("Examples:", *lines))


def format_option(formats: Sequence[str] = FORMATS) -> Callable[[F], F]:
    """Add `--format`, passed as `format_`."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(list(formats)),
        metavar="FORMAT",
        default=formats[0],
        show_default=True,
        help=f"{', '.join(formats[:-1])} or {formats[-1]}.",
    )


def output_option() -> Callable[[F], F]:
    """Add `-o/--output FILE`, passed as `output`."""
    return click.option(
        "-o", "--output", type=PATH, metavar="FILE", help="Write to a file instead of stdout."
    )


def emit(
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str],
    format: str = "table",
    output: Path | None = None,
) -> None:
    """Print rows of plain values, or write them to a file: what has no form of its own in any format.

    Args:
        rows: The rows; keys that are not in `columns` are left out, missing ones are null.
        columns: The columns in order; every row of JSON has exactly these keys.
        format: One of `FORMATS`.
        output: The file; None for stdout.

    Raises:
        OutputError: The file cannot be written.
    """
    show(Content(rows, columns), format, output)


def show(content: Content, format: str, output: Path | None = None) -> None:
    """Print content in a format, or write it to a file.

    Raises:
        UsageError: It does not go with the format, or the format is not text and no file was named.
        OutputError: The file cannot be written.
    """
    form = render(content, format)
    if isinstance(form, bytes):
        emit_bytes(form, output)
    elif isinstance(form, str):
        emit_text(form, output)
    else:
        emit_table(form, output)


def emit_text(text: str, output: Path | None = None) -> None:
    """Print a text to stdout, or write it whole to a file as UTF-8.

    Raises:
        OutputError: It cannot be written.
    """
    if output is not None:
        emit_bytes(text.encode("utf-8"), output)
        return
    with _stdout():
        sys.stdout.write(text)
        sys.stdout.flush()


@contextmanager
def _stdout() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:  # `main` ends quietly
        raise
    except OSError as error:
        raise OutputError(f"the standard output cannot be written ({error.strerror or error})") from error


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
    if output is not None:
        emit_text(to_text(table), output)
        return
    with _stdout():
        console_out().print(table, crop=False)


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


class Progress(Protocol):
    """How far a long job is."""

    def update(self, done: float, total: float, text: str) -> None:
        """Tell that `done` of `total` steps are done and what is being done now."""

    def say(self, text: str) -> None:
        """Print a line that stays."""


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress on stderr: a bar with the time left on a terminal, else a plain line now and then.

    Nothing is drawn between two calls: no thread wakes up while an inference is being timed.
    """
    if not sys.stderr.isatty():
        yield PlainProgress()
        return
    from rich import progress as rich_progress

    bar = rich_progress.Progress(
        rich_progress.BarColumn(bar_width=24),
        rich_progress.TaskProgressColumn(),
        rich_progress.TimeRemainingColumn(compact=True),
        rich_progress.TextColumn("{task.description}", markup=False),
        console=console_err(),
        auto_refresh=False,
        transient=True,
    )
    with bar:
        yield BarProgress(bar)


class PlainProgress:
    """Progress as lines, for logs."""

    def __init__(
        self, interval_s: float = PLAIN_INTERVAL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_s, self._clock, self._last = interval_s, clock, float("-inf")

    def update(self, done: float, total: float, text: str) -> None:
        """Print a line, unless the last one is too young."""
        if self._clock() - self._last >= self._interval_s:
            self._last = self._clock()
            self.say(f"[{int(done)}/{int(total)}] {text}")

    def say(self, text: str) -> None:
        """Print a line."""
        note(text)


class BarProgress:
    """Progress as a bar of rich, redrawn when something is told and at no other time."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def update(self, done: float, total: float, text: str) -> None:
        """Redraw the bar."""
        self._bar.update(self._task, completed=done, total=total, description=clean(text), refresh=True)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(clean(text))
