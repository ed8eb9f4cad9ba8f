"""Data to stdout or a file; everything else to stderr."""

from __future__ import annotations

import os
import re
import sys
import textwrap
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.errors import UsageError
from harness.report.consoles import UNBOUNDED, WIDTH, make_console, to_text
from harness.report.content import Content, render
from harness.text import clean, clean_lines

if TYPE_CHECKING:
    from rich.console import Console


class Loudness(IntEnum):
    """How much is said beside the data."""

    QUIET = -1
    NORMAL = 0
    VERBOSE = 1


_loudness = Loudness.NORMAL


def set_loudness(loudness: Loudness) -> None:
    """Say so much from now on; each command line begins with `NORMAL`."""
    global _loudness  # noqa: PLW0603 - threads of a run speak too, and click's context is each thread's own
    _loudness = loudness


def loudness() -> Loudness:
    """Return how much is said."""
    return _loudness


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
    sys.stdout.write(text)
    sys.stdout.flush()


def emit_bytes(data: bytes, output: Path | None) -> None:
    """Write a file whole, or to a device or a pipe.

    Raises:
        UsageError: No file was named: bytes are not printed.
        OutputError: The file cannot be written.
    """
    from harness import outputs

    if output is None:
        raise UsageError("this format is not text: name a file with -o FILE")
    outputs.check(output)
    outputs.write(output, data)


def emit_table(table: Any, output: Path | None = None) -> None:
    """Print something that rich can render, or write it to a file as plain text."""
    if output is not None:
        emit_text(to_text(table), output)
    elif sys.stdout.isatty():
        console_out().print(table, crop=False)
    else:
        emit_text(to_text(table, _piped_width()))


def console_out() -> Console:
    """Return a console on stdout; as wide as the terminal, or `WIDTH` where there is none."""
    return _console(sys.stdout)


def console_err() -> Console:
    """Return a console on stderr, for everything that is not data."""
    return _console(sys.stderr)


def _console(file: Any) -> Console:
    known = file.isatty() or "COLUMNS" in os.environ
    return make_console(file=file, width=None if known else WIDTH)


def warn(text: str) -> None:
    """Print a warning to stderr."""
    console_err().print(_wrapped(f"warning: {clean(text)}"), style="yellow", soft_wrap=True)


def note(text: str) -> None:
    """Print a remark to stderr, unless `--quiet` was given."""
    if _loudness > Loudness.QUIET:
        tell(_wrapped(clean(text)))


def tell(text: str) -> None:
    """Print to stderr what has to be known, with `--quiet` too; as it is, for it may be a command to copy."""
    console_err().print(clean_lines(text), soft_wrap=True)


def _piped_width() -> int:
    """Return the width that the user asks of a pipe; without a whole number above 0, nothing is folded."""
    asked = os.environ.get("COLUMNS", "")
    return int(asked) if re.fullmatch(r"[1-9][0-9]{0,4}", asked) else UNBOUNDED


def _wrapped(text: str) -> str:
    """Break a text between words where a terminal would break it inside one; other streams get it whole."""
    if not sys.stderr.isatty():
        return text
    inside = text.lstrip(" -")
    margin = " " * (len(text) - len(inside))
    width = console_err().width
    return textwrap.fill(
        text, width, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )
