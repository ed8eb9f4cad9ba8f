"""Many comparisons decided at once."""

import numpy as np
import pytest
import scipy

from harness.statistics.comparing import Difference
from harness.statistics.many import p_among_many, stand_out


def test_what_stands_out_is_what_benjamini_and_hochberg_reject():
    rng = np.random.default_rng(3)
    for _ in range(50):
        ps = rng.beta(0.4, 2, 20)
        expected = scipy.stats.false_discovery_control(ps, method="bh") <= 0.05
        assert stand_out(list(ps)) == expected.tolist()


def test_nothing_stands_out_of_nothing():
    assert stand_out([]) == []


@pytest.mark.parametrize(
    ("p", "apart", "wanted"), [(None, None, None), (0.02, None, 0.02), (0.008, 1e-7, 1e-7)]
)
def test_where_ranks_know_no_more_the_distance_counts(p, apart, wanted):
    assert p_among_many(Difference(1.0, 0.5, 1.5, p, "~", p_apart=apart)) == wanted


def test_one_changed_cell_of_twenty_is_found_with_five_processes():
    from harness.statistics.comparing import compare

    rng = np.random.default_rng(5)
    levels = 1e7 * np.exp(0.01 * rng.standard_normal((20, 2, 5)))
    levels[7, 1] *= 1.1
    found = [compare(list(a[:, None].astype(int)), list(b[:, None].astype(int))) for a, b in levels]
    kept = stand_out([p_among_many(one) for one in found])
    assert np.flatnonzero(kept).tolist() == [7]
