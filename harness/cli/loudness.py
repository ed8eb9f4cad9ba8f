"""`--quiet` and `--verbose`, which every command takes."""

from __future__ import annotations

import rich_click as click

from harness.cli.printing import Loudness, set_loudness
from harness.option import OUTPUT

OPTIONS = (
    (["-q", "--quiet"], Loudness.QUIET, "Only data, warnings and errors: no progress, no remarks."),
    (
        ["-v", "--verbose"],
        Loudness.VERBOSE,
        "Every note, every step of the progress on a line of its own, and where in the program an error arose.",
    ),
)


def add_loudness(command: click.Command) -> None:
    """Add both options to a command and to those below it."""
    if isinstance(command, click.Group):
        for below in command.commands.values():
            add_loudness(below)
    if not any(one.name == "quiet" for one in command.params):
        group = OUTPUT if getattr(command, "panels", None) else None
        command.params += [_option(*one, group) for one in OPTIONS]


def _option(spellings: list[str], loudness: Loudness, text: str, group: str | None) -> click.Option:
    def choose(ctx: click.Context, param: click.Parameter, given: bool) -> None:
        if given:
            set_loudness(loudness)

    return click.RichOption(
        spellings, is_flag=True, expose_value=False, callback=choose, help=text, panel=group
    )
