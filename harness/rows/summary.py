"""Compute a record's latency figures from its samples (law 2: summaries are computed, not stored).

A native tool does not give its samples; its summary of each process then takes the place of the process's samples.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from harness.records.records import StoredRecord
from harness.rows import process_summaries as stats_summaries
from harness.statistics import latency as stats
from harness.statistics import mlperf
from harness.statistics.latency import Durations, LatencySummary
from harness.units import NS_PER_MS
from harness.vocabulary import CUT_SHORT

MLPERF_QUANTILES = {"p90": 0.90, "p95": 0.95, "p99": 0.99}


def steady_durations(stored: StoredRecord) -> list[Durations]:
    """Return the steady durations in ns of every process that ended well and settled.

    Raises:
        RecordError: A file of samples is missing or is not one of ours.
    """
    return list(steady_by_process(stored).values())


def steady_by_process(stored: StoredRecord) -> dict[int, Durations]:
    """Return the same by the number of the process, which is that of its round."""
    kept = [process for process in stored.record.processes if process.samples]
    return {
        process.index: samples["duration_ns"][steady]
        for process, samples in zip(kept, stored.samples(), strict=True)
        if process.status not in CUT_SHORT and (steady := samples["steady"]).any()
    }


def summarize_record(stored: StoredRecord) -> LatencySummary | None:
    """Summarize a record's latency; None where nothing steady was measured.

    Raises:
        RecordError: A file of samples is missing or is not one of ours.
    """
    told = stats_summaries.summaries_of(stored.record)
    if told:
        summary = stats_summaries.summarize_processes(told)
        return summary if stored.record.settings.get("sustained") is None else _of_one_load(summary)
    durations = steady_durations(stored)
    summary = stats.summarize(durations)
    if summary is None or not stored.record.settings.get("mlperf"):
        return summary
    return _with_early_stopping(summary, np.concatenate(durations))


def _of_one_load(summary: LatencySummary | None) -> LatencySummary | None:
    """Leave out the interval: the processes of a sustained load follow each other and are not independent."""
    return None if summary is None else replace(summary, median_low_ms=None, median_high_ms=None)


def _with_early_stopping(summary: LatencySummary, durations: Durations) -> LatencySummary:
    """Replace the sample quantiles by LoadGen's early-stopping estimates."""
    found = {name: mlperf.early_stopping_estimate(durations, q) for name, q in MLPERF_QUANTILES.items()}
    estimates = {name: None if s.estimate is None else s.estimate / NS_PER_MS for name, s in found.items()}
    return replace(
        summary,
        p90_ms=estimates["p90"],
        p95_ms=estimates["p95"],
        p99_ms=estimates["p99"],
        runs_needed={name: stop.queries_needed for name, stop in found.items() if stop.estimate is None},
        worth={},
    )
