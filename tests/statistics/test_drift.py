"""Processes that become slower over the rounds."""

import numpy as np
import pytest
import scipy

from harness.statistics.drift import drift


@pytest.mark.parametrize("n", [6, 10, 30])
def test_the_p_value_is_that_of_scipys_exact_kendall_test(n):
    rng = np.random.default_rng(n)
    values = rng.permutation(n) + 0.3137 * np.arange(n)
    expected = scipy.stats.kendalltau(np.arange(n), values, method="exact").pvalue
    assert drift(values + 10).p == pytest.approx(expected, rel=1e-9)


def test_six_processes_each_slower_than_the_one_before_drift_and_equal_ones_do_not():
    found = drift([10, 10.1, 10.2, 10.4, 10.5, 10.6])
    assert found.p == pytest.approx(2 / 720)
    assert found.percent == pytest.approx(100 * (10.55 / 10.05 - 1))
    assert drift([10.0] * 8).p == 1.0
    assert drift([10.0, 11.0]) is None
