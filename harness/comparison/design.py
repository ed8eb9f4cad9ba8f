"""Say what the order of two measurements leaves open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from harness.comparison.match import RecordPair
from harness.records.records import StoredRecord

Order = Literal["in turn", "base first", "new first"]

CANNOT_EXCLUDE = (
    "{first} was measured before {second}, not in turn: what lasts longer than a run (heat, another program, a clock's "
    "level, an update) may be the difference; several runs a side, measured A B A B, rule that out"
)


def order(pair: RecordPair) -> Order | None:
    """Return in which order the two sides were measured; None where nothing was timed."""
    first, second = (sorted(_starts(side)) for side in pair.sides.values())
    if not (first and second):
        return None
    if first[-1] < second[0]:
        return "base first"
    return "new first" if second[-1] < first[0] else "in turn"


def _starts(side: Sequence[StoredRecord]) -> Iterator[str]:
    return (process.started_at for stored in side for process in stored.record.processes)


def remarks(pairs: Iterable[RecordPair]) -> Iterator[str]:
    """Return what the order of the measurements cannot exclude, one sentence for all cells."""
    orders = {order(pair) for pair in pairs}
    if "base first" in orders:
        yield CANNOT_EXCLUDE.format(first="the base", second="the new")
    if "new first" in orders:
        yield CANNOT_EXCLUDE.format(first="the new", second="the base")
