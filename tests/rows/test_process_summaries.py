"""The latency of a cell from the summaries of its processes agrees with the one from their samples."""

import numpy as np
import pytest

from harness.records.records import SummaryFacts
from harness.rows.process_summaries import summarize_processes
from harness.statistics import latency as stats


def told(durations):
    """What benchmark_model tells of samples: the deviation divides by n, the median is one of the samples."""
    ordered = np.sort(durations)
    return SummaryFacts(
        count=len(durations),
        mean_ns=round(float(durations.mean())),
        std_ns=round(float(durations.std())),
        min_ns=int(ordered[0]),
        max_ns=int(ordered[-1]),
        median_ns=int(ordered[len(ordered) // 2]),
    )


@pytest.mark.parametrize("n_processes", [2, 3, 5, 6, 11])
def test_summaries_give_what_the_samples_give(n_processes):
    chance = np.random.default_rng(n_processes)
    processes = [
        (chance.lognormal(0, 0.1, 101 + 10 * k) * 1e6 * (1 + 0.02 * k)).astype(np.int64)
        for k in range(n_processes)
    ]
    exact = stats.summarize(processes)
    found = summarize_processes([told(durations) for durations in processes])
    for name in ("n_samples", "n_processes"):
        assert getattr(found, name) == getattr(exact, name)
    for name in (
        "mean_ms",
        "std_ms",
        "median_ms",
        "median_low_ms",
        "median_high_ms",
        "min_ms",
        "max_ms",
        "fps",
    ):
        assert getattr(found, name) == pytest.approx(getattr(exact, name), rel=2e-3), name
    assert (found.p90_ms, found.p95_ms, found.p99_ms) == (None, None, None)


def test_one_process_has_no_interval():
    found = summarize_processes([SummaryFacts(count=50, mean_ns=2_000_000, median_ns=1_900_000)])
    assert (found.median_ms, found.median_low_ms, found.median_high_ms) == (1.9, None, None)
    assert found.std_ms is None


def test_a_process_without_a_median_is_passed_over():
    without = SummaryFacts(count=50, mean_ns=2_000_000)
    assert summarize_processes([without]) is None
    assert summarize_processes([without, SummaryFacts(count=1, mean_ns=5, median_ns=5)]).n_processes == 1


def test_no_process_gives_no_summary():
    assert summarize_processes([]) is None
