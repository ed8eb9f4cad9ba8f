"""`harness.load_results`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.frames import to_frame

if TYPE_CHECKING:
    import pandas as pd

    from harness.rows.frame import Results
    from harness.rows.reading import RowResults
    from harness.workspace import Workspace


def load_results(
    *runs: str | Path,
    columns: Sequence[str] = (),
    sort: str | None = None,
    group_by: str | None = None,
    with_published: bool = False,
    operators: bool = False,
    workspace: str | Path | None = None,
) -> pd.DataFrame:
    """Load stored runs as one DataFrame, as `harness report` does.

    A record that cannot be read is passed over with a warning.

    Args:
        runs: Runs' ids, the beginnings of some, `latest`, or folders with one or several runs; nothing for all runs
            of the workspace's `results/`.
        columns: Only these columns, in this order; nothing for all.
        sort: A column to sort by, with a leading `-` descending; unknown values come last.
        group_by: A column: rows with equal values of it come one after the other.
        with_published: Whether what is published of these models and devices follows, with `published` as its status,
            and your rows have the ratios to it.
        operators: Return the time of each kind of operator instead, where it was recorded.
        workspace: Folder with devices/ and models/; its `results/` is searched.

    Returns:
        The result columns of `results/README.md`, one row a cell, with nullable dtypes.

    Raises:
        UsageError: No such run or column, no operators were recorded, or options that exclude each other.

    Example:
        >>> import harness
        >>> frame = harness.run("shapes-float32", delegates="cpu:1", accuracy=False, repetitions=2, min_seconds=0.1)
        >>> best = harness.load_results("results", sort="latency_median_ms", columns=["model", "latency_median_ms"])
        >>> best["model"][0]
        'shapes-float32'
    """
    from harness.rows.frame import UnreadableRecordWarning, read_results
    from harness.rows.reading import RowResults, read_rows
    from harness.rows.selection import find_folders
    from harness.workspace import find_workspace

    place = find_workspace(workspace)
    folders = find_folders([str(run) for run in runs], place.results) if runs else [place.results]
    found = read_results(folders) if operators else read_rows(folders)
    for text in found.warnings:
        warnings.warn(text, UnreadableRecordWarning, stacklevel=2)
    if not isinstance(found, RowResults):
        return _operators(found, any((columns, sort, group_by, with_published)))
    return _rows(found, place, columns, sort, group_by, with_published)


def _rows(
    found: RowResults,
    workspace: Workspace,
    columns: Sequence[str],
    sort: str | None,
    group_by: str | None,
    with_published: bool,
) -> pd.DataFrame:
    import pandas as pd

    from harness.report.results import ResultsView, paired_rows, select_rows
    from harness.rows import columns as public
    from harness.rows import frame
    from harness.rows.beside import COLUMNS, NOTE, known_aliases
    from harness.rows.published import published_rows

    chosen = public.check_names(columns or public.NAMES)
    beside = published_rows(workspace) if with_published else ()
    view = ResultsView((), sort, group_by, beside, known_aliases(workspace) if beside else {})
    own, view, _ = paired_rows(found, found.rows, view)
    rows = select_rows(own, view)
    result = frame.rows_to_frame(rows, chosen)
    for name in COLUMNS if with_published and not columns else ():
        result[name] = pd.array([row[name] for row in rows], dtype="string" if name == NOTE else "Float64")
    return result


def _operators(found: Results, others: bool) -> pd.DataFrame:
    from harness.errors import UsageError
    from harness.rows import operators

    if others:
        raise UsageError("operators=True goes with none of columns, sort, group_by and with_published")
    rows = operators.recorded_rows(found.records, found.runs)
    return to_frame(rows, operators.COLUMNS, operators.remarks(found.records))
