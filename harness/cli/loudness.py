"""`--quiet` and `--verbose`, which every command takes."""

from __future__ import annotations

import rich_click as click

from harness.cli.printing import Loudness, set_loudness
from harness.option import OUTPUT

QUIET_HELP = "Only data, warnings and errors: no progress, no remarks."
VERBOSE_HELP = "Every step of the progress on a line of its own, and where in the program an error arose."


def add_loudness(command: click.Command) -> None:
    """Add both options to a command and to those below it."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            add_loudness(below)
    if not any(one.name == "quiet" for one in command.params):
        group = OUTPUT if getattr(command, "panels", None) else None
        command.params += [
            click.RichOption(
                ["-q", "--quiet"],
                is_flag=True,
                expose_value=False,
                callback=_quiet,
                help=QUIET_HELP,
                panel=group,
            ),
            click.RichOption(
                ["-v", "--verbose"],
                is_flag=True,
                expose_value=False,
                callback=_verbose,
                help=VERBOSE_HELP,
                panel=group,
            ),
        ]


def _quiet(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        set_loudness(Loudness.QUIET)


def _verbose(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        set_loudness(Loudness.VERBOSE)
