"""The columns of two cells that can be compared with a known uncertainty: one number a process, or an exact fact.

The process is the unit, as everywhere (`harness.statistics.latency`): of each process one number is taken, and
`harness.statistics.comparing` compares the two groups. A time, a rate or a memory figure of a row of results is one
number of all processes together and does not tell what the next process would have given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from harness.records.records import ProcessFacts, StoredRecord, SummaryFacts
from harness.rows import process_summaries as stats_summaries
from harness.rows.summary import steady_durations
from harness.statistics import comparing
from harness.statistics.comparing import Difference
from harness.statistics.latency import Durations

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


def _values(measure: Measure, stored: StoredRecord) -> npt.NDArray[np.int64]:
    """Return one whole number a process."""
    return np.array([round(value) for value in _numbers(measure, stored)], dtype=np.int64)


def _numbers(measure: Measure, stored: StoredRecord) -> Sequence[float]:
    if measure.of_process is not None:
        found: list[Any] = [measure.of_process(process) for process in stored.record.processes]
        return [value for value in found if value is not None]
    assert measure.of_samples is not None
    assert measure.of_summary is not None
    told = stats_summaries.summaries_of(stored.record)
    if told:
        return [value for summary in told if (value := measure.of_summary(summary)) is not None]
    return [measure.of_samples(durations) for durations in steady_durations(stored) if durations.any()]
