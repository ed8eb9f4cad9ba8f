"""Share a loss fairly among several causes that act together: Shapley values.

L. S. Shapley, A value for n-person games, Contributions to the Theory of Games II (1953), 307-317.

With mAP v(S) where the causes S are in force and the others not, a cause's share is the mean, over all orders of
switching the causes on one after another, of the fall of mAP when its turn comes. So the shares add up to v(∅) - v(N)
exactly, and none depends on an order that somebody chose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from math import factorial

import numpy as np
import numpy.typing as npt

Subset = frozenset[str]


def subsets(names: Sequence[str]) -> list[Subset]:
    """Return all subsets, the empty one first, the whole last."""
    return [frozenset(chosen) for size in range(len(names) + 1) for chosen in combinations(names, size)]


def weights(names: Sequence[str]) -> npt.NDArray[np.float64]:
    """Return float64 [names, subsets]: with the values v of `subsets(names)`, the shares are `weights @ v`."""
    columns = {subset: k for k, subset in enumerate(subsets(names))}
    matrix = np.zeros((len(names), len(columns)))
    for row, name in enumerate(names):
        for without, share in _turns(name, names):
            matrix[row, columns[without]] += share
            matrix[row, columns[without | {name}]] -= share
    return matrix


def _turns(name: str, names: Sequence[str]) -> Iterator[tuple[Subset, float]]:
    """Yield each set that can be in force when a cause's turn comes, with its share of all orders."""
    others = [other for other in names if other != name]
    n = len(names)
    for subset in subsets(others):
        yield subset, factorial(len(subset)) * factorial(n - len(subset) - 1) / factorial(n)
