"""Compare the latency of two cells.

The process is the unit, as in `harness.statistics.latency`: each process gives one number, the logarithm of its
median. On logarithms a difference is a factor, so "B is 3 % slower than A" is the exact inverse of "A against B".

Which test, chosen by simulation (`tests/benchmarks/bench_kinds.py kinds`):

* From 4 against 4 processes on, Wilcoxon's rank sum test with its exact distribution, and the interval of Hodges &
  Lehmann that belongs to it (Ann. Math. Stat. 34, 1963; Hollander, Wolfe & Chicken, Nonparametric Statistical
  Methods, 3rd ed., 2014, § 4.1-4.3). It assumes no shape. Where a device is in one of two states it finds twice to
  four times as much as Welch's test (10 processes, one in seven slow by 20 %, the new one 3 % slower: 82 % instead
  of 21 %), and where processes are normal it loses little (5 of sd 1 %, 3 % slower: 95 % instead of 98 %; 4: 82 %
  instead of 90 %).
* With 3 on a side, Welch's t test (Biometrika 34, 1947; degrees of freedom by Satterthwaite, 1946): 3 against 3
  ranks can never reach p < 0.05. Where no process differs from the next as far as the clock resolves there is
  no spread to compare with, and the ranks' p stands in.
* Fewer than 3 on a side decide nothing: two processes of a device with two states agree by chance.

The change that is given is that of the printed medians (the median over processes of a process's median), and
the interval always holds it, so that equal medians are never called different and no change is called the other way
round. The interval excludes 0 exactly when something is decided.

Cells that were measured in rounds, each round once each, are compared by `harness.statistics.paired`.

Mann-Whitney on all samples, as is common for benchmarks, treats thousands of inferences of one process as
independent and reports almost every pair of runs as different.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from harness.statistics.distributions import t_quantile, t_two_sided
from harness.statistics.latency import middle

Durations = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Decision = Literal["faster", "slower", "~"]

SIGNIFICANCE = 0.05
LEAST = 3
"""Fewest processes on a side that can decide."""
_LEAST_FOR_RANKS = 4
_MOST_EXACT = 2_500
"""Pairs of processes up to which the exact distribution is computed; from 50 against 50 the normal one agrees to
the third digit of p."""
NO_SPREAD = 1e-12
"""Rounding error of logarithms of equal medians; one nanosecond in a minute is more."""


@dataclass(frozen=True)
class Difference:
    """The difference of the second cell's median latency to the first's.

    `percent` is positive when the second is slower; `low` and `high` bound it with 95 % confidence; `p` is
    two-sided. Unknown is None. `decision` is of the second: `faster`, `slower`, or `~` where the difference
    is not shown; `reason` then says why. `p_apart` is for many comparisons at once (`harness.statistics.many`).
    """

    percent: float | None
    low: float | None
    high: float | None
    p: float | None
    decision: Decision
    reason: str = ""
    p_apart: float | None = None

    def undecided(self, reason: str) -> Difference:
        """Return it with its figures, and nothing decided."""
        return replace(self, decision="~", reason=reason)


def compare(first: Sequence[Durations], second: Sequence[Durations], unit: str = "processes") -> Difference:
    """Compare two cells by the steady durations of their processes.

    Args:
        first: One array a process of the reference, shape (n,), in ns; empty ones are skipped.
        second: The same of the cell to judge.
        unit: The word for what gives one array each.

    Returns:
        The difference of the second from the first. `p` and the interval are None when a cell has fewer than
        three processes: how much one differs from the next is hardly known then and nothing can be decided.
    """
    medians = _medians(first), _medians(second)
    if not all(side.size for side in medians):
        which = "second" if medians[0].size else "first"
        return Difference(None, None, None, None, "~", f"the {which} has no samples")
    a, b = (np.log(side) for side in medians)
    change = math.log(middle(medians[1]) / middle(medians[0]))
    if min(a.size, b.size) < LEAST:
        return undecidable(change, _too_few(a.size, b.size, unit))
    return decided(change, *independent(a, b))


def undecidable(change: float, reason: str) -> Difference:
    """Return a change of the logarithms without interval and p."""
    return Difference(_percent(change), None, None, None, "~", reason)


def _medians(processes: Sequence[Durations]) -> Floats:
    medians = [float(np.median(durations)) for durations in processes if len(durations)]
    return np.maximum(np.asarray(medians, dtype=np.float64), 1.0)


def _too_few(first: int, second: int, unit: str) -> str:
    return (
        f"cannot be decided: {first} against {second} {unit}, and at least {LEAST} of each are needed to know "
        "how much one differs from the next"
    )


class Tested(NamedTuple):
    """The ends of the 95 % interval of a shift of logarithms, the p of none, and that for many comparisons at once."""

    low: float
    high: float
    p: float
    p_apart: float | None


def independent(a: Floats, b: Floats) -> Tested:
    """Test the shift from `a` to `b`, logarithms of the medians of processes that have nothing in common."""
    apart = _p_apart(a, b)
    if min(a.size, b.size) >= _LEAST_FOR_RANKS:
        return Tested(*_ranks(a, b), apart)
    error, freedom = _welch(a, b)
    shift = float(b.mean() - a.mean())
    if error < NO_SPREAD:
        return Tested(shift, shift, _ranks(a, b)[2], apart)
    half = t_quantile(1.0 - SIGNIFICANCE / 2.0, freedom) * error
    return Tested(shift - half, shift + half, t_two_sided(shift / error, freedom), apart)


def _ranks(a: Floats, b: Floats) -> tuple[float, float, float]:
    """Return Hodges & Lehmann's interval of the shift and the p of Wilcoxon's test; ties count against a difference."""
    shifts = np.sort((b[:, None] - a).ravel())
    shifts[np.abs(shifts) < NO_SPREAD] = 0.0
    fewer = min(int((shifts <= 0).sum()), int((shifts >= 0).sum()))
    rank = _rank(a.size, b.size)
    ends = shifts[max(rank - 1, 0)], shifts[min(shifts.size - rank, shifts.size - 1)]
    return float(ends[0]), float(ends[1]), min(2.0 * _at_most(fewer, a.size, b.size), 1.0)


def _at_most(count: int, n: int, m: int) -> float:
    """Return P(U <= count) of Mann & Whitney's U for samples of n and m from one distribution."""
    if n * m <= _MOST_EXACT:
        return float(_distribution(n, m)[count])
    return NormalDist(n * m / 2, _deviation(n, m)).cdf(count + 0.5)


def _rank(n: int, m: int) -> int:
    """Return how many pairs at either end the 95 % interval leaves out, and one; 0 where it can leave out none."""
    if n * m <= _MOST_EXACT:
        return int(np.searchsorted(_distribution(n, m), SIGNIFICANCE / 2))
    return math.floor(NormalDist(n * m / 2, _deviation(n, m)).inv_cdf(SIGNIFICANCE / 2) + 0.5)


def _deviation(n: int, m: int) -> float:
    return math.sqrt(n * m * (n + m + 1) / 12)


@lru_cache(maxsize=64)
def _distribution(n: int, m: int) -> Floats:
    """Return the distribution function of Mann & Whitney's U, float64 [n m + 1].

    The counts are the coefficients of Gauss's binomial, the product of (1 - q^(m+i)) / (1 - q^i) for i = 1 … n
    (Andrews, The Theory of Partitions, 1976, § 3.2); each is divided by its share so that they stay probabilities.
    """
    chances = np.zeros(n * m + 1)
    chances[0] = 1.0
    for i in range(1, n + 1):
        above = chances.copy()
        above[m + i :] -= chances[: -(m + i)] if m + i <= n * m else 0.0
        for start in range(i):
            above[start::i] = np.cumsum(above[start::i])
        chances = above * (i / (m + i))
    return np.minimum(np.cumsum(chances), 1.0)


def _welch(a: Floats, b: Floats) -> tuple[float, float]:
    """Return the standard error of the difference of means and its degrees of freedom (Satterthwaite)."""
    parts = np.array([group.var(ddof=1) / group.size for group in (a, b)])
    total = float(parts.sum())
    if total == 0.0:
        return 0.0, math.inf
    return math.sqrt(total), total**2 / float(np.sum(parts**2 / (np.array([a.size, b.size]) - 1)))


def _p_apart(a: Floats, b: Floats) -> float | None:
    """Return Welch's p where the slowest of one is faster than the fastest of the other: ranks know no more there."""
    if a.max() >= b.min() and b.max() >= a.min():
        return None
    error, freedom = _welch(a, b)
    return t_two_sided(float(b.mean() - a.mean()) / error, freedom) if error >= NO_SPREAD else None


def decided(change: float, low: float, high: float, p: float, p_apart: float | None) -> Difference:
    """Return what a test of logarithms decides; the interval is stretched to hold the change that is printed."""
    low, high = min(low, change), max(high, change)
    ends = _percent(change), _percent(low), _percent(high), p
    if p < SIGNIFICANCE and not low <= 0 <= high:
        return Difference(*ends, "slower" if change > 0 else "faster", p_apart=p_apart)
    return Difference(*ends, "~", _why_not(change, p), p_apart)


def _why_not(change: float, p: float) -> str:
    if abs(change) < NO_SPREAD:
        return "the medians are equal"
    if p < SIGNIFICANCE:
        return f"the medians differ the other way round than most processes do (p = {p:.2g})"
    return f"no difference shown (p = {p:.2g}, 95 % interval holds 0)"


def _percent(log_ratio: float) -> float:
    return 100.0 * math.expm1(log_ratio)
