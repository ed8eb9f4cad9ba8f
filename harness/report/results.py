"""Render the results of runs: the table, a pivot, a page, or rows for programs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from harness.paths import resolved, working_folder
from harness.report.content import Content, Form
from harness.rows import columns as public
from harness.rows.beside import COLUMNS as BESIDE
from harness.rows.beside import Aliases, Pair, make_pairs, with_columns
from harness.rows.frame import Results, Row
from harness.rows.identity import identities_of
from harness.rows.same_images import evaluated
from harness.rows.selection import sort_rows
from harness.vocabulary import Status

PIVOT_FORMATS = frozenset({"table", "markdown"})
"""Formats in which rows that are grouped by a column become pivots; in others they stay rows."""


@dataclass(frozen=True)
class ResultsView:
    """The part of the results to show, and its order.

    Attributes:
        columns: Only these public columns; empty for all (for a table and Markdown: what a person reads).
        sort: A column; with a leading `-` descending.
        group_by: A column; a table or Markdown is then a pivot for each of its values.
        beside: Published rows, which follow the own ones where what they are of was measured.
        aliases: Other names of devices, by the profile, that published rows call them by.
        all_notes: Print every footnote below a table.
    """

    columns: Sequence[str] = ()
    sort: str | None = None
    group_by: str | None = None
    beside: Sequence[Row] = field(default=())
    aliases: Aliases = field(default_factory=dict)
    all_notes: bool = False


def results_content(found: Results, in_order: Sequence[Row], view: ResultsView) -> Content:
    """Return results as content.

    Args:
        found: The results.
        in_order: Their rows.
        view: The part to show.

    Raises:
        UnknownNameError: No such column; near misses are listed.
    """
    chosen = public.check_names(view.columns or public.NAMES)
    paired = bool(view.beside) and not view.columns
    in_order, view, pairs = paired_rows(found, in_order, view)
    rows = select_rows(in_order, view)
    for_people = [*chosen, *(["status"] if has_unsaid_status(rows, chosen) else [])]
    own: dict[str, Callable[[], Form]] = {
        "html": lambda: _page(found, in_order, view, pairs),
        "table": lambda: _table(found, rows, view, for_people, pairs),
        "markdown": lambda: _markdown(found, rows, view, for_people, pairs),
    }
    if view.group_by is not None:
        own |= {format: _pivot(found, rows, view, format) for format in PIVOT_FORMATS}
    if paired:
        own["parquet"] = lambda: Content(rows, chosen)
        return Content(rows, [*chosen, *BESIDE], own=own)
    return Content(rows, chosen, own=own)


def paired_rows(
    found: Results, in_order: Sequence[Row], view: ResultsView
) -> tuple[Sequence[Row], ResultsView, list[Pair]]:
    """Return the rows with what was published of them, the view with those published rows alone, and the pairs."""
    if not view.beside:
        return in_order, view, []
    places = {row["device"]: place for place, row in enumerate(in_order)}
    makes = {name: found.records[place].record.device.make for name, place in places.items()}
    pairs = make_pairs(in_order, view.beside, makes, view.aliases, evaluated(found.records))
    theirs = list({id(pair.published): pair.published for pair in pairs}.values())
    rows = with_columns(in_order, pairs)
    own = {id(old): new for old, new in zip(in_order, rows, strict=True)}
    pairs = [replace(pair, own=own.get(id(pair.own))) for pair in pairs]
    return rows, replace(view, beside=with_columns(theirs, ())), pairs


def select_rows(in_order: Sequence[Row], view: ResultsView) -> Sequence[Mapping[str, Any]]:
    """Return rows with the published ones, sorted, and equal values of the column of groups together.

    Raises:
        UnknownNameError: No such column; near misses are listed.
    """
    rows = sort_rows([*in_order, *view.beside], view.sort)
    if view.group_by is None:
        return rows
    from harness.report import pivot

    return pivot.grouped(rows, view.group_by)


def _page(found: Results, in_order: Sequence[Row], view: ResultsView, pairs: Sequence[Pair]) -> str:
    if view.columns:
        raise UsageError("--columns does not go with html, which has every column: leave it out")
    from harness.report.html import render

    return render(found, list(in_order), view.sort, group_by=view.group_by, beside=view.beside, pairs=pairs)


def has_unsaid_status(rows: Sequence[Mapping[str, Any]], chosen: Sequence[str]) -> bool:
    """Whether chosen columns give figures of a cell that is not ok without its status (law 1)."""
    known = [public.BY_NAME[name] for name in chosen if name in public.BY_NAME]
    figures = [column.name for column in known if column.dtype == public.NUMBER]
    odd = (row for row in rows if row["status"] != Status.OK)
    return "status" not in chosen and any(row[name] is not None for row in odd for name in figures)


def _table(
    found: Results,
    rows: Sequence[Mapping[str, Any]],
    view: ResultsView,
    chosen: Sequence[str],
    pairs: Sequence[Pair],
) -> Form:
    """Return the result table, or that of the chosen columns."""
    from harness.report.console import ChosenColumns, ResultTable
    from harness.report.published_table import PublishedTable
    from harness.report.shown import PairedAccuracy
    from harness.rows.published import PUBLISHED

    if view.columns:
        return ChosenColumns(rows, chosen)
    own = [row for row in rows if row["status"] != PUBLISHED]
    table = ResultTable(
        own,
        map(_short, found.runs),
        PairedAccuracy(found),
        all_notes=view.all_notes,
        identities=identities_of(found.origins),
    )
    if not pairs:
        return table
    from rich.console import Group

    return Group(table, "", PublishedTable(pairs))


def _markdown(
    found: Results,
    rows: Sequence[Mapping[str, Any]],
    view: ResultsView,
    chosen: Sequence[str],
    pairs: Sequence[Pair],
) -> Form:
    """Return the result table in Markdown, or the values of the chosen columns."""
    if view.columns:
        return Content(rows, chosen)
    from harness.report.console import ResultTable
    from harness.report.shown import PairedAccuracy
    from harness.rows.published import PUBLISHED

    is_shown = PairedAccuracy(found)
    own = [row for row in rows if row["status"] != PUBLISHED]
    table = ResultTable(
        own,
        map(_short, found.runs),
        is_shown,
        all_notes=view.all_notes,
        identities=identities_of(found.origins),
    ).markdown()
    if not pairs:
        return table
    from harness.report.published_table import PublishedTable

    return f"{table}\n{PublishedTable(pairs).markdown()}"


def _pivot(
    found: Results, rows: Sequence[Mapping[str, Any]], view: ResultsView, format: str
) -> Callable[[], Form]:
    """Return a table for each value of a column."""
    by = view.group_by or ""

    def make() -> Form:
        from harness.report import pivot
        from harness.report.pivot_table import PivotTable
        from harness.report.shown import PairedAccuracy

        if view.columns:
            raise UsageError(
                "--columns does not go with --group-by in a table: leave one of them out, or use json"
            )
        blocks = pivot.make_blocks(rows, by, PairedAccuracy(found))
        return pivot.to_markdown(blocks, by) if format == "markdown" else PivotTable(blocks, by)

    return make


def remarks(content: Content, view: ResultsView, format: str) -> list[str]:
    """Return sentences about results that a format does not show."""
    return [*_nothing_published(content, view), *_not_shown(content, view, format)]


def _nothing_published(content: Content, view: ResultsView) -> list[str]:
    if not view.beside or any(row["device_kind"] == "published" for row in content.rows):
        return []
    return ["no figure is published of these models on these devices: results/published has those there are"]


def _not_shown(content: Content, view: ResultsView, format: str) -> list[str]:
    if view.group_by is None or format not in PIVOT_FORMATS:
        unsaid = format not in PIVOT_FORMATS and has_unsaid_status(content.rows, content.columns)
        return ["not every row is ok, and no column says so: add `status` to --columns"] if unsaid else []
    from harness.report import pivot

    hidden = pivot.passed_over(content.rows, view.group_by)
    if not hidden:
        return []
    return [
        f"{hidden} older rows of the same model, device and delegate are not shown; --format json has them all"
    ]


def _short(path: Path) -> Path:
    """Return a path as the user would type it, relative to the working folder where it is inside."""
    with contextlib.suppress(ValueError):
        return resolved(path).relative_to(working_folder())
    return path
