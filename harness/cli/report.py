"""`harness report`: the results of earlier runs."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from click.core import ParameterSource

from harness.cli import completion
from harness.cli.common import CONTEXT, examples, format_option, output_option
from harness.cli.printing import Loudness, emit, loudness, show, warn
from harness.report.content import FORMATS, format_for

if TYPE_CHECKING:
    from harness.records.records import StoredRecord
    from harness.report.results import ResultsView
    from harness.workspace import Workspace

REPORT_FORMATS = (*FORMATS, "parquet", "html")


@click.command(
    "report",
    context_settings=CONTEXT,
    epilog=examples(
        "harness report                          the newest run",
        "harness report 20261121-09 --sort -map  a run by its id's beginning, best first",
        "harness report results -o all.csv       every run of a folder, as a file",
        "harness report latest --format json     the rows for a script",
        "harness report latest -o report.html    one page that opens offline",
        "harness report --columns model,delegate_requested,latency_p90_ms",
        "harness report results --group-by device  models down, delegates across, a table a device",
        "harness report --with-published         beside the figures that others published",
        "harness report --operators              which operators take the time (after run --operators)",
    ),
)
@click.argument("runs", nargs=-1, metavar="[RUN|DIR]...", shell_complete=completion.runs)
@format_option(REPORT_FORMATS)
@click.option(
    "--sort",
    metavar="COLUMN",
    shell_complete=completion.columns,
    help="Sort by a column; -COLUMN for descending. Unknown values come last. [default: as measured]",
)
@click.option(
    "--columns",
    metavar="A,B,…",
    help="Only these columns, in this order, or `all`. [default: what people read; in json, csv and parquet all]",
)
@click.option(
    "--group-by",
    metavar="COLUMN",
    shell_complete=completion.columns,
    help="A table for each value of a column: models down, device and delegate across, latency and mAP in each cell. "
    "In json, csv and parquet: the same rows, equal values together. [default: one table]",
)
@click.option(
    "--with-published",
    is_flag=True,
    help="Show what others published of these models on these devices, with the ratio; marked and never ranked.",
)
@click.option(
    "--operators", is_flag=True, help="The time of each kind of operator instead, where it was recorded."
)
@output_option()
@click.pass_context
def command(
    ctx: click.Context,
    /,
    runs: tuple[str, ...],
    format_: str,
    output: Path | None,
    with_published: bool,
    operators: bool,
    **options: str | None,
) -> None:
    """Show, sort and export the results of earlier runs.

    RUN is a run's id, the beginning of one, `latest` (the default), or a folder with one or several runs. The
    columns are explained in results/README.md.
    """
    from harness.rows.selection import find_folders
    from harness.workspace import find_workspace

    given = ctx.get_parameter_source("format_") is not ParameterSource.DEFAULT
    format_ = format_for(output, format_ if given else None, REPORT_FORMATS)
    workspace = find_workspace(ctx.obj)
    folders = find_folders(runs, workspace.results)
    if operators:
        from harness.cli.report_operators import print_operators

        given_too = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
        if not print_operators(folders, format_, output, {**given_too, "--with-published": with_published}):
            ctx.exit(1)
        return
    with _uncollected():
        whole = print_results(folders, format_, _view(workspace, with_published, options), output)
    if not whole:
        ctx.exit(1)


def _view(workspace: Workspace, with_published: bool, options: Mapping[str, str | None]) -> ResultsView:
    from harness.report.results import ResultsView
    from harness.rows.beside import known_aliases
    from harness.rows.columns import NAMES
    from harness.rows.published import published_rows

    names = [name.strip() for name in (options["columns"] or "").split(",") if name.strip()]
    return ResultsView(
        columns=NAMES if names == ["all"] else names,
        sort=options["sort"],
        group_by=options["group_by"],
        beside=published_rows(workspace) if with_published else (),
        aliases=known_aliases(workspace) if with_published else {},
    )


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Rows hold no cycles, and looking for some in 10,000 of them again and again takes a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def print_results(
    folders: Sequence[Path],
    format: str = "table",
    view: ResultsView | None = None,
    output: Path | None = None,
) -> bool:
    """Print the results in some folders, or write them to a file.

    Args:
        folders: Runs, or folders of runs.
        format: `table`, `json`, `csv`, `markdown`, `parquet` or `html`.
        view: The part to show; None for all.
        output: The file; None for stdout.

    Returns:
        Whether all could be read; what is damaged is named on stderr, and the rest is shown.

    Raises:
        UsageError: No such run or column, a file that cannot be written, parquet without a file or an extra.
    """
    from harness.report.results import ResultsView, remarks, results_content
    from harness.rows import columns as public
    from harness.rows.reading import read_rows

    view = replace(view or ResultsView(), all_notes=loudness() is Loudness.VERBOSE)
    public.check_names(view.columns)
    found = read_rows(folders)
    for text in (*found.warnings, *found.damaged):
        warn(text)
    content = results_content(found, found.rows, view)
    show(content, format, output)
    if format == "table" and output is None and not (view.columns or view.group_by):
        _print_sustained(found.sustained)
    for text in remarks(content, view, format):
        warn(text)
    if not found.rows:
        warn(f"no cell was measured in {', '.join(map(str, found.runs))}")
    return not (found.warnings or found.damaged)


def _print_sustained(records: Sequence[StoredRecord]) -> None:
    """Print latency over time, where a run was made for that."""
    if not records:
        return
    from harness.rows.sustained_rows import shown, sustained_rows

    rows = [shown(row) for row in sustained_rows(records)]
    if rows:
        emit(rows, list(rows[0]))
