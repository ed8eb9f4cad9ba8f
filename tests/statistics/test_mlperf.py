"""MLPerf's early stopping."""

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UsageError
from harness.statistics.mlperf import early_stopping_estimate, minimum_queries


@pytest.mark.parametrize(
    ("percentile", "queries"), [(0.90, (44, 64, 81)), (0.95, (90, 130, 165)), (0.99, (459, 662, 838))]
)
def test_minimum_queries_are_the_published_ones(percentile, queries):
    assert tuple(minimum_queries(percentile, over) for over in (0, 1, 2)) == queries


@settings(deadline=None)
@given(st.sampled_from([0.5, 0.9, 0.95, 0.99]), st.integers(0, 40), st.sampled_from([0.9, 0.95, 0.99]))
def test_minimum_queries_is_the_first_number_that_shows_it_by_scipy(percentile, over, confidence):
    n = minimum_queries(percentile, over, confidence)
    assert scipy.stats.binom.cdf(over, n, 1 - percentile) <= 1 - confidence + 1e-12
    assert scipy.stats.binom.cdf(over, n - 1, 1 - percentile) > 1 - confidence - 1e-12


def test_a_tolerance_asks_for_fewer_queries():
    assert minimum_queries(0.99, 1, tolerance=0.02) == minimum_queries(0.97, 1) < minimum_queries(0.99, 1)


@pytest.mark.parametrize("wrong", [(1.0, 0), (0.0, 0), (0.9, -1)])
def test_numbers_out_of_range_are_wrong_use(wrong):
    with pytest.raises(UsageError, match="expected 0 < percentile"):
        minimum_queries(*wrong)


def test_too_few_queries_give_no_estimate_but_say_how_many_are_needed():
    found = early_stopping_estimate(np.arange(661), 0.99)
    assert found.estimate is None
    assert (found.n_queries, found.queries_needed) == (661, 662)


def test_just_enough_queries_give_the_slowest_as_the_estimate():
    found = early_stopping_estimate(np.arange(662), 0.99)
    assert (found.estimate, found.discarded) == (661.0, 0)


def test_one_more_overlatency_query_is_discarded_when_the_run_allows_it():
    assert early_stopping_estimate(np.arange(80), 0.9).estimate == 79.0
    found = early_stopping_estimate(np.arange(81), 0.9)
    assert (found.estimate, found.discarded) == (79.0, 1)


def test_the_estimate_of_1024_queries_is_that_of_loadgens_rule_by_scipy():
    # results.cc: the largest t with minimum_queries(t) <= 1024; the estimate is the t-th largest.
    allowed = max(t for t in range(1, 200) if scipy.stats.binom.cdf(t, 1024, 0.1) <= 0.01)
    shuffled = np.random.default_rng(0).permutation(1024)
    assert early_stopping_estimate(shuffled, 0.9).estimate == 1024 - allowed


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**9), min_size=64, max_size=300), st.integers(2, 9), st.randoms())
def test_the_estimate_is_above_the_quantile_scales_and_ignores_the_order(values, factor, random):
    found = early_stopping_estimate(np.array(values), 0.9)
    assert found.estimate is not None
    assert found.estimate >= np.quantile(values, 0.9, method="lower")
    shuffled = factor * np.array(random.sample(values, len(values)))
    assert early_stopping_estimate(shuffled, 0.9).estimate == factor * found.estimate


def test_the_estimate_is_high_enough_in_99_of_100_runs():
    rng = np.random.default_rng(1)
    runs = rng.exponential(1e7, (2000, 300)).astype(np.int64)
    truth = 1e7 * np.log(10)
    held = np.mean([early_stopping_estimate(run, 0.9).estimate >= truth for run in runs])
    assert held >= 0.985
