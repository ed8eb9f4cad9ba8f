"""Compare the latency of two cells.

The process is the unit, as in `harness.statistics.latency`: each process gives one number, the logarithm of its
median, and Welch's t test (Biometrika 34, 1947; degrees of freedom by Satterthwaite, 1946) compares the two
groups without assuming equal variances. On logarithms a difference is a factor, so the result is a
percentage with an interval that excludes 0 exactly when p < 0.05, and "B is 3 % slower than A" is the exact
inverse of "A against B".

Mann-Whitney on all samples, as is common for benchmarks, treats thousands of inferences of one process as
independent and reports almost every pair of runs as different; a permutation of 3 against 3 processes can
never reach p < 0.05.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.statistics.distributions import t_quantile, t_two_sided

Durations = npt.NDArray[np.int64]
Decision = Literal["faster", "slower", "~"]

SIGNIFICANCE = 0.05
_NO_SPREAD = 1e-12
"""Rounding error of logarithms of equal medians; one nanosecond in a minute is more."""


@dataclass(frozen=True)
class Difference:
    """The difference of the second cell's median latency to the first's.

    `percent` is positive when the second is slower; `low` and `high` bound it with 95 % confidence; `p` is
    two-sided. Unknown is None. `decision` is of the second: `faster`, `slower`, or `~` where the difference
    is not shown; `reason` then says why.
    """

    percent: float | None
    low: float | None
    high: float | None
    p: float | None
    decision: Decision
    reason: str = ""


def compare(first: Sequence[Durations], second: Sequence[Durations]) -> Difference:
    """Compare two cells by the steady durations of their processes.

    Args:
        first: One array a process of the reference, shape (n,), in ns; empty ones are skipped.
        second: The same of the cell to judge.

    Returns:
        The difference of the second from the first. `p` and the interval are None when a cell has fewer than
        two processes: the variation from process to process is unknown then and nothing can be decided.
    """
    a, b = _log_medians(first), _log_medians(second)
    if not (a.size and b.size):
        return Difference(
            None, None, None, None, "~", f"the {'second' if a.size else 'first'} has no samples"
        )
    change = float(b.mean() - a.mean())
    if min(a.size, b.size) < 2:
        return Difference(_percent(change), None, None, None, "~", _too_few(a.size, b.size))
    error, freedom = _welch(a, b)
    if error < _NO_SPREAD:
        return _exact(change)
    p = t_two_sided(change / error, freedom)
    half = t_quantile(1.0 - SIGNIFICANCE / 2.0, freedom) * error
    decision, reason = _decide(change, p)
    return Difference(_percent(change), _percent(change - half), _percent(change + half), p, decision, reason)


def _log_medians(processes: Sequence[Durations]) -> npt.NDArray[np.float64]:
    medians = [float(np.median(durations)) for durations in processes if len(durations)]
    logs: npt.NDArray[np.float64] = np.log(np.maximum(np.asarray(medians, dtype=np.float64), 1.0))
    return logs


def _too_few(first: int, second: int) -> str:
    return (
        f"cannot be decided: {first} against {second} processes, and at least 2 of each are needed to know "
        "how much one process differs from the next"
    )


def _welch(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the standard error of the difference of means and its degrees of freedom (Satterthwaite)."""
    parts = np.array([group.var(ddof=1) / group.size for group in (a, b)])
    total = float(parts.sum())
    if total == 0.0:
        return 0.0, math.inf
    return math.sqrt(total), total**2 / float(np.sum(parts**2 / (np.array([a.size, b.size]) - 1)))


def _exact(change: float) -> Difference:
    """Return a difference without uncertainty: a cell's processes all have one median, as far as the clock resolves."""
    percent = _percent(change)
    if abs(change) < _NO_SPREAD:
        return Difference(percent, percent, percent, 1.0, "~", "all processes have the same median")
    return Difference(percent, percent, percent, 0.0, "slower" if change > 0 else "faster")


def _decide(change: float, p: float) -> tuple[Decision, str]:
    if p >= SIGNIFICANCE:
        return "~", f"no difference shown (p = {p:.2g}, 95 % interval holds 0)"
    return ("slower" if change > 0 else "faster"), ""


def _percent(log_ratio: float) -> float:
    return 100.0 * math.expm1(log_ratio)
