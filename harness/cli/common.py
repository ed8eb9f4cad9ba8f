"""What all commands share: how their help looks, how examples are written, and the options of what they print."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from harness.cli.types import OutputFile, Place
from harness.report.content import FORMATS

if TYPE_CHECKING:
    from rich.table import Table

F = TypeVar("F", bound=Callable[..., Any])

WIDEST_HELP = 160
"""Longer lines of help are hard to read on any terminal."""
CONTEXT: dict[str, Any] = {
    "help_option_names": ["-h", "--help"],
    "max_content_width": WIDEST_HELP,
    "rich_help_config": {
        "theme": "slim",
        "enable_theme_env_var": False,
        "max_width": WIDEST_HELP,
        "default_string": r"\[default: {}]",
        "options_table_column_types": ["opt_all_metavar", "help"],
        "append_metavars_help_string": "{}",
        "options_table_help_sections": ["help", "required", "default", "deprecated"],
        "text_paragraph_linebreaks": "\n\n",
    },
}
"""`context_settings` of every command: help without frames, an option with its value in one column."""
PATH = Place(path_type=Path)
"""The type of options that take a file or a folder."""
_LEAST_OPTION_WIDTH = 30
_LONGEST_EXAMPLE = 72


class OptionGroup(click.RichOptionPanel):
    """A named group of options; what they mean stands in one column over all groups of a command."""

    def get_objects(
        self, command: click.Command, ctx: click.Context
    ) -> Generator[click.Parameter, None, None]:
        """Go through its options, `--help` last."""
        yield from sorted(super().get_objects(command, ctx), key=lambda one: one.name == "help")

    def get_table(self, *args: Any, **kwargs: Any) -> Table:
        """Draw the options of the group."""
        table = super().get_table(*args, **kwargs)
        if len(table.columns) > 1:
            table.columns[-2].min_width = _LEAST_OPTION_WIDTH
        return table


def option_groups(*names: str) -> list[Any]:
    """Return the `panels` of a command whose options say which group they are in; the last one has `--help`."""
    groups = [OptionGroup(name) for name in names]
    groups[-1].options.append("--help")
    return groups


def examples(*lines: str) -> str:
    """Return the `epilog` of a command that shows its examples.

    Args:
        lines: A command each, with two or more blanks and a remark behind it, which is put on a line of its own.
    """
    return "\n\n".join(("Examples:", *(_example(line) for line in lines)))


def _example(line: str) -> str:
    command, *remark = re.split(r" {2,}", line, maxsplit=1)
    return "\n\n".join(("", *(f"# {text}" for text in remark), *_continued(command)))


def _continued(command: str) -> list[str]:
    """Break a long command before an option, as a shell reads it."""
    lines = [""]
    for part in re.split(r" (?=--?[a-z])", command):
        if lines[-1] and len(lines[-1]) + len(part) > _LONGEST_EXAMPLE:
            lines[-1] += " \\"
            lines.append("")
        lines[-1] = f"{lines[-1]} {part}".lstrip()
    return lines


def format_option(formats: Sequence[str] = FORMATS, **more: Any) -> Callable[[F], F]:
    """Add `--format`, passed as `format_`; `more` is what else click may know of it, such as its `panel`."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(list(formats)),
        metavar="FORMAT",
        default=formats[0],
        show_default=True,
        help=f"{', '.join(formats[:-1])} or {formats[-1]}.",
        **more,
    )


def output_option() -> Callable[[F], F]:
    """Add `-o/--output FILE`, passed as `output`."""
    return click.option(
        "-o", "--output", type=OutputFile(), metavar="FILE", help="Write to a file. [default: stdout]"
    )
