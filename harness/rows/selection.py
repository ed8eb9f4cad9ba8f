"""Find the runs that a user names, and sort their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import RecordError, UnknownNameError, UsageError
from harness.paths import is_folder
from harness.records.records import find_runs, measured_nothing
from harness.rows.columns import check_names

LATEST = "latest"

Row = Mapping[str, Any]


def find_folders(names: Sequence[str], results: Path) -> list[Path]:
    """Return the folders that a user names as RUN…; the newest run where nothing is named.

    Args:
        names: Run ids, unique beginnings of one, `latest` (the newest in which not every cell was skipped), or folders
            (of one run or of several); the name of the folder `results` alone is that folder, from anywhere.
        results: The folder in which runs are looked up by id.

    Raises:
        RecordError: There is no run yet.
        UnknownNameError: No such run; near misses are listed.
        UsageError: The beginning of several runs.
    """
    return [_find(name, results) for name in names or (LATEST,)]


def _find(name: str, results: Path) -> Path:
    runs = {run.name: run for run in find_runs(results)}
    if name == LATEST:
        if not runs:
            raise RecordError(f"{results}: no run there yet; `harness run` makes one")
        newest_first = list(reversed(runs.values()))
        return next((run for run in newest_first if not measured_nothing(run)), newest_first[0])
    if name in runs:
        return runs[name]
    if is_folder(name):
        return Path(name)
    if name.rstrip("/") == results.name and is_folder(results):  # from a folder below the workspace
        return results
    return _by_beginning(name, runs, results)


def _by_beginning(name: str, runs: Mapping[str, Path], results: Path) -> Path:
    matches = [run for run in runs if name and run.startswith(name)]
    if len(matches) > 1:
        raise UsageError(
            f"run {name!r}: the beginning of {len(matches)} runs: {', '.join(matches[-5:])}; give more of it"
        )
    if not matches:
        raise UnknownNameError("run", name, runs, hint=f"Looked in {results}; a folder does as well.")
    return runs[matches[0]]


def sort_rows(rows: Sequence[Row], by: str | None) -> list[Row]:
    """Sort rows by a column, descending for `-COLUMN`; rows where it is unknown come last in their old order.

    Raises:
        UnknownNameError: No such column; near misses are listed.
    """
    if by is None:
        return list(rows)
    (name,) = check_names([by.removeprefix("-")])
    known = [row for row in rows if row[name] is not None]
    unknown = [row for row in rows if row[name] is None]
    return sorted(known, key=lambda row: _sortable(row[name]), reverse=by.startswith("-")) + unknown


def _sortable(value: Any) -> Any:
    """Return a value that can be compared: of objects in a list their values as text."""
    return [str(one) for one in value] if isinstance(value, list) else value
