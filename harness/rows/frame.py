"""Turn records into rows and a DataFrame; summaries are computed here, from the samples, whenever records are read."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from harness import units
from harness.errors import RecordError, cannot_read
from harness.records import records
from harness.records.parts import RecordParts, parts_of
from harness.records.records import StoredRecord
from harness.records.status import has_own_times
from harness.rows import columns
from harness.rows.columns import Cell
from harness.rows.identity import Origin, origin_of
from harness.vocabulary import MEASURED, NO_ACCURACY, Status, Verdict
from harness.workspace import find_workspace

if TYPE_CHECKING:
    import pandas as pd

    from harness.statistics.latency import LatencySummary

Row = dict[str, Any]
"""A cell with the public columns and plain values."""
KEY = ("run_id", "model", "model_sha256", "device", "delegate_requested")
"""The columns that tell a row from all others."""
CellKey = tuple[Any, ...]


class UnreadableRecordWarning(UserWarning):
    """A record was skipped because it cannot be read."""


@dataclass(frozen=True)
class Results:
    """The results in one or several folders.

    Attributes:
        records: The cells, oldest run first, in the order they were planned.
        runs: The folders of the runs.
        warnings: One sentence for each file that could not be read.
    """

    records: Sequence[StoredRecord]
    runs: tuple[Path, ...]
    warnings: tuple[str, ...] = ()

    @property
    def origins(self) -> Iterable[Origin]:
        """What the model of each cell is a version of."""
        return (origin_of(one.record.model) for one in self.records)

    @property
    def parts(self) -> Iterable[RecordParts]:
        """What no row has of each cell."""
        return (parts_of(one.record) for one in self.records)

    @property
    def sustained(self) -> list[StoredRecord]:
        """The cells that were measured under sustained load."""
        return [one for one in self.records if is_sustained(one.record)]

    def find(self, key: CellKey) -> StoredRecord | None:
        """Return a cell by its values of `KEY`; of several the last one."""
        place = self._places.get(key)
        return None if place is None else self.records[place]

    @cached_property
    def _places(self) -> Mapping[CellKey, int]:
        several = enumerate(one.record for one in self.records)
        return {
            (r.run_id, r.model.name, r.model.sha256, r.device.name, r.delegate.requested): n
            for n, r in several
        }


def is_sustained(record: records.Record) -> bool:
    """Whether a cell was measured under sustained load."""
    return record.settings.get("sustained") is not None


def read_results(paths: Iterable[Path]) -> Results:
    """Read the records of runs, or of all runs in folders. A file that cannot be read hides no other.

    Raises:
        RecordError: A path holds no run at all.
    """
    runs = run_folders(paths)
    found: list[StoredRecord] = []
    unread: list[str] = []
    for run in runs:
        try:
            for path in record_files(run):
                try:
                    found.append(read_cell(path))
                except RecordError as error:
                    unread.append(f"passed over: {error}")
            records.load_run(run)
        except RecordError as error:
            unread.append(str(error))
    return Results(tuple(found), runs, tuple(unread))


def load_results(paths: str | Path | Iterable[str | Path]) -> pd.DataFrame:
    """Read runs, or folders of runs, into a DataFrame with the public columns, one row a cell.

    A record that cannot be read is skipped with an `UnreadableRecordWarning`.

    Args:
        paths: One or several folders; none for the `results/` of the workspace.

    Raises:
        RecordError: A path holds no run at all.
    """
    several = [Path(paths)] if isinstance(paths, (str, Path)) else [Path(path) for path in paths]
    results = read_results(several or [find_workspace().results])
    for text in results.warnings:
        warnings.warn(text, UnreadableRecordWarning, stacklevel=2)
    return to_frame(results.records)


def to_rows(stored: Iterable[StoredRecord]) -> list[Row]:
    """Return one row of plain values a record, with every public column; None where it is unknown."""
    return checked_rows(stored)[0]


def checked_rows(stored: Iterable[StoredRecord]) -> tuple[list[Row], list[str]]:
    """Return one row a record, and a sentence for each whose samples are damaged: that row is a failed one."""
    from harness.rows.summary import summarize_records

    several = list(stored)
    found = list(summarize_records(several))
    rows = [to_row(one.record, each) for one, each in zip(several, found, strict=True)]
    return rows, [str(each) for each in found if isinstance(each, Exception)]


def to_row(record: records.Record, found: LatencySummary | Exception | None) -> Row:
    """Return the row of a record and its summary, or of what keeps its samples from being summarized."""
    return columns.take_row(_cell(record, found))


def to_frame(stored: Iterable[StoredRecord]) -> pd.DataFrame:
    """Return one row a record, with pandas' nullable types."""
    return rows_to_frame(to_rows(stored))


def rows_to_frame(rows: Sequence[Mapping[str, Any]], names: Sequence[str] = columns.NAMES) -> pd.DataFrame:
    """Return rows as a DataFrame with the types of the public columns.

    Raises:
        UnknownNameError: A name is not a public column.
    """
    import pandas as pd

    chosen = columns.check_names(names)
    return pd.DataFrame(
        {
            name: pd.Series([row.get(name) for row in rows], dtype=columns.BY_NAME[name].dtype)
            for name in chosen
        },
        columns=pd.Index(chosen),
    )


def _cell(record: records.Record, found: LatencySummary | Exception | None) -> Cell:
    if isinstance(found, Exception):
        record = replace(record, status=Status.FAILED, reasons=(str(found), *record.reasons))
        found = None
    latency = found
    verdict, judged = _judge(record, latency)
    reasons = (*record.reasons, *_instead(record, latency), *_kept(record, latency), *judged)
    if not record.complete:
        reasons = (
            "interrupted: not all of this cell was measured; continue with harness run --resume",
            *reasons,
        )
    shown = latency if has_own_times(record) else None
    return Cell(record, shown, verdict, tuple(dict.fromkeys(reasons)))


def _judge(record: records.Record, latency: LatencySummary | None) -> tuple[Verdict | None, tuple[str, ...]]:
    from harness.rows import verdict as checks

    judgment = checks.judge(record, latency)
    return judgment.verdict, tuple(judgment.reasons)


def _instead(record: records.Record, latency: LatencySummary | None) -> tuple[str, ...]:
    """Return a sentence about what ran instead of the delegate: its number must not appear in the delegate's row."""
    if record.status not in NO_ACCURACY or latency is None:
        return ()
    took = units.milliseconds(latency.median_ms)
    return (f"{record.delegate.actual} ran instead of {record.delegate.requested}: median {took} ms there",)


def _kept(record: records.Record, latency: LatencySummary | None) -> tuple[str, ...]:
    """Say that the latency stands though the accuracy failed."""
    if record.status in MEASURED or latency is None or not has_own_times(record):
        return ()
    return (f"its latency was measured before: median {units.milliseconds(latency.median_ms)} ms",)


def run_folders(paths: Iterable[Path]) -> tuple[Path, ...]:
    """Return the folders of runs, or of all runs in folders, each once.

    Raises:
        RecordError: A path holds no run at all.
    """
    return tuple(dict.fromkeys(run for path in paths for run in _runs(path)))


def _runs(path: Path) -> list[Path]:
    found = records.find_runs(path)
    if not found:
        raise RecordError(
            f"{path}: no run found; expected a folder with run.json, or a folder of such folders"
        )
    return found


def record_files(run: Path) -> Iterator[str]:
    """Return the record files of a run; a folder without one is a cell that was only begun.

    Raises:
        RecordError: The folder of the cells cannot be read.
    """
    for folder in cell_folders(run):
        if os.path.lexists(f"{folder}/record.json"):
            yield f"{folder}/record.json"


def cell_folders(run: Path) -> Iterator[str]:
    """Return what is in the folder of a run's cells, in the order that they were planned.

    Raises:
        RecordError: It cannot be read.
    """
    cells = run / "cells"
    try:
        with os.scandir(cells) as entries:
            names = sorted(entry.name for entry in entries)
    except FileNotFoundError:
        return
    except OSError as error:
        raise RecordError(cannot_read(cells, error)) from error
    yield from (f"{cells}/{name}" for name in names)


def read_cell(path: str) -> StoredRecord:
    """Read a record.

    Raises:
        RecordError: It cannot be read, is damaged, or is of a newer version.
    """
    return StoredRecord(checked_format(records.load(path, records.Record), path), Path(path).parent)


def checked_format(record: records.Record, path: str) -> records.Record:
    """Return a record that this program knows the format of.

    Raises:
        RecordError: It is a newer one.
    """
    if record.format > records.FORMAT:
        raise RecordError(
            f"{path}: its format {record.format} is newer than {records.FORMAT}; upgrade ondevice-harness"
        )
    return record
