"""Two cells held against each other round by round."""

import itertools

import numpy as np
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.statistics.comparing import compare
from harness.statistics.paired import compare_rounds, signed_ranks

MS = 1_000_000


def cell(medians_ms) -> list[np.ndarray]:
    """Processes of three samples with these medians."""
    return [np.array([m * MS - 1000, m * MS, m * MS + 5000], dtype=np.int64) for m in medians_ms]


def rounds(n: int, factor: float, seed: int = 0, level: float = 0.1, noise: float = 0.002):
    """Two cells whose level wanders together."""
    rng = np.random.default_rng(seed)
    levels = 10 * np.exp(np.cumsum(level * rng.standard_normal(n)))
    first, second = (levels * np.exp(noise * rng.standard_normal(n)) for _ in range(2))
    return cell(first), cell(factor * second)


def logs_of(side) -> np.ndarray:
    return np.log([np.median(one) for one in side])


@pytest.mark.parametrize("n", [8, 9, 25, 250])
def test_from_eight_rounds_the_p_value_is_that_of_scipys_signed_rank_test(n):
    first, second = rounds(n, 1.001, seed=n)
    ratios = logs_of(second) - logs_of(first)
    expected = scipy.stats.wilcoxon(ratios, method="exact" if n <= 200 else "approx", correction=True)
    assert compare_rounds(first, second).p == pytest.approx(expected.pvalue, rel=1e-3)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=9, unique_by=abs).filter(lambda v: 0.0 not in v))
def test_the_p_value_is_the_share_of_all_signs_with_as_small_a_sum_of_ranks(values):
    ranks = scipy.stats.rankdata(np.abs(values))
    seen = min(ranks[np.array(values) > 0].sum(), ranks[np.array(values) < 0].sum())
    signs = itertools.product([0, 1], repeat=len(values))
    share = np.mean([min(np.dot(s, ranks), ranks.sum() - np.dot(s, ranks)) <= seen for s in signs])
    if np.abs(np.add.outer(values, values)).min() > 1e-9:
        assert signed_ranks(np.array(values))[2] == pytest.approx(share)


def test_the_interval_is_the_ninth_average_of_two_from_either_end_for_ten():
    """Hollander, Wolfe & Chicken: for n = 10, P(T <= 8) = 0.0244, so that the interval leaves out 8 of 55."""
    values = np.random.default_rng(3).standard_normal(10)
    averages = np.sort([(a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2)])
    assert signed_ranks(values)[:2] == pytest.approx((averages[8], averages[-9]))


@pytest.mark.parametrize("n", [3, 5, 7])
def test_below_eight_rounds_the_p_value_is_that_of_scipys_paired_t_test(n):
    first, second = rounds(n, 1.002, seed=n)
    expected = scipy.stats.ttest_rel(logs_of(second), logs_of(first))
    assert compare_rounds(first, second).p == pytest.approx(expected.pvalue, rel=1e-6)


def test_sides_that_have_nothing_in_common_are_compared_as_independent_ones():
    first, second = cell([10, 12, 10.1, 10.2, 9.9, 12.1]), cell([10.5, 10.4, 12.4, 10.6, 10.3, 10.7])
    assert compare_rounds(first, second) == compare(first, second)


def test_a_level_that_wanders_hides_no_difference():
    first, second = rounds(10, 1.03)
    assert compare(first, second).decision == "~"
    found = compare_rounds(first, second)
    assert found.decision == "slower"
    assert found.low < 3.0 < found.high


def test_two_rounds_decide_nothing_and_say_so():
    found = compare_rounds(*rounds(2, 1.5))
    assert (found.p, found.low, found.decision) == (None, None, "~")
    assert "2 rounds of both" in found.reason


def test_a_round_that_lacks_a_process_is_left_out_on_both_sides():
    first, second = rounds(9, 1.03)
    gap = np.array([], dtype=np.int64)
    assert compare_rounds([*first, first[0]], [*second, gap]) == compare_rounds(first, second)
    assert "no samples" in compare_rounds([gap], [gap]).reason


def test_another_number_of_rounds_is_refused():
    with pytest.raises(ValueError, match="argument 2 is longer"):
        compare_rounds(*(side[:k] for side, k in zip(rounds(5, 1.0), (4, 5), strict=True)))


@pytest.mark.parametrize("n", [3, 6, 8, 12])
def test_ticks_of_the_clock_are_no_certainty(n):
    base = [10.0 + (k % 3) for k in range(n)]
    found = compare_rounds(cell(base), cell([1.1 * value for value in base]))
    assert found.p >= 2 / 2**n * (1 - 1e-9)
    assert found.decision == ("~" if n < 6 else "slower")


levels = st.lists(st.tuples(st.integers(1000, 10**9), st.integers(1000, 10**9)), min_size=3, max_size=12)


@settings(deadline=None)
@given(levels)
def test_the_other_way_round_is_the_inverse_and_nothing_contradicts_itself(pairs):
    first, second = ([np.array([value]) for value in side] for side in zip(*pairs, strict=True))
    one, other = compare_rounds(first, second), compare_rounds(second, first)
    assert (1 + one.percent / 100) * (1 + other.percent / 100) == pytest.approx(1.0)
    assert one.p == pytest.approx(other.p, abs=1e-9)
    assert {one.decision, other.decision} in ({"~"}, {"faster", "slower"})
    assert one.low <= one.percent <= one.high
    if abs(one.p - 0.05) > 1e-6 and one.decision != "~":
        assert not one.low <= 0 <= one.high
    assert one.decision == "~" or one.percent != 0
