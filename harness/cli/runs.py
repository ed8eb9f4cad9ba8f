"""`harness runs`: the runs that are kept, and taking some away."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import rich_click as click

from harness import atomic
from harness.cli import completion
from harness.cli.common import CONTEXT, examples, format_option
from harness.cli.printing import note, show
from harness.errors import UsageError
from harness.paths import is_file
from harness.records.ownership import own
from harness.records.records import find_runs
from harness.report.content import Content
from harness.rows.runs import COLUMNS, run_rows
from harness.rows.selection import find_folders
from harness.workspace import find_workspace

TABLE = ("run_id", "name", "models", "devices", "cells", "verdicts")
MOST_NAMES = 3


@click.group(
    "runs",
    invoke_without_command=True,
    context_settings=CONTEXT,
    epilog=examples(
        "harness runs                          every run of results/, the newest last",
        "harness runs --results other/         those of another folder",
        "harness runs rm 20261121-0915 --yes   take a run away, by its id's beginning",
    ),
)
@click.option(
    "--results",
    type=click.Path(path_type=Path),
    help="The folder of the runs. [default: results/ of the workspace that you are in, else ./results]",
)
@format_option()
@click.pass_context
def command(ctx: click.Context, results: Path | None, format_: str) -> None:
    """List the runs: when, under which name (`harness run --name`), what they measured and what it is worth."""
    folder = results or find_workspace(ctx.obj).results
    ctx.meta[__name__] = folder
    if ctx.invoked_subcommand is not None:
        return
    found = find_runs(folder)
    if not found:
        note(f"{folder}: no run there yet; `harness run` makes one")
    rows = run_rows(found)
    show(
        Content(rows, COLUMNS, own={"table": lambda: Content([_short(row) for row in rows], TABLE)}), format_
    )


def _short(row: dict[str, Any]) -> dict[str, Any]:
    """A row for a table: of many models or devices the first ones."""
    return row | {name: _first(row[name] or []) for name in ("models", "devices")}


def _first(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more


@command.command(
    "rm", context_settings=CONTEXT, epilog=examples("harness runs rm 20261121-0915 20261121-1000")
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=completion.runs)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_context
def remove_command(ctx: click.Context, runs: tuple[str, ...], yes: bool) -> None:
    """Remove runs with all their records: by id, the beginning of one, or a run's folder.

    A run that is being measured is refused, and then nothing is removed.
    """
    folders = list(dict.fromkeys(find_folders(runs, ctx.meta[__name__])))
    for folder in folders:
        if not is_file(folder / "run.json"):
            raise UsageError(f"{folder}: is no run (it has no run.json); nothing was removed")
    names = ", ".join(folder.name for folder in folders)
    if not yes and not click.confirm(f"Remove {names} for good?", err=True):
        raise UsageError("nothing was removed")
    with ExitStack() as owned:
        for folder in folders:
            owned.callback(own(folder).release)
        for folder in folders:
            with atomic.writing(folder):
                shutil.rmtree(folder)
            note(f"removed {folder}")
