"""A cell whose runtime is known to be wrong for its graph and threads is `incorrect`, whatever its images show."""

from __future__ import annotations

from typing import TypeVar

from msgspec.structs import replace

from harness.bench.plan import Cell
from harness.records.records import AccuracyFacts, ProcessFacts
from harness.tflite.known_faults import FoundFault, faults_of
from harness.vocabulary import Status

F = TypeVar("F", ProcessFacts, AccuracyFacts)


def with_known_faults(cell: Cell, facts: F) -> F:
    """Return what a task gave, with what is known beforehand of the runtime that gave it."""
    found: list[FoundFault] = [] if facts.runtime is None else _told(cell, facts.runtime)
    if not found:
        return facts
    wrong = any(one.incorrect for one in found) and facts.status == Status.OK
    status = Status.INCORRECT if wrong else facts.status
    return replace(facts, status=status, reasons=(*(one.sentence for one in found), *facts.reasons))


def known_reasons(cell: Cell, status: str = Status.FAILED) -> tuple[str, ...]:
    """Say what is known beforehand of a cell that failed: of which runtime, it did not come to say.

    What makes outputs wrong on whatever delegate explains those alone that were found to be so.
    """
    wrong = status == Status.INCORRECT
    return tuple(
        one.sentence for one in _told(cell, None) if one.fault.delegates or (wrong and one.incorrect)
    )


def _told(cell: Cell, runtime: str | None) -> list[FoundFault]:
    found = faults_of(cell.facts, runtime, cell.delegate.threads or 1, cell.delegate.kind_and_maker)
    return [one for one in found if not one.fault.avoided]
