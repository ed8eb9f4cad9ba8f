"""Say what the order of two measurements leaves open."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Literal

from harness.comparison.match import RecordPair
from harness.records.engines import engine_of
from harness.records.records import StoredRecord

Order = Literal["by round", "in turn", "base first", "new first"]

CANNOT_EXCLUDE = (
    "{first} was measured before {second}, not in turn: what lasts longer than a run (heat, another program, a clock's "
    "level, an update) may be the difference"
)
IN_ONE_RUN = "; one run of both rules that out: harness run NEW --against BASE"
BY_ROUND = "both sides were measured in turn in one run and are compared round by round: what lasts longer is in both"


def order(pair: RecordPair) -> Order | None:
    """Return in which order the two sides were measured; None where nothing was timed."""
    if by_round(pair):
        return "by round"
    first, second = (sorted(_starts(side)) for side in pair.sides.values())
    if not (first and second):
        return None
    if first[-1] < second[0]:
        return "base first"
    return "new first" if second[-1] < first[0] else "in turn"


def by_round(pair: RecordPair) -> bool:
    """Whether each run measured both sides in turn, so that they can be paired: round by round, or run by run."""
    if not pair.same_runs:
        return False
    if len(pair.sides["base"]) > 1:
        return True
    starts = [
        {process.index: process.started_at for process in side[0].record.processes}
        for side in pair.sides.values()
    ]
    rounds = [sorted((starts[0][k], starts[1][k])) for k in sorted(starts[0].keys() & starts[1].keys())]
    return bool(rounds) and all(one[1] <= after[0] for one, after in pairwise(rounds))


def _starts(side: Sequence[StoredRecord]) -> Iterator[str]:
    return (process.started_at for stored in side for process in stored.record.processes)


def pairing(pairs: Iterable[RecordPair]) -> Iterator[str]:
    """Return how cells of one run are compared, one sentence for all."""
    if any(map(by_round, pairs)):
        yield BY_ROUND


def remarks(pairs: Iterable[RecordPair]) -> Iterator[str]:
    """Return what the order of the measurements cannot exclude, one sentence for all cells."""
    compared = list(pairs)
    orders = {order(pair) for pair in compared}
    advice = "" if all(map(_of_two_engines, compared)) else IN_ONE_RUN
    if "base first" in orders:
        yield CANNOT_EXCLUDE.format(first="the base", second="the new") + advice
    if "new first" in orders:
        yield CANNOT_EXCLUDE.format(first="the new", second="the base") + advice


def _of_two_engines(pair: RecordPair) -> bool:
    """Whether two engines measured the sides, which no single run does."""
    base, new = ({engine_of(stored.record) for stored in side} for side in pair.sides.values())
    return base.isdisjoint(new)
