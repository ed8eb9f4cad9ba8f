"""Many cells that are summarized at once have the figures of each alone, to the last bit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.statistics import bulk, latency

MS = 1_000_000
durations = st.lists(st.integers(0, 3) | st.integers(1, 60 * MS), min_size=1, max_size=12)
cells = st.lists(st.lists(durations, min_size=1, max_size=9), max_size=6)


def summaries_of(several):
    return [latency.summarize(cell) for cell in several]


@given(cells)
def test_cells_of_any_shape_have_the_figures_of_each_alone(several):
    arrays = [[np.array(process) for process in cell] for cell in several]
    assert bulk.summarize_many(arrays) == summaries_of(arrays)


@pytest.mark.parametrize("uneven", [0, 1, 40])
@pytest.mark.parametrize("n_processes", [2, 5, 6, 9])
def test_cells_of_many_samples_have_the_figures_of_each_alone(n_processes, uneven):
    rng = np.random.default_rng(n_processes)
    several = [
        [
            rng.lognormal(np.log(7 * MS), 0.05, 150 + rng.integers(0, uneven + 1)).astype(np.int64)
            for _ in range(n_processes)
        ]
        for _ in range(12)
    ]
    several[3][0] //= MS  # few distinct values: no median distance
    several[4] = [one + 5 * MS * (k % 2) for k, one in enumerate(several[4])]
    assert bulk.summarize_many(several) == summaries_of(several)


def test_one_slow_process_leaves_the_same_quantiles_unbounded():
    cell = [np.arange(200) * 1000 + MS * (5 if number == 2 else 1) for number in range(5)]
    found = bulk.summarize_many([cell, cell])
    assert found == summaries_of([cell, cell]) and found[0].worth


def test_blocks_are_of_cells_with_as_many_processes_and_hold_what_a_cache_holds(monkeypatch):
    monkeypatch.setattr(bulk, "BLOCK", 30)
    several = [
        [np.arange(1, n + 1)] * k
        for k, n in ((2, 5), (3, 5), (2, 5), (1, 5), (2, 5), (2, 5), (2, 40), (2, 1))
    ]
    assert bulk.summarize_many(several) == summaries_of(several)


def test_a_cell_without_a_process_has_no_summary():
    assert bulk.summarize_many([[], [np.array([MS])]]) == [None, latency.summarize([np.array([MS])])]


def test_processes_that_took_no_time_at_all_show_no_drift():
    nothing = [np.zeros(5, np.int64)] * 3
    assert latency.summarize(nothing).drift_p is None
    assert bulk.summarize_many([nothing, nothing]) == summaries_of([nothing, nothing])
