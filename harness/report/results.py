"""The results of runs as content: the table, a pivot, a page, or rows for programs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.report.content import Content, Form
from harness.rows import columns as public
from harness.rows.frame import Results, Row
from harness.rows.selection import sort_rows

PIVOT_FORMATS = frozenset({"table", "markdown"})
"""Where rows that are grouped by a column become pivots; elsewhere they stay rows."""


@dataclass(frozen=True)
class Wanted:
    """What of results is wanted, and how.

    Attributes:
        columns: Only these public columns; empty for all (for a table: those that fit).
        sort: A column; with a leading `-` descending.
        group_by: A column; a table or Markdown is then a pivot for each of its values.
        beside: Published rows, which follow the own ones.
    """

    columns: Sequence[str] = ()
    sort: str | None = None
    group_by: str | None = None
    beside: Sequence[Row] = field(default=())


def results_content(found: Results, in_order: Sequence[Row], wanted: Wanted) -> Content:
    """Return results as content.

    Args:
        found: What was read.
        in_order: Its rows.
        wanted: What of them is wanted.

    Raises:
        UnknownNameError: No such column; near misses are listed.
    """
    chosen = public.check_names(wanted.columns or public.NAMES)
    rows = wanted_rows(in_order, wanted)
    own: dict[str, Callable[[], Form]] = {
        "html": lambda: _page(found, in_order, wanted),
        "table": lambda: _table(found, rows, wanted),
    }
    if wanted.group_by is not None:
        own |= {format: _pivot(rows, wanted.group_by, wanted, format) for format in PIVOT_FORMATS}
    return Content(rows, chosen, own=own)


def wanted_rows(in_order: Sequence[Row], wanted: Wanted) -> Sequence[Mapping[str, Any]]:
    """Return rows with the published ones, sorted, and equal values of the column of groups together.

    Raises:
        UnknownNameError: No such column; near misses are listed.
    """
    rows = sort_rows([*in_order, *wanted.beside], wanted.sort)
    if wanted.group_by is None:
        return rows
    from harness.report import pivot

    return pivot.grouped(rows, wanted.group_by)


def _page(found: Results, in_order: Sequence[Row], wanted: Wanted) -> str:
    if wanted.columns:
        raise UsageError("--columns does not go with html, which has every column: leave it out")
    from harness.report.html import render

    return render(found, list(in_order), wanted.sort, group_by=wanted.group_by, beside=wanted.beside)


def _table(found: Results, rows: Sequence[Mapping[str, Any]], wanted: Wanted) -> Form:
    """The result table, or the columns that were chosen."""
    from harness.report.console import ResultTable, chosen_columns
    from harness.rows.published import for_table

    if wanted.columns:
        return chosen_columns(rows, wanted.columns)
    return ResultTable(for_table(rows), map(_short, found.runs))


def _pivot(rows: Sequence[Mapping[str, Any]], by: str, wanted: Wanted, format: str) -> Callable[[], Form]:
    """A table for each value of a column."""

    def make() -> Form:
        from harness.report import pivot
        from harness.report.pivot_table import PivotTable

        if wanted.columns:
            raise UsageError(
                "--columns does not go with --group-by in a table: leave one of them out, or use json"
            )
        blocks = pivot.make_blocks(rows, by)
        return pivot.to_markdown(blocks, by) if format == "markdown" else PivotTable(blocks, by)

    return make


def remarks(content: Content, wanted: Wanted, format: str) -> list[str]:
    """Say what of the results a format does not show."""
    if wanted.group_by is None or format not in PIVOT_FORMATS:
        return []
    from harness.report import pivot

    hidden = pivot.passed_over(content.rows, wanted.group_by)
    if not hidden:
        return []
    return [
        f"{hidden} older rows of the same model, device and delegate are not shown; --format json has them all"
    ]


def _short(path: Path) -> Path:
    """A path below the working folder is shown as the user would type it."""
    with contextlib.suppress(ValueError):
        return path.resolve().relative_to(Path.cwd())
    return path
