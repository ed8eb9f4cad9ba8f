"""Tell whether processes become slower or faster over the rounds of a run.

Kendall's rank test of the process medians against their order (Biometrika 30, 1938), with its exact distribution; ties
count for no drift. Interleaving keeps a drift out of the comparison of two cells of one run, but not out of the median
itself, nor out of the comparison of two runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from itertools import combinations
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

_MOST_EXACT = 40
"""Processes up to which the exact distribution is computed; from there on the normal one agrees to the third digit."""


class Drift(NamedTuple):
    """A change over the rounds: of the last third of the processes against the first, in percent; `p` is two-sided."""

    percent: float
    p: float


def drift(medians: Sequence[float]) -> Drift | None:
    """Return how the medians of processes change in the order they ran; None for fewer than three."""
    n = len(medians)
    if n < 3:
        return None
    with_order, against = _orders(medians)
    fewer = n * (n - 1) // 2 - max(with_order, against)
    third = max(n // 3, 1)
    change = _middle(medians[-third:]) / _middle(medians[:third]) - 1
    return Drift(100 * change, min(2 * _at_most(fewer, n), 1.0))


def _orders(medians: Sequence[float]) -> tuple[int, int]:
    """Count the pairs of which the later is greater, and those of which it is less."""
    if len(medians) > _MOST_EXACT:
        values = np.asarray(medians, np.float64)
        later = np.triu(np.sign(values[None, :] - values[:, None]), 1)
        return int((later > 0).sum()), int((later < 0).sum())
    pairs = list(combinations(medians, 2))  # of a few processes sooner done than an array made
    return sum(first < second for first, second in pairs), sum(first > second for first, second in pairs)


def _middle(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def _at_most(count: int, n: int) -> float:
    """Return P(inversions <= count) of a random order of n."""
    if n > _MOST_EXACT:
        deviation = math.sqrt(n * (n - 1) * (2 * n + 5) / 72)
        return NormalDist(n * (n - 1) / 4, deviation).cdf(count + 0.5)
    return float(_chances(n)[: count + 1].sum())


@cache
def _chances(n: int) -> npt.NDArray[np.float64]:
    """Return the probability of each number of inversions of a random order of n, the same for all cells."""
    chances = np.ones(1)
    for k in range(2, n + 1):
        chances = np.convolve(chances, np.full(k, 1 / k))
    return chances
