"""Where a trace becomes steady."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.steady import FEWEST, steady_start

REPETITIONS = 60


def trace(
    rng: np.random.Generator, factors: np.ndarray, noise: float = 0.02, outliers: float = 0.01
) -> np.ndarray:
    values = 1e7 * factors * np.exp(noise * rng.standard_normal(factors.size))
    hit = rng.random(factors.size) < outliers
    values[hit] *= rng.uniform(1.2, 3.0, np.count_nonzero(hit))
    return values.astype(np.int64)


def step(n: int, position: int, height: float) -> np.ndarray:
    return np.where(np.arange(n) < position, 1.0 + height, 1.0)


def starts(make_factors, noise: float = 0.02, outliers: float = 0.01) -> list[int | None]:
    rng = np.random.default_rng(0)
    return [steady_start(trace(rng, make_factors(rng), noise, outliers)) for _ in range(REPETITIONS)]


def share_near(found: list[int | None], truth: int, tolerance: int = 5) -> float:
    return float(np.mean([start is not None and abs(start - truth) <= tolerance for start in found]))


@pytest.mark.parametrize("n", [20, 50, 200, 1000, 5000])
@pytest.mark.parametrize("noise", [0.01, 0.05])
def test_a_trace_without_warm_up_is_steady_from_the_start(n, noise):
    assert share_near(starts(lambda _: np.ones(n), noise), 0) >= 0.93


@pytest.mark.parametrize(
    ("n", "position", "height", "noise"),
    [
        (50, 10, 0.2, 0.02),
        (200, 20, 0.1, 0.02),
        (1000, 10, 1.0, 0.05),
        (1000, 50, 0.05, 0.01),
        (1000, 600, 0.1, 0.02),
        (5000, 2002, 0.5, 0.01),
    ],
)
def test_a_step_is_found_within_five_samples(n, position, height, noise):
    assert share_near(starts(lambda _: step(n, position, height), noise), position) >= 0.93


@pytest.mark.parametrize("slow", [1, 2, 3])
def test_the_first_slow_inferences_are_not_steady(slow):
    found = starts(lambda _: step(200, slow, 2.0), outliers=0.0)
    assert share_near(found, slow, tolerance=0) >= 0.9
    assert all(start is not None and start >= slow for start in found)


def test_a_faster_start_is_a_warm_up_too():
    assert share_near(starts(lambda _: step(1000, 100, -0.2)), 100) >= 0.95


def test_a_decaying_warm_up_ends_where_its_excess_is_below_the_noise():
    decay = 1.0 + np.exp(-np.arange(1000) / 20.0)
    assert share_near(starts(lambda _: decay), round(20 * np.log(1 / 0.02)), 8) >= 0.95


@pytest.mark.parametrize("change", [0.2, 0.5, -0.3])
@pytest.mark.parametrize("n", [200, 1000])
def test_a_linear_drift_never_settles(n, change):
    found = starts(lambda _: np.linspace(1.0, 1.0 + change, n))
    assert np.mean([start is None for start in found]) >= 0.95


def test_levels_that_shift_until_the_end_never_settle():
    def shifting(rng):
        return np.repeat(rng.permutation(np.linspace(1.0, 2.0, 8)), 100)

    assert np.mean([start is None for start in starts(shifting)]) >= 0.95


def test_throttling_in_the_last_tenth_is_not_steady():
    assert set(starts(lambda _: step(1000, 900, -0.4))) == {None}


def test_a_decay_that_is_still_under_way_at_the_end_never_settles():
    found = starts(lambda _: 1.0 + np.exp(-np.arange(500) / 400.0))
    assert np.mean([start is None for start in found]) >= 0.95


@pytest.mark.parametrize("dwell", [1, 3, 20, 60])
@pytest.mark.parametrize("gap", [0.1, 0.5])
def test_two_alternating_states_are_steady(dwell, gap):
    def alternating(_):
        return 1.0 + gap * (np.arange(1000) // dwell % 2)

    assert share_near(starts(alternating), 0, tolerance=dwell + 5) >= 0.95


def test_a_warm_up_before_two_alternating_states_is_found():
    factors = np.concatenate([np.full(100, 2.0), 1.0 + 0.1 * (np.arange(900) // 50 % 2)])
    assert share_near(starts(lambda _: factors, noise=0.01), 100) >= 0.95


def test_a_short_excursion_is_not_a_shift():
    factors = np.ones(1000)
    factors[700:730] = 1.5
    assert share_near(starts(lambda _: factors), 0) >= 0.95


def test_outliers_alone_do_not_unsettle_a_trace():
    assert share_near(starts(lambda _: np.ones(1000), outliers=0.05), 0) >= 0.95
    one = np.full(100, 10_000_000)
    one[-1] = 50_000_000
    assert steady_start(one) == 0


def test_ticks_of_a_coarse_clock_are_not_shifts():
    rng = np.random.default_rng(0)
    ticks = [np.where(rng.random(100) < 0.2, 65_000, 64_000) for _ in range(REPETITIONS)]
    assert share_near([steady_start(values) for values in ticks], 0) >= 0.95


def test_a_constant_trace_is_steady():
    assert steady_start(np.full(100, 10_000_000)) == 0
    assert steady_start(np.zeros(100, dtype=np.int64)) == 0


@pytest.mark.parametrize("n", range(FEWEST))
def test_too_few_samples_say_nothing(n):
    assert steady_start(np.full(n, 10_000_000)) is None


@settings(deadline=None)
@given(st.lists(st.integers(0, 10**10), min_size=FEWEST, max_size=120))
def test_any_trace_gives_an_index_that_leaves_a_quarter_or_none(values):
    start = steady_start(np.array(values))
    assert start is None or 0 <= start <= 0.75 * len(values) + 5


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 1000]), st.integers(0, 60))
def test_the_unit_of_time_does_not_matter(seed, factor, position):
    values = trace(np.random.default_rng(seed), step(100, position, 0.5))
    assert steady_start(factor * values) == steady_start(values)


def test_five_thousand_samples_take_milliseconds():
    values = trace(np.random.default_rng(0), step(5000, 1000, 0.5))
    seconds = []
    for _ in range(20):
        begin = time.thread_time()  # of the processor: other load on the machine must not fail the test
        steady_start(values)
        seconds.append(time.thread_time() - begin)
    assert min(seconds) < 0.02  # about 3 ms
