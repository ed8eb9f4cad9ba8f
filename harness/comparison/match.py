"""Match the cells of two runs, and say why others cannot be compared.

Cells match by the model's name, the device, the delegate, the threads and the dataset. The model's hash and the
runtime's version may differ: the cost of a new file or a new runtime is what a gate measures, and both are shown.
Conditions that would make the difference one of the measurement and not of the model (`COMPARED`) must be equal. What
only the accuracy depends on, its images, is held against each other there (`harness.comparison.accuracy`).

Two models are matched where that is asked for, or where a run measured one against the other; their input sizes may
differ, too. Cells of one run are paired by round, since its processes were measured in turn.

Where both sides hold several runs of a cell, all runs that measured it alike count: the run is the highest level that
varies, so it is the unit. What lasts longer than a run (a clock's level, another program) is then part of the spread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import IncomparableError, UnknownNameError
from harness.records.engines import engine_of
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
        chosen: Whether the two models were named, and not matched by having one name.
    """

    base: StoredRecord
    new: StoredRecord
    earlier_bases: tuple[StoredRecord, ...] = ()
    earlier_news: tuple[StoredRecord, ...] = ()
    chosen: bool = False

    @property
    def name(self) -> str:
        """The cell's name, with the base's model where that has another."""
        base, new = self.base.record.model.name, self.new.record.model.name
        return name_of(self.new.record) if base == new else f"{name_of(self.new.record)} (against {base})"

    @property
    def same_runs(self) -> bool:
        """Whether each run measured both sides, so that what lasts longer is in both."""
        runs = [[stored.record.run_id for stored in side] for side in self.sides.values()]
        return sorted(runs[0]) == sorted(runs[1]) and len(set(runs[0])) == len(runs[0])

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
        return f"{self.pair.name}: {self.error()}"

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


Names = Sequence[tuple[str, str]]
"""Models that are held against each other: the base's name and the new's."""


def match(
    base: Iterable[StoredRecord],
    new: Iterable[StoredRecord],
    names: Names = (),
    *,
    only: bool = False,
    across_engines: bool = False,
) -> Matching:
    """Match the cells of two runs, or of two folders of runs.

    Of a cell that only one side measured several times, the newest complete measurement counts.

    Args:
        base: The reference.
        new: What is judged.
        names: Models to match that have different names.
        only: Whether no other cells are matched.
        across_engines: Whether cells are compared that two engines measured.

    Raises:
        UnknownNameError: A side has no model of such a name.
    """
    bases, news = list(base), list(new)
    parts = [_match(_of_model(bases, old), _of_model(news, now), chosen=True) for old, now in names]
    if not only:
        named = [{pair[side] for pair in names} for side in (0, 1)]
        rest = (
            [stored for stored in side if stored.record.model.name not in taken]
            for side, taken in zip((bases, news), named, strict=True)
        )
        parts.append(_match(*rest))
    return _across_engines(_together(parts)) if across_engines else _together(parts)


def _across_engines(found: Matching) -> Matching:
    """Compare also the pairs that nothing but the engine keeps apart."""
    odd = [one for one in found.incomparable if one.key == ENGINE]
    pairs = [one.pair for one in odd if _problem(one.pair, ENGINE) is None]
    left = tuple(one for one in found.incomparable if one.pair not in pairs)
    return replace(found, pairs=(*found.pairs, *pairs), incomparable=left)


def _of_model(records: Sequence[StoredRecord], name: str) -> list[StoredRecord]:
    found = [stored for stored in records if stored.record.model.name == name]
    if not found:
        raise UnknownNameError("model", name, {stored.record.model.name for stored in records})
    return found


def _together(parts: Sequence[Matching]) -> Matching:
    """Put the matchings of several groups of cells into one."""
    names = ("pairs", "incomparable", "missing", "added", "remarks")
    return Matching(*(tuple(one for part in parts for one in getattr(part, name)) for name in names))


def _match(base: Iterable[StoredRecord], new: Iterable[StoredRecord], *, chosen: bool = False) -> Matching:
    """Match cells by all that identifies them; by all but the model where that was chosen."""
    remarks: list[str] = []
    first, second = (_by_key(side, chosen=chosen) for side in (base, new))
    pairs: list[RecordPair] = []
    for key in [key for key in first if key in second]:
        pairs.append(_pair(first.pop(key), second.pop(key), remarks, chosen=chosen))
    for old in list(first):
        found = next((other for other in second if _near(old, other)), None)
        if found is not None:
            pairs.append(_pair(first.pop(old), second.pop(found), remarks, chosen=chosen))
    odd = [problem for pair in pairs if (problem := _problem(pair))]
    bad = {id(problem.pair) for problem in odd}
    good = tuple(pair for pair in pairs if id(pair) not in bad)
    missing, added = (
        tuple(_newest(records, remarks) for records in side.values()) for side in (first, second)
    )
    return Matching(good, tuple(odd), missing, added, tuple(remarks))


def _by_key(records: Iterable[StoredRecord], *, chosen: bool) -> dict[tuple[Any, ...], list[StoredRecord]]:
    """Return the measurements of each cell, the newest complete one last."""
    found: dict[tuple[Any, ...], list[StoredRecord]] = {}
    for stored in sorted(records, key=lambda stored: (stored.record.complete, stored.record.started_at)):
        _, *rest = _full_key(stored.record)
        key = ("", *rest) if chosen else _full_key(stored.record)
        found.setdefault(key, []).append(stored)
    return found


def _pair(
    bases: list[StoredRecord], news: list[StoredRecord], remarks: list[str], *, chosen: bool
) -> RecordPair:
    alike = [[stored for stored in side if _alike(stored, side[-1])] for side in (bases, news)]
    if min(map(len, alike)) < 2:
        return RecordPair(_newest(bases, remarks), _newest(news, remarks), chosen=chosen)
    for used, side in zip(alike, (bases, news), strict=True):
        _newest([stored for stored in side if stored not in used[:-1]], remarks)
    counts = " against ".join(str(len(side)) for side in alike)
    remarks.append(f"{name_of(news[-1].record)}: {counts} runs are compared, each one sample")
    (*earlier_bases, base), (*earlier_news, new) = alike
    return RecordPair(base, new, tuple(earlier_bases), tuple(earlier_news), chosen)


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


def _problem(pair: RecordPair, but: str = "") -> Incomparable | None:
    for key, take in COMPARED.items():
        if key == but:
            continue
        first, second = take(pair.base.record), take(pair.new.record)
        if pair.chosen and key in OF_THE_MODEL:
            continue
        if first != second and None not in (first, second):
            return Incomparable(pair, key, first, second)
    return None


def _input_size(record: Record) -> str | None:
    given = record.model.card.get("input")
    if not isinstance(given, Mapping):
        return None
    return f"{given.get('width')}×{given.get('height')}"


def _setting(name: str) -> Callable[[Record], Any]:
    return lambda record: record.settings.get(name) or False


ENGINE = "engine"
COMPARED: dict[str, Callable[[Record], Any]] = {
    "threads": lambda record: record.threads,
    "input size": _input_size,
    "device_kind": lambda record: record.device.kind,
    "device model": lambda record: record.device.make,
    "soc": lambda record: record.device.soc,
    ENGINE: engine_of,
    "mlperf": _setting("mlperf"),
    "sustained": _setting("sustained"),
}
"""Conditions that must be equal where both records state them."""
OF_THE_MODEL = frozenset({"input size"})
"""Those of them that two models may differ in that were chosen to be compared."""
