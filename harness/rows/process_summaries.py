"""Compute the latency of a cell from a tool's summaries of its processes, where the tool does not give the samples.

The same two levels as in `harness.statistics.latency`: the process is the unit of the median's interval. Only its
median is needed, and benchmark_model prints it. Figures that need the samples of all processes together are unknown: a
quantile of the whole is no function of the quantiles of its parts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.records.records import Record, SummaryFacts
from harness.statistics import latency as stats
from harness.statistics.latency import LatencySummary
from harness.units import NS_PER_MS
from harness.vocabulary import CUT_SHORT


def summaries_of(record: Record) -> list[SummaryFacts]:
    """Return the summaries of the processes that ended well."""
    return list(summaries_by_process(record).values())


def summaries_by_process(record: Record) -> dict[int, SummaryFacts]:
    """Return the same by the number of the process, which is that of its round."""
    told = [process for process in record.processes if process.summary is not None]
    return {p.index: p.summary for p in told if p.summary is not None and p.status not in CUT_SHORT}


def summarize_processes(summaries: Sequence[SummaryFacts]) -> LatencySummary | None:
    """Summarize independent processes by their own summaries.

    Args:
        summaries: One a process, in the order they ran. One without a median is skipped: versions of the tool
            before 2023 print none.

    Returns:
        The summary, with the quantiles unknown; None when no process has a median.
    """
    told = [(s, s.median_ns) for s in summaries if s.median_ns is not None and s.count > 0]
    if not told:
        return None
    medians = [np.array([median], dtype=np.int64) for _, median in told]
    counts = np.array([s.count for s, _ in told], np.float64)
    means = np.array([s.mean_ns for s, _ in told], np.float64)
    mean_ms = float(np.average(means, weights=counts)) / NS_PER_MS
    interval = stats.median_interval(medians)
    low, high = (None, None) if interval is None else (bound / NS_PER_MS for bound in interval)
    return LatencySummary(
        n_samples=int(counts.sum()),
        n_processes=len(told),
        mean_ms=mean_ms,
        std_ms=_pooled_std_ms([s for s, _ in told], counts, means),
        median_ms=stats.median_of(medians) / NS_PER_MS,
        median_low_ms=low,
        median_high_ms=high,
        p90_ms=None,
        p95_ms=None,
        p99_ms=None,
        min_ms=min(_or(s.min_ns, median) for s, median in told) / NS_PER_MS,
        max_ms=max(_or(s.max_ns, median) for s, median in told) / NS_PER_MS,
        fps=1000.0 / mean_ms if mean_ms > 0 else math.inf,
    )


def _or(value: int | None, instead: int) -> int:
    return instead if value is None else value


def _pooled_std_ms(
    summaries: Sequence[SummaryFacts], counts: stats.Floats, means: stats.Floats
) -> float | None:
    """Return the standard deviation of all samples, from the squares within the processes and those between them.

    The tool divides by n, not n - 1 (`Stat::std_deviation` in tflite/util/stats_calculator.h).
    """
    total = float(counts.sum())
    if total < 2 or any(s.std_ns is None and s.count > 1 for s in summaries):
        return None
    within = sum(s.count * float(s.std_ns or 0) ** 2 for s in summaries)
    between = float((counts * (means - np.average(means, weights=counts)) ** 2).sum())
    return math.sqrt((within + between) / (total - 1)) / NS_PER_MS
