"""What all commands share: their context, how examples are written, and the options of what they print."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import rich_click as click

from harness.cli.types import OutputFile, Place
from harness.report.consoles import WIDTH
from harness.report.content import FORMATS

F = TypeVar("F", bound=Callable[..., Any])

CONTEXT: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": WIDTH}
"""`context_settings` of every command."""
PATH = Place(path_type=Path)
"""The type of options that take a file or a folder."""


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
        "-o", "--output", type=OutputFile(), metavar="FILE", help="Write to a file instead of stdout."
    )
