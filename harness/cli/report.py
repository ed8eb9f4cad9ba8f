"""`harness report`: the results of earlier runs."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.core import ParameterSource

from harness.cli import completion
from harness.cli.common import (
    CONTEXT,
    FORMATS,
    emit,
    emit_bytes,
    emit_table,
    emit_text,
    examples,
    format_option,
    output_option,
    warn,
)
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.records.records import StoredRecord
    from harness.rows.frame import Results, Row

ENDINGS = {".json": "json", ".csv": "csv", ".md": "markdown", ".parquet": "parquet", ".html": "html"}
"""What `-o FILE` is written as where no --format is given."""


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
@format_option((*FORMATS, "parquet", "html"))
@click.option(
    "--sort",
    metavar="COLUMN",
    shell_complete=completion.columns,
    help="Sort by a column; -COLUMN for descending. Unknown values come last.",
)
@click.option("--columns", metavar="A,B,…", help="Only these columns, in this order.")
@click.option(
    "--group-by",
    metavar="COLUMN",
    shell_complete=completion.columns,
    help="A table for each value of a column: models down, device and delegate across, latency and mAP in each cell. "
    "In json, csv and parquet: the same rows, equal values together.",
)
@click.option(
    "--with-published", is_flag=True, help="Show published figures too, marked as such and never ranked."
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
    from harness.rows.published import published_rows
    from harness.rows.selection import find_folders
    from harness.workspace import find_workspace

    given = ctx.get_parameter_source("format_") is not ParameterSource.DEFAULT
    if output is not None and not given:
        format_ = ENDINGS.get(output.suffix, format_)
    workspace = find_workspace(ctx.obj)
    folders = find_folders(runs, workspace.results)
    if operators:
        from harness.cli.report_operators import print_operators

        given_too = {f"--{name.replace('_', '-')}": value for name, value in options.items()}
        print_operators(folders, format_, output, {**given_too, "--with-published": with_published})
        return
    columns = [name.strip() for name in (options["columns"] or "").split(",") if name.strip()]
    with _uncollected():
        print_results(
            folders,
            format_,
            columns=columns or None,
            sort=options["sort"],
            output=output,
            group_by=options["group_by"],
            beside=published_rows(workspace) if with_published else (),
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
    *,
    columns: Sequence[str] | None = None,
    sort: str | None = None,
    output: Path | None = None,
    group_by: str | None = None,
    beside: Sequence[Row] = (),
) -> None:
    """Print the results in some folders, or write them to a file.

    Args:
        folders: Runs, or folders of runs.
        format: `table`, `json`, `csv`, `markdown`, `parquet` or `html`.
        columns: Only these public columns; None for all (for a table: those that fit).
        sort: A column; with a leading `-` descending.
        output: The file; None for stdout.
        group_by: A column; a table or Markdown is then a pivot for each of its values.
        beside: Published rows, which follow the own ones.

    Raises:
        UsageError: No such run or column, a file that cannot be written, parquet without a file or an extra.
    """
    from harness.rows import columns as public
    from harness.rows import frame
    from harness.rows.selection import sort_rows

    chosen = public.check_names(columns or public.NAMES)
    found = frame.read_results(folders)
    for text in found.warnings:
        warn(text)
    in_order = frame.to_rows(found.records)
    rows = sort_rows([*in_order, *beside], sort)
    if group_by is not None:
        from harness.report import pivot

        rows = pivot.grouped(rows, group_by)
    if format == "html":
        if columns:
            raise UsageError("--columns does not go with html, which has every column: leave it out")
        from harness.report.html import render

        emit_text(render(found, in_order, sort, group_by=group_by, beside=beside), output)
    elif group_by is not None and format in {"table", "markdown"}:
        _emit_pivot(rows, group_by, columns, format, output)
    elif format == "table":
        _emit_rows(found, rows, columns, output)
    else:
        _emit_data(rows, chosen, format, output)
    if not in_order:
        warn(f"no cell was measured in {', '.join(map(str, found.runs))}")


def _emit_data(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], format: str, output: Path | None
) -> None:
    """Print rows as data, or write them."""
    if format == "parquet":
        from harness.report import export

        emit_bytes(export.to_bytes(rows, columns, format), output)
    else:
        emit(rows, columns, format, output)


def _emit_rows(
    found: Results,
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[str] | None,
    output: Path | None,
) -> None:
    """Print the result table, or the columns that were chosen; latency over time follows where it was measured."""
    from harness.report.console import ResultTable, chosen_columns
    from harness.rows.published import for_table

    sources = map(_short, found.runs)
    emit_table(chosen_columns(rows, columns) if columns else ResultTable(for_table(rows), sources), output)
    if output is None and not columns:
        _print_sustained(found.records)


def _emit_pivot(
    rows: Sequence[Mapping[str, Any]],
    by: str,
    columns: Sequence[str] | None,
    format: str,
    output: Path | None,
) -> None:
    """Print a table for each value of a column."""
    from harness.report import pivot

    if columns:
        raise UsageError(
            "--columns does not go with --group-by in a table: leave one of them out, or use json"
        )
    blocks = pivot.make_blocks(rows, by)
    if format == "markdown":
        emit_text(pivot.to_markdown(blocks, by), output)
    else:
        from harness.report.pivot_table import PivotTable

        emit_table(PivotTable(blocks, by), output)
    hidden = pivot.passed_over(rows, by)
    if hidden:
        warn(
            f"{hidden} older rows of the same model, device and delegate are not shown; --format json has them all"
        )


def _print_sustained(records: Sequence[StoredRecord]) -> None:
    """Print latency over time, where a run was made for that."""
    from harness.rows.sustained_rows import shown, sustained_rows

    rows = [shown(row) for row in sustained_rows(records)]
    if rows:
        emit(rows, list(rows[0]))


def _short(path: Path) -> Path:
    """A path below the working folder is shown as the user would type it."""
    with contextlib.suppress(ValueError):
        return path.resolve().relative_to(Path.cwd())
    return path
