"""Round many numbers to some significant digits, as a plot or a sort needs them: whole arrays instead of one text each.

The result is that of `float(f"{value:.4g}")` to the last bit. An array is scaled by a power of ten, rounded and scaled
back; a whole number below 2^53 divided by an exact power of ten is the float that is nearest to the decimal number.
Where rounding the product could turn the decision (a value near the middle of two), the text decides.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
MOST_DIGITS = 9
_POWERS = np.array([float(f"1e{power}") for power in range(23)])
"""10^22 is the largest power of ten that a float holds exactly."""
_NEAR_MIDDLE = 1e-5
"""Far more than the product of nine digits can be wrong by."""


def rounded(values: Floats, digits: int) -> list[Any]:
    """Return finite numbers, an array of any shape, with at most so many significant digits (`MOST_DIGITS`)."""
    with np.errstate(divide="ignore"):  # the logarithm of 0
        power = digits - 1 - np.floor(np.log10(np.abs(values)))
    usual = np.abs(power) < len(_POWERS)
    whole = np.where(usual, power, 0.0).astype(np.intp)
    up, down = _POWERS[np.maximum(whole, 0)], _POWERS[np.maximum(-whole, 0)]
    scaled = values * up / down
    found = np.rint(scaled) / up * down
    to_middle = np.abs(np.abs(scaled - np.trunc(scaled)) - 0.5)
    for place in np.flatnonzero(~usual | (to_middle < _NEAR_MIDDLE)).tolist():
        found.flat[place] = float(f"{values.flat[place]:.{digits}g}")
    several: list[Any] = found.tolist()
    return several


def rounded_known(values: Sequence[float | None], digits: int) -> list[float | None]:
    """Return the same of numbers of which some are unknown; None also for one that JSON cannot hold."""
    numbers = np.array(values, dtype=np.float64)  # None becomes NaN
    unknown = ~np.isfinite(numbers)
    found: list[float | None] = rounded(np.where(unknown, 1.0, numbers), digits)
    for place in np.flatnonzero(unknown).tolist():
        found[place] = None
    return found


def quantile(ordered: Floats, q: float) -> Floats:
    """Return NumPy's quantile of each row, whose values are sorted: to the last bit, without its preparations."""
    place = (ordered.shape[1] - 1) * q
    rank = math.floor(place)
    low, high = ordered[:, rank], ordered[:, min(rank + 1, ordered.shape[1] - 1)]
    share = place - rank
    found: Floats = high - (high - low) * (1 - share) if share >= 0.5 else low + (high - low) * share
    return found
