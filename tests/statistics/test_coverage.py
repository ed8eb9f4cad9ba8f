"""How often the interval of the median holds it: a short version of tests/benchmarks/bench_statistics.py, seeded."""

import math

import numpy as np
import pytest

from harness.statistics import latency as stats
from tests.support.durations import MS, lognormal


def covered(processes_of, truth: float, repetitions: int = 400) -> float:
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(repetitions):
        interval = stats.median_interval(processes_of(rng))
        hits += interval is not None and interval[0] <= truth <= interval[1]
    return hits / repetitions


@pytest.mark.parametrize("n_processes", [2, 3, 5, 10])
@pytest.mark.parametrize("process_sd", [0.0, 0.01, 0.05])
def test_the_interval_covers_the_median_in_95_percent_of_cases(n_processes, process_sd):
    def processes(rng):
        return [
            lognormal(rng, 60, level=10 * math.exp(process_sd * rng.standard_normal()))
            for _ in range(n_processes)
        ]

    assert 0.92 <= covered(processes, 10.0 * MS) <= 0.98


def test_the_interval_covers_the_median_when_each_process_has_one_of_two_states():
    def processes(rng):
        return [lognormal(rng, 60, level=12.0 if rng.random() < 0.3 else 10.0) for _ in range(5)]

    states = np.random.default_rng(8)
    medians = [
        np.median(lognormal(states, 60, level=12.0 if states.random() < 0.3 else 10.0)) for _ in range(20_001)
    ]
    assert 0.92 <= covered(processes, float(np.median(medians))) <= 0.99


def test_one_process_of_independent_samples_covers_its_median():
    assert 0.92 <= covered(lambda rng: [lognormal(rng, 200)], 10.0 * MS) <= 0.99
