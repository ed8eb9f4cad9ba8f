"""The summary of a cell: ranks, intervals and quantiles against scipy, by hand, and for any samples."""

import math

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics import latency as stats
from tests.support.durations import MS, lognormal, ns

durations_ns = st.lists(st.integers(100_000, 500_000_000), min_size=1, max_size=60)


# Ranks: docs/facts, checked against the binomial distribution of scipy below.


@pytest.mark.parametrize(
    ("n", "q", "ranks"),
    [(50, 0.5, (18, 33)), (50, 0.9, (41, 50)), (1024, 0.9, (902, 941)), (1024, 0.99, (1007, 1020))],
)
def test_ranks_are_the_published_ones(n, q, ranks):
    assert stats.order_ranks(n, q) == ranks


def test_fifty_runs_cannot_bound_p95_from_above():
    assert stats.order_ranks(50, 0.95)[1] == 51


@settings(deadline=None)
@given(st.integers(1, 3000), st.floats(0.01, 0.99))
def test_ranks_hold_the_quantile_with_the_confidence_that_scipy_computes(n, q):
    low, high = stats.order_ranks(n, q)
    binomial = scipy.stats.binom(n, q)
    assert binomial.cdf(high - 1) - binomial.cdf(low - 1) >= 0.95 - 1e-9
    assert binomial.cdf(low - 1) <= 0.025 + 1e-9


@settings(deadline=None)
@given(st.integers(1, 2000), st.floats(0.05, 0.9), st.floats(0.0, 0.09))
def test_ranks_never_fall_when_the_quantile_rises(n, q, more):
    before, after = stats.order_ranks(n, q), stats.order_ranks(n, q + more)
    assert after[0] >= before[0]
    assert after[1] >= before[1]


@pytest.mark.parametrize(("q", "n"), [(0.9, 36), (0.95, 72), (0.99, 368)])
def test_runs_needed_is_the_first_n_whose_upper_rank_exists(q, n):
    assert stats.runs_needed(q) == n
    assert stats.order_ranks(n, q)[1] == n
    assert stats.order_ranks(n - 1, q)[1] == n  # one more than there are


def test_ranks_of_a_million_samples_agree_with_scipy():
    low, high = stats.order_ranks(1_000_000, 0.99)
    binomial = scipy.stats.binom(1_000_000, 0.99)
    assert (low, high) == (binomial.ppf(0.025), binomial.ppf(0.975) + 1)


# Summaries.


def test_no_samples_give_no_summary():
    assert stats.summarize([]) is None
    assert stats.summarize([np.array([], dtype=np.int64)]) is None


def test_one_sample_has_no_spread_no_interval_and_no_quantiles():
    summary = stats.summarize([ns(12.5)])
    assert summary is not None
    assert (summary.mean_ms, summary.median_ms, summary.min_ms, summary.max_ms) == (12.5, 12.5, 12.5, 12.5)
    assert summary.std_ms is summary.median_low_ms is summary.median_high_ms is summary.p90_ms is None
    assert summary.fps == 80.0
    assert summary.runs_needed == {"p90": 36, "p95": 72, "p99": 368}
    assert stats.half_width_percent(summary) is None


def test_a_small_sample_is_summarized_as_by_hand():
    summary = stats.summarize([ns(1, 2, 3, 4), ns(10)])
    assert summary is not None
    assert (summary.n_samples, summary.n_processes) == (5, 2)
    assert summary.mean_ms == pytest.approx(4.0)
    assert summary.std_ms == pytest.approx(math.sqrt((9 + 4 + 1 + 0 + 36) / 4))
    assert summary.median_ms == pytest.approx((2.5 + 10) / 2)
    assert summary.fps == pytest.approx(250.0)


def test_quantiles_appear_when_the_sample_can_bound_them():
    rng = np.random.default_rng(1)
    few, more = stats.summarize([lognormal(rng, 71)]), stats.summarize([lognormal(rng, 72)])
    assert few is not None
    assert more is not None
    assert few.p90_ms is not None
    assert few.p95_ms is None
    assert few.runs_needed == {"p95": 72, "p99": 368}
    assert more.p95_ms is not None
    assert more.runs_needed == {"p99": 368}


def test_three_processes_get_the_student_interval_of_scipy():
    medians = [10.0, 10.2, 10.7]
    summary = stats.summarize([ns(value, value, value) for value in medians])
    logs = np.log(medians)
    expected = np.exp(scipy.stats.t.interval(0.95, 2, logs.mean(), scipy.stats.sem(logs)))
    assert summary is not None
    assert (summary.median_low_ms, summary.median_high_ms) == pytest.approx(tuple(expected), rel=1e-6)


def test_five_processes_in_two_states_get_an_interval_that_reaches_both():
    summary = stats.summarize([ns(10.0), ns(10.0), ns(10.0), ns(10.0), ns(12.0)])
    assert summary is not None
    assert summary.median_low_ms is not None
    assert summary.median_low_ms <= 10.0
    assert summary.median_high_ms == pytest.approx(12.0)


def test_ten_processes_get_the_interpolated_order_statistics():
    # Hettmansperger & Sheather 1986 by hand for n = 10: ranks 2 (97.85 %) and 3 (89.06 %).
    wide, narrow = 1 - 2 * 11 / 1024, 1 - 2 * 56 / 1024
    share = (wide - 0.95) / (wide - narrow)
    weight = 8 * share / (2 + 6 * share)
    summary = stats.summarize([ns(float(value)) for value in range(1, 11)])
    assert summary is not None
    assert summary.median_low_ms == pytest.approx(2 + weight)
    assert summary.median_high_ms == pytest.approx(9 - weight)


def test_many_samples_of_one_process_say_little_when_processes_differ():
    rng = np.random.default_rng(2)
    processes = [lognormal(rng, 5000, level=level) for level in (10.0, 10.3, 9.8, 10.1, 9.9)]
    one, five = stats.summarize(processes[:1]), stats.summarize(processes)
    assert one is not None
    assert five is not None
    assert (stats.half_width_percent(five) or 0) > 20 * (stats.half_width_percent(one) or 0)


def test_independent_samples_of_one_process_get_about_the_published_ranks():
    values = np.random.default_rng(3).permutation(np.arange(1, 51)) * MS
    summary = stats.summarize([values])
    assert summary is not None
    assert 15 <= (summary.median_low_ms or 0) <= 18
    assert 33 <= (summary.median_high_ms or 0) <= 36


def test_autocorrelated_samples_are_worth_fewer():
    rng = np.random.default_rng(4)
    noise, value = np.zeros(20_000), 0.0
    for k, step in enumerate(rng.standard_normal(20_000)):
        value = 0.9 * value + step
        noise[k] = value
    # The indicator of an AR(1) above its median has autocorrelation (2 / pi) asin(rho^k).
    tau = 1 + 2 * sum(2 / math.pi * math.asin(0.9**k) for k in range(1, 200))
    found = 20_000 / stats.effective_samples((noise * 1000 + 1e6).astype(np.int64))
    assert found == pytest.approx(tau, rel=0.2)


def test_a_million_samples_are_summarized_at_all():
    summary = stats.summarize([lognormal(np.random.default_rng(5), 1_000_000)])
    assert summary is not None
    assert summary.median_low_ms is not None
    assert summary.median_low_ms < 10.0 < (summary.median_high_ms or 0)


@settings(deadline=None)
@given(st.lists(durations_ns, min_size=1, max_size=8), st.randoms())
def test_the_order_of_several_processes_and_of_their_samples_does_not_matter(processes, random):
    shuffled = [random.sample(process, len(process)) for process in processes]
    random.shuffle(shuffled)
    if len(processes) == 1:
        shuffled = processes
    before = stats.summarize([np.array(process) for process in processes])
    after = stats.summarize([np.array(process) for process in shuffled])
    assert before is not None
    assert after is not None
    for name in ("mean_ms", "std_ms", "median_ms", "median_low_ms", "median_high_ms", "p90_ms", "max_ms"):
        value = getattr(before, name)
        assert getattr(after, name) == (None if value is None else pytest.approx(value, rel=1e-9, abs=1e-9))


@settings(deadline=None)
@given(st.lists(durations_ns, min_size=1, max_size=8), st.integers(2, 50))
def test_slower_by_a_factor_is_a_summary_slower_by_that_factor(processes, factor):
    plain = stats.summarize([np.array(process) for process in processes])
    scaled = stats.summarize([factor * np.array(process) for process in processes])
    assert plain is not None
    assert scaled is not None
    for name in ("mean_ms", "std_ms", "median_ms", "median_low_ms", "median_high_ms", "p90_ms", "min_ms"):
        value = getattr(plain, name)
        expected = None if value is None else pytest.approx(factor * value, rel=1e-9, abs=1e-9)
        assert getattr(scaled, name) == expected


@settings(deadline=None)
@given(st.lists(durations_ns, min_size=1, max_size=14))
def test_the_median_always_lies_in_its_interval_and_the_quantiles_in_order(processes):
    summary = stats.summarize([np.array(process) for process in processes])
    assert summary is not None
    slack = 1 + 1e-9
    if summary.median_low_ms is not None and summary.median_high_ms is not None:
        assert summary.median_low_ms <= summary.median_ms * slack
        assert summary.median_ms <= summary.median_high_ms * slack
    known = [v for v in (summary.min_ms, summary.p90_ms, summary.p95_ms, summary.max_ms) if v is not None]
    assert known == sorted(known)


def test_the_half_width_is_that_of_the_longer_side():
    summary = stats.summarize([ns(10.0), ns(10.0), ns(10.0), ns(10.0), ns(12.0)])
    assert summary is not None
    assert stats.half_width_percent(summary) == pytest.approx(20.0)


# Outliers.


def test_outliers_are_counted_by_the_modified_z_score():
    # Median 3, MAD 1: the limit is 3.5 / 0.6745 = 5.19 from the median.
    assert stats.spread(np.array([1, 2, 3, 4, 5, 8, 9]) * MS - MS).n_far == 0
    some = np.array([1, 2, 2, 3, 3, 3, 4, 4, 5, 9]) * MS
    assert stats.spread(some).n_far == 1
    assert stats.summarize([some]).outlier_share == 0.1


def test_outliers_stand_out_from_equal_samples_too():
    assert stats.spread(np.array([5] * 99 + [50])).n_far == 1
    assert stats.spread(np.array([5] * 99)).n_far == 0


def test_outliers_are_judged_inside_their_process():
    rng = np.random.default_rng(6)
    assert stats.summarize([lognormal(rng, 500), lognormal(rng, 20, level=20.0)]).outlier_share < 0.01


def test_no_samples_have_no_outliers():
    assert stats.summarize([np.array([], np.int64)]) is None


@given(st.lists(st.integers(1, 10**12), min_size=1, max_size=400))
def test_the_quick_mean_deviation_and_median_are_numpys_to_the_last_bit(values):
    ns = np.array(values, np.int64)
    found = stats.summarize([ns])
    assert found is not None
    ms = ns / 1e6
    assert (found.mean_ms, found.min_ms, found.max_ms) == (ms.mean(), ms.min(), ms.max())
    assert found.std_ms == (ms.std(ddof=1) if ns.size > 1 else None)
    assert found.median_ms == np.median(ns) / 1e6


def test_processes_that_differ_bound_no_quantile_and_say_what_their_samples_are_worth():
    rng = np.random.default_rng(4)
    alike = [(1e6 * np.exp(0.02 * rng.standard_normal(400))).astype(np.int64) for _ in range(5)]
    apart = [durations + 100_000 * k for k, durations in enumerate(alike)]
    assert stats.summarize(alike).worth == {}
    assert stats.summarize(alike).p99_ms is not None
    found = stats.summarize(apart)
    assert (found.p90_ms, found.p95_ms, found.p99_ms) == (None, None, None)
    assert set(found.worth) == {"p90", "p95", "p99"}
    assert found.worth["p90"] < 36, "all above p90 are of one process: five samples, not 2,000"


def test_the_design_effect_is_kishs():
    """Two clusters of 10, of which one is above the limit as a whole: worth two samples less the one degree."""
    processes = [np.full(10, 1), np.full(10, 3)]
    assert stats.worth(processes, 2.0) == pytest.approx(20 / (2 * 50 / (20 * 0.25)))
    assert stats.worth(processes[:1], 2.0) == 10


@pytest.mark.parametrize("values", [(1, 10**12), (5, 7)], ids=["any", "mostly equal"])
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_processes_of_as_many_samples_are_summarized_as_each_by_itself(values, data):
    n = data.draw(st.integers(1, 40))
    one = st.lists(st.integers(*values), min_size=n, max_size=n)
    processes = [np.array(each, np.int64) for each in data.draw(st.lists(one, min_size=2, max_size=9))]
    found = stats.summarize(processes)
    assert found is not None
    assert found.outlier_share == sum(stats.spread(each).n_far for each in processes) / (n * len(processes))
    assert found.median_ms == stats.median_of(processes) / 1e6
    assert found.max_ms == max(each.max() for each in processes) / 1e6


def test_what_several_quantiles_are_worth_is_what_each_is_worth_by_itself():
    rng = np.random.default_rng(8)
    for sizes in ((300,) * 5, (200, 310, 290, 400, 300, 280, 350, 90, 310)):
        processes = [lognormal(rng, n, level=20.0 + k) for k, n in enumerate(sizes)]
        pooled = np.sort(np.concatenate(processes) / 1e6)
        found = stats.summarize(processes)
        assert found is not None
        for name, number in found.worth.items():
            limit = float(np.quantile(pooled, stats.QUANTILES[name])) * 1e6
            assert number == int(stats.worth(processes, limit))
        assert found.worth
