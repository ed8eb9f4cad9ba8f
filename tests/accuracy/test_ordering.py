"""The orders are those of NumPy's stable sorts, found another way."""

import numpy as np
import pytest

from harness.accuracy.ordering import falling_order, places, stable_order

RANDOM = np.random.default_rng(4)
TINY = np.float64(np.finfo(np.float32).eps) / 64
SCORES = {
    "few values": RANDOM.integers(0, 4, 500) / 4.0,
    "single precision": RANDOM.random(500, np.float32).astype(np.float64),
    "one number in single precision": 0.5 + RANDOM.integers(0, 40, 500) * TINY,
    "negative ones and both zeros": np.array(
        [0.0, -0.0, -1.5, 2.0, 0.0, -1.5, -0.0, -1e300, 1e300, 1e-300, -1e-300]
    ),
    "none": np.empty(0),
}


@pytest.mark.parametrize("values", SCORES.values(), ids=SCORES)
def test_numbers_fall_and_equal_ones_stay_in_their_order(values):
    assert falling_order(values).tolist() == np.argsort(-values, kind="stable").tolist()


@pytest.mark.parametrize("most", [1, 7, 1 << 20, 1 << 61])
def test_whole_numbers_rise_and_equal_ones_stay_in_their_order(most):
    keys = RANDOM.integers(0, most, 300)
    assert stable_order(keys).tolist() == np.argsort(keys, kind="stable").tolist()


@pytest.mark.parametrize("known", [[3, 5, 900], [-7, 0, 4], [5, 1 << 50], [-(1 << 53), 0, 1 << 53], []])
def test_ids_are_found_where_they_stand_and_others_are_not(known):
    ids = [*known, 1, -1, 6, (1 << 53) - 1, -(1 << 53) + 1, *known]
    expected = [known.index(one) if one in known else -1 for one in ids]
    assert places(np.array(known, np.int64), np.array(ids, np.float64)).tolist() == expected
