"""Cache the summaries of large reports' samples, so that they need not be computed again.

The cache lies in the user's cache folder, never beside the records. A summary is used only while the cell's files have
the size and time of change that they had when it was computed, and while the code that computes it is the same;
otherwise it is computed from the samples. Whatever goes wrong with the cache, figures are right and at most slow.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from harness import atomic
from harness.cards import cache_folder
from harness.paths import resolved
from harness.records import samples
from harness.records.records import StoredRecord
from harness.rows import process_summaries as stats_summaries
from harness.rows import summary
from harness.statistics import distributions, drift, mlperf
from harness.statistics import latency as stats
from harness.statistics.latency import LatencySummary

LEAST_CELLS = 50
"""Fewer cells are not cached: they are summarized in some hundredths of a second."""
SETTLED_S = 5.0
"""A file that changed more recently may change again with the same time of change; its cell is not cached."""
_CODE = (distributions, drift, mlperf, samples, stats, stats_summaries, summary)

Stamp = tuple[tuple[str, int, int], ...]
"""(name, time of change in ns, size) of the files that belong to a cell."""


class _Entry(msgspec.Struct, frozen=True):
    stamp: Stamp
    summary: LatencySummary | None


class _CachedRun(msgspec.Struct, frozen=True):
    code: Stamp
    cells: dict[str, _Entry]


def summarize_all(stored: Sequence[StoredRecord]) -> Iterator[LatencySummary | Exception | None]:
    """Summarize records, in order; return the `RecordError` in place of a summary that fails."""
    from harness.errors import RecordError

    by_run = _RunSummaries(enabled=len(stored) >= LEAST_CELLS)
    for one in stored:
        try:
            yield by_run.summary(one)
        except RecordError as error:
            yield error
    by_run.save()


class _RunSummaries:
    """The summaries of the run that is being read; records are read run by run."""

    def __init__(self, *, enabled: bool) -> None:
        self._enabled = enabled
        self._code = _code_stamp() if enabled else ()
        self._run: Path | None = None
        self._known: dict[str, _Entry] = {}
        self._is_new = False

    def summary(self, stored: StoredRecord) -> LatencySummary | None:
        """Return the cached summary, or compute it."""
        if not self._enabled:
            return _summarized(stored)
        self._switch_to(stored.folder.parent)
        stamp = _stamp(stored)
        entry = self._known.get(stored.folder.name)
        if entry is not None and entry.stamp == stamp:
            return entry.summary
        found = _summarized(stored)
        if _is_settled(stamp):
            self._known[stored.folder.name] = _Entry(stamp, found)
            self._is_new = True
        return found

    def _switch_to(self, run: Path) -> None:
        if run != self._run:
            self.save()
            self._run, self._known, self._is_new = run, _read(run, self._code), False

    def save(self) -> None:
        """Write what was computed, if the folder can be written."""
        if self._run is not None and self._is_new:
            with contextlib.suppress(OSError):
                _write(_file(self._run), msgspec.msgpack.encode(_CachedRun(self._code, self._known)))


def _summarized(stored: StoredRecord) -> LatencySummary | None:
    """Summarize a cell all of whose files are as they were written."""
    stored.check_files()
    return summary.summarize_record(stored)


def _read(run: Path, code: Stamp) -> dict[str, _Entry]:
    try:
        cached = msgspec.msgpack.decode(_file(run).read_bytes(), type=_CachedRun)
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
    return cache_folder() / "summaries" / f"{name}.msgpack"


def _stamp(stored: StoredRecord) -> Stamp:
    """Stamp the files of a cell; () where that is not possible. Detections may have been removed."""
    folder = str(stored.folder)
    try:
        return tuple([(name, *_change(f"{folder}/{name}")) for name in stored.files])
    except (OSError, ValueError):
        return ()


def _change(path: str | Path) -> tuple[int, int]:
    try:
        found = os.stat(path)  # noqa: PTH116 (60,000 files)
    except FileNotFoundError:
        return 0, 0
    return found.st_mtime_ns, found.st_size


def _is_settled(stamp: Stamp) -> bool:
    return bool(stamp) and time.time() - max(change for _, change, _ in stamp) / 1e9 > SETTLED_S


def _code_stamp() -> Stamp:
    files = [Path(module.__file__ or "") for module in _CODE]
    return tuple((file.name, *_change(file)) for file in files)
