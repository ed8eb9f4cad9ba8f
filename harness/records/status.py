"""The status of a cell, from the facts of its processes and its accuracy (law 1, law 5, law 10)."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from harness.delegates import KINDS, UNKNOWN, kind_in
from harness.records.records import AccuracyFacts, DelegateFacts, ProcessFacts, Record
from harness.vocabulary import CUT_SHORT, MEASURED, WORST_FIRST, Status


def status_of(record: Record) -> tuple[Status, tuple[str, ...]]:
    """Return status and reasons of a cell.

    A failure of any of its processes is the cell's; then come outputs that cannot be right, then a delegate other
    than the requested one, or one that took only a part of the graph.
    """
    parts: list[ProcessFacts | AccuracyFacts] = [*record.processes]
    if record.accuracy is not None:
        parts.append(record.accuracy)
    for status in WORST_FIRST:
        reasons = tuple(reason for part in parts if part.status == status for reason in part.reasons)
        if any(part.status == status for part in parts):
            return status, tuple(dict.fromkeys(reasons))
    for delegate in _delegates(record):
        fallback = _fallback(delegate)
        if fallback is not None:
            return Status.FALLBACK, (fallback,)
    remarks = dict.fromkeys(reason for part in parts for reason in part.reasons)
    for delegate in _delegates(record):
        partial = _partial(delegate)
        if partial is not None:
            return Status.PARTIAL, tuple(dict.fromkeys([partial, *remarks]))
    return Status.OK, tuple(remarks)


def has_own_times(record: Record) -> bool:
    """Return whether the times of a cell are those of the requested delegate, whatever became of its accuracy.

    An accuracy run that failed or hung says nothing of them; outputs that are wrong do.
    """
    if record.status in MEASURED:
        return True
    if record.status not in CUT_SHORT or record.accuracy is None or not record.processes:
        return False
    return status_of(replace(record, accuracy=None))[0] in MEASURED


def _delegates(record: Record) -> Iterator[DelegateFacts]:
    yield from (process.delegate for process in record.processes if process.delegate is not None)
    if record.accuracy is not None and record.accuracy.delegate is not None:
        yield record.accuracy.delegate


def _fallback(delegate: DelegateFacts) -> str | None:
    """Say what ran instead, where that is proven; None where the requested delegate ran or nothing is proven."""
    kind = KINDS.get(kind_in(delegate.requested))
    if kind is None or delegate.actual in {kind.runs_as, UNKNOWN}:
        return None
    evidence = f" ({delegate.evidence[0]})" if delegate.evidence else ""
    return f"{delegate.requested} was asked for, but {delegate.actual} ran{evidence}"


def _partial(delegate: DelegateFacts) -> str | None:
    """Say what an accelerator left to the CPU; None where it took everything or that is not known."""
    nodes, total = delegate.delegated_nodes, delegate.total_nodes
    kind = KINDS.get(kind_in(delegate.requested))
    if (kind is not None and kind.on_cpu) or nodes is None or total is None or nodes >= total:
        return None
    left = next((f" ({text})" for text in delegate.evidence if text.startswith("left to the CPU")), "")
    return f"{delegate.requested} took {nodes} of {total} nodes, the rest ran on the CPU{left}"


def merged_delegate(record: Record, requested: str) -> DelegateFacts:
    """The delegate of the whole cell: the first process that says something, `unknown` where none does."""
    return next(_delegates(record), DelegateFacts(requested=requested, actual=UNKNOWN))
