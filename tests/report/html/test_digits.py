"""Numbers that are rounded many at once are those that Python's own formatting gives."""

import numpy as np
import pytest

from harness.report.html import digits

RNG = np.random.default_rng(3)
NEAR_A_MIDDLE = np.array([1.0005, 12.345, 99995.0, 0.00012345, 2.5, 1234.5, 123456789.5, -1.0005])
POWERS = np.array([float(f"1e{power}") for power in range(-30, 30)])
NUMBERS = np.concatenate([
    RNG.uniform(0, 100, 3000), 10 ** RNG.uniform(-18, 18, 3000), np.round(RNG.uniform(0, 100, 3000), 4),
    RNG.integers(0, 10**7, 3000) / 1e6, -RNG.uniform(0, 1, 100), NEAR_A_MIDDLE,
    POWERS, np.nextafter(POWERS, 0), [0.0, -0.0, 5e-324, 1e300],
])  # fmt: skip


@pytest.mark.parametrize("n", [1, 4, digits.MOST_DIGITS])
def test_numbers_are_rounded_to_the_last_bit_as_their_text_would_be(n):
    assert digits.rounded(NUMBERS, n) == [float(f"{value:.{n}g}") for value in NUMBERS.tolist()]


def test_an_array_of_two_dimensions_is_rounded_row_by_row():
    assert digits.rounded(np.array([[1.23456, 0.0], [100.049, 2.0005]]), 4) == [[1.235, 0.0], [100.0, 2.001]]


def test_what_is_unknown_or_no_finite_number_stays_unknown():
    numbers = [None, 1.00000000049, float("nan"), 3, float("inf"), 2**70]
    assert digits.rounded_known(numbers, 9) == [None, 1.0, None, 3.0, None, float(f"{2**70:.9g}")]


@pytest.mark.parametrize("size", [1, 2, 3, 10, 101])
@pytest.mark.parametrize("q", [0.0, 0.1, 0.5, 0.9, 0.995, 1.0])
def test_a_quantile_of_rows_is_that_of_numpy_to_the_last_bit(size, q):
    rows = np.sort(RNG.normal(10, 1, (7, size)))
    assert digits.quantile(rows, q).tolist() == np.quantile(rows, q, axis=1).tolist()
