"""Read runs into rows, a few records at a time: a report of 10,000 cells needs the rows of all, and few of the records.

Rows that an earlier report made are taken from the cache (`row_cache`). The records themselves are read again where one
is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple, overload

from harness.errors import RecordError, cannot_read
from harness.records import records
from harness.records.files import checksum, read_whole
from harness.records.parts import RecordParts
from harness.records.records import Record, StoredRecord
from harness.rows import frame
from harness.rows.columns import NAMES
from harness.rows.frame import KEY, CellKey, Results, Row
from harness.rows.identity import Origin, origin_of
from harness.rows.row_cache import LEAST_CELLS, KeptRow, RowCache, Stamp, code_stamp

AT_ONCE = 256
"""Records that are in memory at once."""


class Records(Sequence[StoredRecord]):
    """Records that are read when they are asked for, each time anew.

    Args:
        folders: The folders of the cells.
    """

    def __init__(self, folders: Sequence[str]) -> None:
        self._folders = folders

    def __len__(self) -> int:
        """Count them."""
        return len(self._folders)

    @overload
    def __getitem__(self, index: int) -> StoredRecord: ...

    @overload
    def __getitem__(self, index: slice) -> Records: ...

    def __getitem__(self, index: int | slice) -> StoredRecord | Records:
        """Read one, or choose some.

        Raises:
            RecordError: It was changed or removed since its row was made.
        """
        if isinstance(index, slice):
            return Records(self._folders[index])
        return frame.read_cell(_record_in(self._folders[index]))

    def parts(self) -> Iterator[RecordParts]:
        """Read what no row has of each, a third of the work of reading them whole.

        Raises:
            RecordError: One was changed or removed since its row was made.
        """
        for folder in self._folders:
            yield records.load(_record_in(folder), RecordParts)


@dataclass(frozen=True)
class RowResults(Results):
    """Results with the row of each record.

    Attributes:
        records: The cells, read when they are asked for.
        rows: Rows with the public columns, in the order of the records.
        damaged: A sentence for each cell whose samples are damaged: its row is a failed one.
    """

    records: Records
    rows: tuple[Row, ...] = ()
    damaged: tuple[str, ...] = ()
    _origins: tuple[Origin, ...] = ()
    _sustained: tuple[int, ...] = ()

    @property
    def origins(self) -> Iterable[Origin]:
        """What the model of each cell is a version of."""
        return self._origins

    @property
    def parts(self) -> Iterable[RecordParts]:
        """What no row has of each cell."""
        return self.records.parts()

    @property
    def sustained(self) -> list[StoredRecord]:
        """The cells that were measured under sustained load."""
        return [self.records[place] for place in self._sustained]

    @cached_property
    def _places(self) -> Mapping[CellKey, int]:
        key_of = itemgetter(*KEY)
        return {key_of(row): place for place, row in enumerate(self.rows)}


def read_rows(paths: Iterable[Path]) -> RowResults:
    """Read the rows of runs, or of all runs in folders. A file that cannot be read hides no other.

    Raises:
        RecordError: A path holds no run at all.
    """
    runs = frame.run_folders(paths)
    listed = {run: _listed(run) for run in runs}
    n_cells = sum(len(cells) for cells in listed.values() if isinstance(cells, list))
    reading = _Reading(code_stamp() if n_cells >= LEAST_CELLS else None)
    for run, cells in listed.items():
        reading.read(run, cells)
    return reading.results(runs)


def _listed(run: Path) -> list[str] | RecordError:
    try:
        return list(frame.cell_folders(run))
    except RecordError as error:
        return error


def _record_in(folder: str) -> str:
    return f"{folder}/record.json"


class _Waiting(NamedTuple):
    """A record whose row is to be made, its place, and the checksum of its bytes."""

    place: int
    stored: StoredRecord
    crc32: int


class _Reading:
    """The runs so far.

    Args:
        code: The stamp of the code that makes rows; None where none are cached.
    """

    def __init__(self, code: Stamp | None) -> None:
        self._code = code
        self._folders: list[str] = []
        self._rows: list[Row] = []
        self._origins: list[Origin] = []
        self._sustained: list[int] = []
        self._damaged: list[str] = []
        self._unread: list[str] = []

    def results(self, runs: tuple[Path, ...]) -> RowResults:
        """Return what was read."""
        return RowResults(
            records=Records(self._folders),
            runs=runs,
            warnings=tuple(self._unread),
            rows=tuple(self._rows),
            damaged=tuple(self._damaged),
            _origins=tuple(self._origins),
            _sustained=tuple(self._sustained),
        )

    def read(self, run: Path, cells: Sequence[str] | RecordError) -> None:
        """Read a run."""
        if isinstance(cells, RecordError):
            self._unread.append(str(cells))
            return
        cache = RowCache(run, self._code)
        waiting: list[_Waiting] = []
        for folder in cells:
            made = self._cell(folder, cache)
            if made is not None:
                waiting.append(made)
            if len(waiting) == AT_ONCE:
                self._make(waiting, cache)
                waiting = []
        self._make(waiting, cache)
        cache.save()
        try:
            records.load_run(run)
        except RecordError as error:
            self._unread.append(str(error))

    def _cell(self, folder: str, cache: RowCache) -> _Waiting | None:
        """Take the row of a cell from the cache, or return its record; a folder without one is only begun."""
        path = _record_in(folder)
        try:
            data = read_whole(path)
            crc32 = checksum(data)
            kept = cache.row(folder, crc32)
            if kept is not None:
                self._add(folder, dict(zip(NAMES, kept.values, strict=True)), kept.origin, kept.sustained)
                return None
            record = frame.checked_format(records.parse(data, path, Record), path)
        except OSError as error:
            if os.path.lexists(path):
                self._unread.append(f"passed over: {cannot_read(path, error)}")
        except RecordError as error:
            self._unread.append(f"passed over: {error}")
        else:
            made = _Waiting(len(self._rows), StoredRecord(record, Path(folder)), crc32)
            self._add(folder, {}, origin_of(record.model), frame.is_sustained(record))
            return made
        return None

    def _add(self, folder: str, row: Row, origin: Origin, sustained: bool) -> None:
        if sustained:
            self._sustained.append(len(self._rows))
        self._folders.append(folder)
        self._rows.append(row)
        self._origins.append(origin)

    def _make(self, waiting: Sequence[_Waiting], cache: RowCache) -> None:
        """Make the rows of records, and keep those that need not be made again."""
        if not waiting:
            return
        from harness.rows.summary import summarize_records  # NumPy: rows that are kept need none

        stamps = [cache.stamp(one.stored) for one in waiting]
        found = summarize_records(one.stored for one in waiting)
        for one, stamp, summary in zip(waiting, stamps, found, strict=True):
            row = self._rows[one.place] = frame.to_row(one.stored.record, summary)
            if isinstance(summary, RecordError):
                self._damaged.append(str(summary))
            elif stamp is not None:
                facts = self._origins[one.place], frame.is_sustained(one.stored.record)
                cache.keep(self._folders[one.place], KeptRow(one.crc32, stamp, tuple(row.values()), *facts))
