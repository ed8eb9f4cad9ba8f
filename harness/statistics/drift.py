"""Tell whether processes become slower or faster over the rounds of a run.

Kendall's rank test of the process medians against their order (Biometrika 30, 1938), with its exact distribution; ties
count for no drift. Interleaving keeps a drift out of the comparison of two cells of one run, but not out of the median
itself, nor out of the comparison of two runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

_MOST_EXACT = 40
"""Processes up to which the exact distribution is computed; from there on the normal one agrees to the third digit."""


class Drift(NamedTuple):
    """A change over the rounds: of the last third of the processes against the first, in percent; `p` is two-sided."""

    percent: float
    p: float


def drift(medians: Sequence[float]) -> Drift | None:
    """Return how the medians of processes change in the order they ran; None for fewer than three."""
    values = np.asarray(medians, np.float64)
    n = values.size
    if n < 3:
        return None
    later = np.triu(np.sign(values[None, :] - values[:, None]), 1)
    with_order, against = int((later > 0).sum()), int((later < 0).sum())
    fewer = n * (n - 1) // 2 - max(with_order, against)
    third = max(n // 3, 1)
    change = float(np.median(values[-third:]) / np.median(values[:third]) - 1)
    return Drift(100 * change, min(2 * _at_most(fewer, n), 1.0))


def _at_most(count: int, n: int) -> float:
    """Return P(inversions <= count) of a random order of n."""
    if n > _MOST_EXACT:
        deviation = math.sqrt(n * (n - 1) * (2 * n + 5) / 72)
        return NormalDist(n * (n - 1) / 4, deviation).cdf(count + 0.5)
    chances = np.ones(1)
    for k in range(2, n + 1):
        chances = np.convolve(chances, np.full(k, 1 / k))
    return float(chances[: count + 1].sum())
