"""Match the cells of two runs, and say why others cannot be compared.

Cells match by the model's name, the device, the delegate, the threads and the dataset. The model's hash and the
runtime's version may differ: the cost of a new file or a new runtime is what a gate measures, and both are shown.
Conditions that would make the difference one of the measurement and not of the model (`COMPARED`) must be equal.

Where both sides hold several runs of a cell, all runs that measured it alike count: the run is the highest level that
varies, so it is the unit. What lasts longer than a run (a clock's level, another program) is then part of the spread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.errors import IncomparableError
from harness.records.records import Record, StoredRecord
from harness.vocabulary import MEASURED

Key = tuple[str, str, str]


@dataclass(frozen=True)
class RecordPair:
    """Two records of the same cell.

    Attributes:
        base: The newest of the reference.
        new: The newest of the new.
        earlier_bases: Further runs of the reference, oldest first; only where both sides have some.
        earlier_news: The same of the new.
    """

    base: StoredRecord
    new: StoredRecord
    earlier_bases: tuple[StoredRecord, ...] = ()
    earlier_news: tuple[StoredRecord, ...] = ()

    @property
    def sides(self) -> dict[str, tuple[StoredRecord, ...]]:
        """All records by side, oldest run first."""
        return {"base": (*self.earlier_bases, self.base), "new": (*self.earlier_news, self.new)}


@dataclass(frozen=True)
class Incomparable:
    """Two records of the same model, device and delegate that were not measured alike.

    Attributes:
        pair: The records.
        key: The condition that differs.
        first: Its value in the base.
        second: Its value in the new run.
    """

    pair: RecordPair
    key: str
    first: object
    second: object

    def __str__(self) -> str:
        """Name the cell, the key and both values."""
        return f"{name_of(self.pair.new.record)}: {self.error()}"

    def error(self) -> IncomparableError:
        """Return it as an error."""
        return IncomparableError(self.key, self.first, self.second, "cells")


@dataclass(frozen=True)
class Matching:
    """The cells of two runs: matched, incomparable, missing and added.

    Attributes:
        pairs: Cells to compare.
        incomparable: Cells that were not measured alike.
        missing: Cells of the base only.
        added: Cells of the new run only.
        remarks: Further decisions, one sentence each.
    """

    pairs: tuple[RecordPair, ...]
    incomparable: tuple[Incomparable, ...] = ()
    missing: tuple[StoredRecord, ...] = ()
    added: tuple[StoredRecord, ...] = ()
    remarks: tuple[str, ...] = ()


def match(base: Iterable[StoredRecord], new: Iterable[StoredRecord]) -> Matching:
    """Match the cells of two runs, or of two folders of runs.

    Of a cell that only one side measured several times, the newest complete measurement counts.
    """
    remarks: list[str] = []
    first, second = (_by_key(side) for side in (base, new))
    pairs: list[RecordPair] = []
    for key in [key for key in first if key in second]:
        pairs += [_pair(first.pop(key), second.pop(key), remarks)]
    for old in list(first):
        found = next((other for other in second if _near(old, other)), None)
        if found is not None:
            pairs += [_pair(first.pop(old), second.pop(found), remarks)]
    odd = [problem for pair in pairs if (problem := _problem(pair))]
    bad = {id(problem.pair) for problem in odd}
    good = tuple(pair for pair in pairs if id(pair) not in bad)
    missing, added = (
        tuple(_newest(records, remarks) for records in side.values()) for side in (first, second)
    )
    return Matching(good, tuple(odd), missing, added, tuple(remarks))


def _by_key(records: Iterable[StoredRecord]) -> dict[tuple[Any, ...], list[StoredRecord]]:
    """Return the measurements of each cell, the newest complete one last."""
    found: dict[tuple[Any, ...], list[StoredRecord]] = {}
    for stored in sorted(records, key=lambda stored: (stored.record.complete, stored.record.started_at)):
        found.setdefault(_full_key(stored.record), []).append(stored)
    return found


def _pair(bases: list[StoredRecord], news: list[StoredRecord], remarks: list[str]) -> RecordPair:
    alike = [[stored for stored in side if _alike(stored, side[-1])] for side in (bases, news)]
    if min(map(len, alike)) < 2:
        return RecordPair(_newest(bases, remarks), _newest(news, remarks))
    for used, side in zip(alike, (bases, news), strict=True):
        _newest([stored for stored in side if stored not in used[:-1]], remarks)
    counts = " against ".join(str(len(side)) for side in alike)
    remarks.append(f"{name_of(news[-1].record)}: {counts} runs are compared, each one sample")
    (*earlier_bases, base), (*earlier_news, new) = alike
    return RecordPair(base, new, tuple(earlier_bases), tuple(earlier_news))


def _alike(stored: StoredRecord, newest: StoredRecord) -> bool:
    """Whether a run measured the same file in the same way as the newest of its side."""
    first, second = stored.record, newest.record
    same = (first.model.sha256, first.runtime) == (second.model.sha256, second.runtime)
    whole = first.complete and first.status in MEASURED and bool(first.processes)
    return same and whole and all(take(first) == take(second) for take in COMPARED.values())


def _newest(records: list[StoredRecord], remarks: list[str]) -> StoredRecord:
    *others, newest = records
    for other in others:
        remarks.append(
            f"{name_of(newest.record)}: measured several times; run {newest.record.run_id} counts, "
            f"{other.record.run_id} is passed over"
        )
    return newest


def name_of(record: Record) -> str:
    """Return the name of a cell for messages."""
    return f"{record.model.name} on {record.device.name}, {record.delegate.requested}"


def _full_key(record: Record) -> tuple[Any, ...]:
    return (*_short_key(record), record.threads, record.accuracy and record.accuracy.dataset)


def _short_key(record: Record) -> Key:
    return record.model.name, record.device.name, record.delegate.requested


def _near(first: tuple[Any, ...], second: tuple[Any, ...]) -> bool:
    """Whether only threads or dataset differ: the pair is then comparable or an explained mismatch."""
    return first[:3] == second[:3]


def _problem(pair: RecordPair) -> Incomparable | None:
    for key, take in COMPARED.items():
        first, second = take(pair.base.record), take(pair.new.record)
        if first != second and None not in (first, second):
            return Incomparable(pair, key, first, second)
    return None


def _input_size(record: Record) -> str | None:
    given = record.model.card.get("input")
    if not isinstance(given, Mapping):
        return None
    return f"{given.get('width')}×{given.get('height')}"


def _limit(record: Record) -> object:
    """Return the requested number of evaluated images; None where there is no accuracy."""
    if record.accuracy is None:
        return None
    limit = record.settings.get("limit")
    return "all images" if limit is None else limit


def _setting(name: str) -> Callable[[Record], Any]:
    return lambda record: record.settings.get(name) or False


COMPARED: dict[str, Callable[[Record], Any]] = {
    "dataset": lambda record: record.accuracy and record.accuracy.dataset,
    "annotations_sha256": lambda record: record.accuracy and record.accuracy.annotations_sha256,
    "limit": _limit,
    "threads": lambda record: record.threads,
    "input size": _input_size,
    "device_kind": lambda record: record.device.kind,
    "device model": lambda record: record.device.make,
    "soc": lambda record: record.device.soc,
    "mlperf": _setting("mlperf"),
    "sustained": _setting("sustained"),
}
"""Conditions that must be equal where both records state them."""
