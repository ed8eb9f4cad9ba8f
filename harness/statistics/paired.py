"""Compare the latency of two cells that were measured in rounds: of each round, one process of each.

What lasts longer than a round (heat, a clock's level, another program) is in both processes of the round, and not in
their ratio. It takes that the order within a round is by chance, and reversed in every second round: then under no
difference either process could have been either cell's, the ratios are as often below 1 as above, and a steady drift
makes as many of them greater as less. (By chance alone three rounds of a drift are one time in four in one order, and
are then called different.)

Which test, chosen by simulation (`tests/benchmarks/bench_kinds.py rounds`):

* Where the two sides go up and down together (Pearson's r of the logarithms is 0.7 or more, of 3 rounds 0.95), the
  ratios of the rounds: from 8 rounds on Wilcoxon's signed rank test with its exact distribution and the interval of
  the averages of two ratios (Walsh) that belongs to it (Hollander, Wolfe & Chicken, Nonparametric Statistical
  Methods, 3rd ed., 2014, § 3.1-3.3); below that Student's t of the ratios' logarithms, since signed ranks of 5 rounds
  can never reach p < 0.05, and of 6 and 7 they find less. 10 rounds in which a device becomes 15 % slower: 3 % more
  are found in 100 % instead of 0 %.
* Where they do not, the processes as independent ones (`harness.statistics.comparing`): a ratio of two that have
  nothing in common has the noise of both, and a device in one of two states gives ratios of three kinds. 10 rounds
  with one process in seven slow by 20 %: 3 % more are found in 82 % instead of 39 %.

r does not know of a difference, since a factor of all processes of a side leaves it as it is; choosing by it costs
nothing: in every kind of process that was simulated, false alarms stay at 2-6 %.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from harness.statistics.comparing import (
    LEAST,
    NO_SPREAD,
    SIGNIFICANCE,
    Difference,
    Durations,
    Floats,
    Tested,
    compare,
    decided,
    independent,
    undecidable,
)
from harness.statistics.distributions import t_quantile, t_two_sided
from harness.statistics.latency import middle

TOGETHER, TOGETHER_IN_THREE = 0.7, 0.95
"""Correlation of the two sides from which on the ratios of the rounds are compared. Three rounds agree by chance: by
0.7 they are called different in 6.8 % of all draws of normal processes."""
_LEAST_FOR_RANKS = 8
_MOST_EXACT = 200
"""Rounds up to which the exact distribution is computed; from there on the normal one agrees to the third digit."""


def compare_rounds(
    first: Sequence[Durations], second: Sequence[Durations], unit: str = "rounds"
) -> Difference:
    """Compare two cells by the steady durations of their processes, round by round.

    Args:
        first: One array a round of the reference, shape (n,), in ns; an empty one where the process failed.
        second: The same rounds of the cell to judge.
        unit: The word for what gives one array each.

    Returns:
        The difference of the second from the first, over the rounds that have both. `p` and the interval are None for
        fewer than three of them.

    Raises:
        ValueError: The two have another number of rounds.
    """
    whole = [(a, b) for a, b in zip(first, second, strict=True) if len(a) and len(b)]
    if not whole:
        return compare(first, second)
    medians = [np.array([max(float(np.median(d)), 1.0) for d in side]) for side in zip(*whole, strict=True)]
    change = math.log(middle(medians[1]) / middle(medians[0]))
    if len(whole) < LEAST:
        few = f"{len(whole)} {unit} of both, and at least {LEAST} are needed to know how much one differs from the next"
        return undecidable(change, f"cannot be decided: {few}")
    a, b = (np.log(side) for side in medians)
    return decided(change, *(_of_ratios(b - a) if _together(a, b) else independent(a, b)))


def _together(a: Floats, b: Floats) -> bool:
    from_mean = a - a.mean(), b - b.mean()
    spreads = math.sqrt(float(np.square(from_mean[0]).sum() * np.square(from_mean[1]).sum()))
    least = TOGETHER if a.size > LEAST else TOGETHER_IN_THREE
    return spreads >= NO_SPREAD and float(from_mean[0] @ from_mean[1]) >= least * spreads


def _of_ratios(logs: Floats) -> Tested:
    by_ranks = signed_ranks(logs)
    centre, error = float(logs.mean()), float(logs.std(ddof=1)) / math.sqrt(logs.size)
    if error < NO_SPREAD:
        # Ratios that are equal as far as the clock resolves have no spread to compare with.
        return Tested(centre, centre, by_ranks[2], None)
    p = t_two_sided(centre / error, logs.size - 1)
    if logs.size >= _LEAST_FOR_RANKS:
        return Tested(*by_ranks, p if logs.min() > 0 or logs.max() < 0 else None)
    half = t_quantile(1.0 - SIGNIFICANCE / 2.0, logs.size - 1) * error
    return Tested(centre - half, centre + half, p, None)


def signed_ranks(values: Floats) -> tuple[float, float, float]:
    """Return the ends of the 95 % interval of the values' centre, and the p of its being 0.

    Args:
        values: float64 [n], independent and symmetric around the centre. Ties count against a difference.
    """
    n = values.size
    rows, columns = np.triu_indices(n)
    averages = np.sort((values[rows] + values[columns]) / 2)
    averages[np.abs(averages) < NO_SPREAD] = 0.0
    fewer = min(int((averages <= 0).sum()), int((averages >= 0).sum()))
    rank = _rank(n)
    ends = averages[max(rank - 1, 0)], averages[min(averages.size - rank, averages.size - 1)]
    return float(ends[0]), float(ends[1]), min(2.0 * _at_most(fewer, n), 1.0)


def _at_most(count: int, n: int) -> float:
    """Return P(T <= count) of Wilcoxon's T for n values around 0."""
    if n <= _MOST_EXACT:
        return float(_distribution(n)[count])
    return _normal(n).cdf(count + 0.5)


def _rank(n: int) -> int:
    """Return how many averages at either end the 95 % interval leaves out, and one; 0 where it can leave out none."""
    if n <= _MOST_EXACT:
        return int(np.searchsorted(_distribution(n), SIGNIFICANCE / 2))
    return math.floor(_normal(n).inv_cdf(SIGNIFICANCE / 2) + 0.5)


def _normal(n: int) -> NormalDist:
    return NormalDist(n * (n + 1) / 4, math.sqrt(n * (n + 1) * (2 * n + 1) / 24))


@lru_cache(maxsize=64)
def _distribution(n: int) -> Floats:
    """Return the distribution function of Wilcoxon's T, float64 [n (n + 1) / 2 + 1]: each rank is in it or not."""
    chances = np.ones(1)
    for rank in range(1, n + 1):
        without, with_it = np.pad(chances, (0, rank)), np.pad(chances, (rank, 0))
        chances = (without + with_it) / 2
    return np.minimum(np.cumsum(chances), 1.0)
