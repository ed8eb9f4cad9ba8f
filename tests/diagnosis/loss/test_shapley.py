"""Shares that add up, against games whose values are in the textbooks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.diagnosis.loss.shapley import subsets, weights


def values(names, worth):
    return np.array([worth(subset) for subset in subsets(names)])


def test_subsets_begin_with_none_and_end_with_all():
    found = subsets(("a", "b", "c"))
    assert found[0] == frozenset() and found[-1] == {"a", "b", "c"} and len(set(found)) == 8


def test_two_causes_share_by_the_mean_of_both_orders():
    accuracy = {frozenset(): 0.6, frozenset("a"): 0.5, frozenset("b"): 0.45, frozenset("ab"): 0.2}
    shares = weights(("a", "b")) @ values(("a", "b"), accuracy.__getitem__)
    # a first: 0.10, a second: 0.25; b first: 0.15, b second: 0.30
    assert shares == pytest.approx([0.175, 0.225])
    assert shares.sum() == pytest.approx(0.4)


def test_the_glove_game_has_its_textbook_values():
    """One left glove and two right ones; a pair is worth 1: the left one's value is 2/3, the others' 1/6 each."""
    names = ("left", "right1", "right2")
    shares = weights(names) @ values(names, lambda s: float("left" in s and len(s) > 1))
    assert -shares == pytest.approx([2 / 3, 1 / 6, 1 / 6])  # a share is what is lost, a value what is won


def test_what_changes_nothing_has_no_share():
    names = ("a", "b", "idle")
    shares = weights(names) @ values(names, lambda s: 1.0 - 0.3 * ("a" in s) - 0.1 * ("a" in s and "b" in s))
    assert shares[2] == pytest.approx(0.0, abs=1e-15)


@given(n=st.integers(1, 5), seed=st.integers(0, 2**32 - 1))
def test_the_shares_add_up_to_the_whole_loss(n, seed):
    names = tuple("abcde"[:n])
    worth = np.random.default_rng(seed).random(2**n)
    assert (weights(names) @ worth).sum() == pytest.approx(worth[0] - worth[-1])
