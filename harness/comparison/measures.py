"""The columns of two cells that can be compared with a known uncertainty: one number a process, or an exact fact.

The process is the unit, as everywhere (`harness.statistics.latency`): of each process one number is taken, and
`harness.statistics.comparing` compares the two groups. A time, a rate or a memory figure of a row of results is one
number of all processes together and does not tell what the next process would have given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from harness.records.records import ProcessFacts, StoredRecord, SummaryFacts
from harness.rows import process_summaries as stats_summaries
from harness.rows.summary import steady_by_process
from harness.statistics import comparing
from harness.statistics.comparing import Difference
from harness.statistics.latency import Durations
from harness.statistics.paired import compare_rounds

Kind = Literal["samples", "process", "exact", "paired"]

_RATE_SCALE = 1e15
"""Rates are stored as inferences in 10^6 s, so that they are large whole numbers like times in ns."""


@dataclass(frozen=True)
class Measure:
    """One column that can be compared.

    Attributes:
        kind: The source of its spread: the samples of each process, a fact of each process, none (it is exact), or the
            images that both models saw.
        of_samples: Takes the number from one process's steady durations in ns.
        of_summary: Takes it from a native tool's summary of the process; None where the summary lacks it.
        of_process: Takes it from a process's facts.
        is_time: Whether heat, the clock and other programs change it.
    """

    kind: Kind
    of_samples: Callable[[Durations], float] | None = None
    of_summary: Callable[[SummaryFacts], float | None] | None = None
    of_process: Callable[[ProcessFacts], float | None] | None = None
    is_time: bool = False


def _quantile(q: float) -> Callable[[Durations], float]:
    return lambda durations: float(np.quantile(durations, q))


def _untold(_: SummaryFacts) -> None:
    return None


def _rate(mean_ns: float) -> float | None:
    return _RATE_SCALE / mean_ns if mean_ns > 0 else None


MEASURES: Mapping[str, Measure] = {
    "latency_median_ms": Measure(
        "samples", lambda d: float(np.median(d)), lambda s: s.median_ns, is_time=True
    ),
    "latency_mean_ms": Measure("samples", lambda d: float(np.mean(d)), lambda s: s.mean_ns, is_time=True),
    "latency_p90_ms": Measure("samples", _quantile(0.90), _untold, is_time=True),
    "latency_p95_ms": Measure("samples", _quantile(0.95), _untold, is_time=True),
    "latency_p99_ms": Measure("samples", _quantile(0.99), _untold, is_time=True),
    "fps": Measure(
        "samples", lambda d: _RATE_SCALE / float(np.mean(d)), lambda s: _rate(s.mean_ns), is_time=True
    ),
    "init_ms": Measure("process", of_process=lambda p: p.init_ns, is_time=True),
    "first_inference_ms": Measure("process", of_process=lambda p: p.first_inference_ns, is_time=True),
    "peak_memory_mb": Measure("process", of_process=lambda p: p.peak_memory_bytes),
    "size_bytes": Measure("exact"),
    "delegated_nodes": Measure("exact"),
    "total_nodes": Measure("exact"),
    "npu_taken": Measure("exact"),
    "npu_partitions": Measure("exact"),
    "map": Measure("paired"),
}
"""The columns that a gate can judge, by their public names."""


def difference(column: str, base: Sequence[StoredRecord], new: Sequence[StoredRecord]) -> Difference:
    """Compare a column that has one number a process.

    Args:
        column: One of `MEASURES` that is not exact or paired.
        base: The records of the reference: one, or one a run. Several on both sides are the units, each with the median
            of its processes; else the processes of the last of each side are.
        new: The records to judge.

    Raises:
        RecordError: A file of samples is missing or is not one of ours.
    """
    measure = MEASURES[column]
    if min(len(base), len(new)) > 1:
        first, second = ([_values(measure, stored) for stored in side] for side in (base, new))
        return comparing.compare(first, second, unit="runs")
    first, second = (list(_values(measure, side[-1])[:, None]) for side in (base, new))
    return comparing.compare(first, second)


def difference_in_turn(column: str, base: Sequence[StoredRecord], new: Sequence[StoredRecord]) -> Difference:
    """Compare a column of cells that the same runs measured: round by round, of several runs run by run.

    Arguments and errors are those of `difference`.
    """
    measure = MEASURES[column]
    if len(base) == 1:
        numbers = [_numbers(measure, side[0]) for side in (base, new)]
        groups = [{k: _whole([value]) for k, value in side.items()} for side in numbers]
        return compare_rounds(*_aligned(*groups))
    runs = [{one.record.run_id: _values(measure, one) for one in side} for side in (base, new)]
    return compare_rounds(*_aligned(*runs), unit="runs")


_K = TypeVar("_K", int, str)


def _aligned(
    first: dict[_K, Durations], second: dict[_K, Durations]
) -> tuple[list[Durations], list[Durations]]:
    """Return what each side gave in each round, in order; nothing where a round has nothing of it."""
    keys = sorted(first.keys() | second.keys())
    return [first.get(key, _whole([])) for key in keys], [second.get(key, _whole([])) for key in keys]


def _whole(values: Iterable[float]) -> Durations:
    return np.array([round(value) for value in values], dtype=np.int64)


def _values(measure: Measure, stored: StoredRecord) -> Durations:
    """Return one whole number a process."""
    return _whole(_numbers(measure, stored).values())


def _numbers(measure: Measure, stored: StoredRecord) -> dict[int, float]:
    """Return the numbers of the processes that gave one, by the number of the process."""
    processes = stored.record.processes
    if measure.of_process is not None:
        found = {process.index: measure.of_process(process) for process in processes}
        return {index: float(value) for index, value in found.items() if value is not None}
    assert measure.of_samples is not None
    assert measure.of_summary is not None
    told = stats_summaries.summaries_by_process(stored.record)
    if told:
        values = {index: measure.of_summary(summary) for index, summary in told.items()}
        return {index: value for index, value in values.items() if value is not None}
    steady = steady_by_process(stored)
    return {index: measure.of_samples(durations) for index, durations in steady.items() if durations.any()}
