"""Tell whether processes become slower or faster over the rounds of a run.

Kendall's rank test of the process medians against their order (Biometrika 30, 1938), with its exact distribution; ties
count for no drift. Interleaving keeps a drift out of the comparison of two cells of one run, but not out of the median
itself, nor out of the comparison of two runs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache, lru_cache
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
_MOST_EXACT = 40
"""Processes up to which the exact distribution is computed; from there on the normal one agrees to the third digit."""


class Drift(NamedTuple):
    """A change over the rounds: of the last third of the processes against the first, in percent; `p` is two-sided."""

    percent: float
    p: float


def drift(medians: Sequence[float]) -> Drift | None:
    """Return how the medians of processes change in the order they ran; None for fewer than three, or from nothing."""
    return drifts(np.array([medians], np.float64))[0]


def drifts(medians: Floats) -> list[Drift | None]:
    """Return the same of many cells: their medians, shape (cells, processes)."""
    n = medians.shape[1]
    if n < 3:
        return [None] * len(medians)
    third = max(n // 3, 1)
    fewer = n * (n - 1) // 2 - np.maximum(*_orders(medians))
    first, last = middles(medians[:, :third]), middles(medians[:, -third:])
    each = zip(first.tolist(), last.tolist(), fewer.tolist(), strict=True)
    return [Drift(100 * (b / a - 1), min(2 * _at_most(count, n), 1.0)) if a else None for a, b, count in each]


def _orders(medians: Floats) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count the pairs of each cell of which the later is greater, and those of which it is less."""
    pairs = [(medians[:, :-apart], medians[:, apart:]) for apart in range(1, medians.shape[1])]
    with_order = sum(np.add.reduce(first < second, axis=1, dtype=np.int64) for first, second in pairs)
    against = sum(np.add.reduce(first > second, axis=1, dtype=np.int64) for first, second in pairs)
    return np.asarray(with_order), np.asarray(against)


def middles(values: Floats) -> Floats:
    """Return the median of each row."""
    ordered = np.sort(values, axis=1)
    half = ordered.shape[1] // 2
    found: Floats = (
        ordered[:, half] if ordered.shape[1] % 2 else (ordered[:, half - 1] + ordered[:, half]) / 2
    )
    return found


@lru_cache(maxsize=4096)
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
