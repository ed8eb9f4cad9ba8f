"""Cache the rows of large reports, so that records need not be understood nor samples summarized again.

The cache lies in the user's cache folder, never beside the records. A row is used only while the record's bytes have
the checksum that they had, the cell's other files the size and time of change, and the code that makes rows is the
same; otherwise it is made again. Whatever goes wrong with the cache, figures are right and at most slow.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec

from harness import atomic
from harness.cards import cache_folder
from harness.paths import resolved
from harness.records.files import read_whole
from harness.records.records import StoredRecord
from harness.rows.identity import Origin
from harness.version import __version__

LEAST_CELLS = 50
"""Rows of fewer cells are not cached: they are made in some hundredths of a second."""
SETTLED_S = 5.0
"""A file that changed more recently may change again with the same time of change; its cell is not cached."""
_CODE = ("", "rows", "records", "statistics")
"""Rooms of the package that a row depends on."""

Stamp = tuple[tuple[str, int, int], ...]
"""(name, time of change in ns, size) of files."""


class KeptRow(msgspec.Struct, frozen=True, array_like=True):
    """A row, and what else a table takes of a record.

    Attributes:
        record_crc32: The checksum of the record's bytes.
        files: The stamp of the cell's other files.
        values: The values of the public columns.
        origin: What the model is a version of.
        sustained: Whether it was measured under sustained load.
    """

    record_crc32: int
    files: Stamp
    values: tuple[Any, ...]
    origin: Origin
    sustained: bool


class _CachedRun(msgspec.Struct, frozen=True, array_like=True):
    code: Stamp
    cells: dict[str, KeptRow]


_DECODER = msgspec.msgpack.Decoder(_CachedRun)


class RowCache:
    """The kept rows of one run.

    Args:
        run: The run's folder.
        code: What `code_stamp` gives; None keeps nothing.
    """

    def __init__(self, run: Path, code: Stamp | None) -> None:
        self._code, self._is_new = code, False
        self._file = None if code is None else _file(run)
        self._known = {} if code is None or self._file is None else _read(self._file, code)

    def row(self, folder: str, crc32: int) -> KeptRow | None:
        """Return the row of a cell whose record's bytes have a checksum, if it is kept and no file has changed."""
        kept = self._known.get(_name(folder))
        if kept is None or kept.record_crc32 != crc32:
            return None
        return kept if _is_unchanged(folder, kept.files) else None

    def stamp(self, stored: StoredRecord) -> Stamp | None:
        """Stamp the files that a record names; None where that is not possible, or nothing is to be kept."""
        return None if self._code is None else _stamp(str(stored.folder), stored.files[1:])

    def keep(self, folder: str, row: KeptRow) -> None:
        """Keep the row of a cell, unless its files may still change without a trace."""
        if _is_settled(row.files):
            self._known[_name(folder)] = row
            self._is_new = True

    def save(self) -> None:
        """Write what is new, if the folder can be written."""
        if self._file is None or self._code is None or not self._is_new:
            return
        with contextlib.suppress(OSError, ValueError, TypeError, OverflowError):
            data = msgspec.msgpack.encode(_CachedRun(self._code, self._known))
            _write(self._file, zlib.crc32(data).to_bytes(4, "big") + data)


def _name(folder: str) -> str:
    return folder.rpartition("/")[2]


def code_stamp() -> Stamp:
    """Stamp the code that makes rows."""
    package = Path(__file__).parent.parent
    found = [(__version__, 0, 0)]
    for room in _CODE:
        names = sorted(file.name for file in (package / room).glob("*.py"))
        found += _stamp(str(package / room), names) or ()
    return tuple(found)


def _read(file: Path, code: Stamp) -> dict[str, KeptRow]:
    try:
        data = read_whole(file)
        if zlib.crc32(memoryview(data)[4:]) != int.from_bytes(data[:4], "big"):
            return {}
        cached = _DECODER.decode(memoryview(data)[4:])
    except (OSError, msgspec.MsgspecError):
        return {}
    return cached.cells if cached.code == code else {}


def _write(file: Path, data: bytes) -> None:
    """Write a file whole or not at all; not forced to the disk, since its loss does no harm."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(file) as temporary:
        temporary.write_bytes(data)


def _file(run: Path) -> Path:
    name = hashlib.sha256(os.fsencode(resolved(run))).hexdigest()[:32]
    return cache_folder() / "rows" / f"{name}.msgpack"


def _stamp(folder: str, names: Iterable[str]) -> Stamp | None:
    """Stamp files; None where that is not possible. Detections may have been removed."""
    stamp = []
    try:
        for name in names:
            try:
                found = os.stat(f"{folder}/{name}")  # noqa: PTH116 (50,000 files)
                stamp.append((name, found.st_mtime_ns, found.st_size))
            except FileNotFoundError:
                stamp.append((name, 0, 0))
    except (OSError, ValueError):
        return None
    return tuple(stamp)


def _is_unchanged(folder: str, stamp: Stamp) -> bool:
    """Whether a stamp is still that of its files."""
    try:
        for name, change, size in stamp:
            found = os.stat(f"{folder}/{name}")  # noqa: PTH116 (50,000 files)
            if found.st_mtime_ns != change or found.st_size != size:
                return False
    except (OSError, ValueError):
        return _stamp(folder, [name for name, _, _ in stamp]) == stamp
    return True


def _is_settled(stamp: Stamp) -> bool:
    newest = max((change for _, change, _ in stamp), default=0)
    return time.time() - newest / 1e9 > SETTLED_S
