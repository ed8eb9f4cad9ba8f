"""Two samples of processes held against each other."""

from math import comb

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.comparing import compare

MS = 1_000_000


def cell(*medians_ms: float) -> list[np.ndarray]:
    """Processes of three samples with these medians."""
    return [np.array([m * MS - 1000, m * MS, m * MS + 5000], dtype=np.int64) for m in medians_ms]


def simulated(rng: np.random.Generator, n: int, level: float = 10.0, sd: float = 0.01) -> list[np.ndarray]:
    levels = level * MS * np.exp(sd * rng.standard_normal(n))
    return [(value * np.exp(0.02 * rng.standard_normal(40))).astype(np.int64) for value in levels]


def test_with_three_on_a_side_the_p_value_is_that_of_scipys_welch_test_on_log_medians():
    first, second = (10.0, 10.1, 9.9, 10.05), (10.4, 10.2, 10.5)
    found = compare(cell(*first), cell(*second))
    expected = scipy.stats.ttest_ind(np.log(second), np.log(first), equal_var=False)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    interval = np.expm1(list(expected.confidence_interval(0.95))) * 100
    assert (found.low, found.high) == pytest.approx(tuple(interval), rel=1e-6)


@pytest.mark.parametrize("sizes", [(4, 4), (5, 7), (12, 6), (20, 20), (60, 60)])
def test_from_four_on_the_p_value_is_that_of_scipys_rank_sum_test(sizes):
    rng = np.random.default_rng(sizes)
    first, second = (np.sort(rng.normal(10 + k / 9, 0.2, n)) for k, n in enumerate(sizes))
    found = compare(cell(*first), cell(*second))
    method = "exact" if sizes[0] * sizes[1] <= 2500 else "asymptotic"
    expected = scipy.stats.mannwhitneyu(second, first, method=method)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)


def test_the_interval_of_ranks_is_hodges_and_lehmanns():
    """Hollander, Wolfe & Chicken: of 5 against 5 the third smallest and the third largest of the 25 differences."""
    first, second = (10.0, 10.1, 9.9, 10.05, 10.3), (10.4, 10.2, 10.5, 10.35, 10.15)
    shifts = np.sort(np.subtract.outer(np.log(second), np.log(first)).ravel())
    found = compare(cell(*first), cell(*second))
    assert (found.low, found.high) == pytest.approx(tuple(100 * np.expm1(shifts[[2, -3]])), rel=1e-6)


def test_equal_medians_are_never_called_different():
    """Most processes of the second are slower, the median is the same: what is printed does not contradict itself."""
    first, second = [9.0] * 10 + [10.0] + [10.1] * 10, [10.0] * 11 + [12.0] * 10
    found = compare(cell(*first), cell(*second))
    assert (found.percent, found.decision) == (0.0, "~")
    assert found.p < 0.05
    assert found.low <= 0 <= found.high
    assert found.reason == "the medians are equal"


def test_the_change_is_that_of_the_printed_medians():
    first, second = (2.0, 2.05, 9.0, 2.1, 2.06), (2.1, 2.12, 2.2, 2.13, 2.15)
    assert compare(cell(*first), cell(*second)).percent == pytest.approx(100 * (2.13 / 2.06 - 1))


def test_a_cell_that_is_clearly_slower_is_called_slower():
    found = compare(cell(10.0, 10.1, 9.9), cell(13.0, 13.1, 12.9))
    assert found.decision == "slower"
    assert found.percent == pytest.approx(30.0, abs=0.1)
    assert found.reason == ""


def test_a_cell_that_is_clearly_faster_is_called_faster():
    assert compare(cell(13.0, 13.1, 12.9), cell(10.0, 10.1, 9.9)).decision == "faster"


def test_no_difference_is_claimed_where_the_interval_holds_0():
    found = compare(cell(10.0, 10.4, 9.8), cell(10.1, 10.3, 9.9))
    assert found.decision == "~"
    assert found.low is not None
    assert found.high is not None
    assert found.low < 0 < found.high
    assert "interval holds 0" in found.reason


@pytest.mark.parametrize(
    ("first", "second"),
    [((10.0,), (12.0, 12.1)), ((10.0, 10.1), (12.0,)), ((9.0,), (12.0,)), ((9.0, 9.0), (12.0, 12.0, 12.0))],
)
def test_one_or_two_processes_cannot_decide_and_say_why(first, second):
    found = compare(cell(*first), cell(*second))
    assert (found.decision, found.p, found.low, found.high) == ("~", None, None, None)
    assert found.percent == pytest.approx(100 * (np.median(second) / np.median(first) - 1))
    assert "cannot be decided" in found.reason
    assert f"{len(first)} against {len(second)}" in found.reason


def test_a_cell_without_samples_is_named():
    found = compare([], cell(10.0, 10.1))
    assert (found.percent, found.p, found.decision) == (None, None, "~")
    assert "first" in found.reason
    assert "second" in compare(cell(10.0, 10.1), [np.array([], dtype=np.int64)]).reason


def test_processes_without_spread_differ_as_far_as_the_clock_resolves():
    same, other = cell(10.0, 10.0, 10.0, 10.0), cell(12.0, 12.0, 12.0, 12.0)
    assert compare(same, same).decision == "~"
    assert compare(same, other).decision == "slower"
    assert compare(other, same).percent == pytest.approx(100 * (10 / 12 - 1))


@pytest.mark.parametrize("n", [3, 4, 5])
def test_a_clock_that_ticks_coarsely_is_no_certainty(n):
    found = compare(cell(*[10.0] * n), cell(*[10.1] * n))
    assert found.p >= 2 / comb(2 * n, n) * (1 - 1e-9)
    assert found.decision == ("~" if n == 3 else "slower")


levels = st.lists(st.integers(1000, 10**9), min_size=3, max_size=7)


@settings(deadline=None)
@given(levels, levels, st.integers(2, 20))
def test_the_unit_of_time_does_not_matter(first, second, factor):
    plain = compare([np.array([v]) for v in first], [np.array([v]) for v in second])
    scaled = compare([factor * np.array([v]) for v in first], [factor * np.array([v]) for v in second])
    assert plain.percent == pytest.approx(scaled.percent, rel=1e-6, abs=1e-6)
    assert plain.p == pytest.approx(scaled.p, rel=1e-4, abs=1e-6)


@settings(deadline=None)
@given(levels, levels)
def test_the_other_way_round_is_the_inverse(first, second):
    one = compare([np.array([v]) for v in first], [np.array([v]) for v in second])
    other = compare([np.array([v]) for v in second], [np.array([v]) for v in first])
    assert (1 + one.percent / 100) * (1 + other.percent / 100) == pytest.approx(1.0)
    assert one.p == pytest.approx(other.p, abs=1e-9)
    assert {one.decision, other.decision} in ({"~"}, {"faster", "slower"})


@settings(deadline=None)
@given(levels, levels)
def test_the_decision_the_p_value_and_the_interval_agree(first, second):
    found = compare([np.array([v]) for v in first], [np.array([v]) for v in second])
    if abs(found.p - 0.05) > 1e-6 and found.low != found.high:
        assert (found.decision != "~") == (not found.low <= 0 <= found.high)
        assert found.decision == "~" or found.p < 0.05


@pytest.mark.parametrize("n", [3, 4, 5])
def test_the_same_cell_twice_is_called_different_in_at_most_5_percent(n):
    rng = np.random.default_rng(n)
    alarms = [compare(simulated(rng, n), simulated(rng, n)).decision != "~" for _ in range(1000)]
    assert np.mean(alarms) <= 0.065  # 5 % and two standard errors


def test_three_percent_slower_is_found_with_five_processes_that_differ_by_one_percent():
    rng = np.random.default_rng(9)
    found = [compare(simulated(rng, 5), simulated(rng, 5, level=10.3)).decision for _ in range(500)]
    assert np.mean([decision == "slower" for decision in found]) >= 0.88
