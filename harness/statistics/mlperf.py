"""MLPerf LoadGen's early stopping: the queries a quantile needs, and the estimate that so few support.

MLCommons inference rules, appendix "Early Stopping Criterion", and `loadgen/early_stopping.cc` and
`loadgen/results.cc` of github.com/mlcommons/inference: with t of n queries above the latency bound, the run
shows with confidence c that at least the share p of all queries is below it, to a tolerance d, when
P(X <= t) <= 1 - c for X ~ Binomial(n, 1 - p + d).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.errors import UsageError
from harness.statistics.distributions import binomial_cdf

CONFIDENCE = 0.99
"""LoadGen's setting; its tolerance d is 0."""


@dataclass(frozen=True)
class EarlyStopping:
    """The outcome of early stopping for one quantile.

    `estimate` has the unit of the durations: the quantile is at most this with the requested confidence;
    None when `n_queries` is less than `queries_needed`. `discarded` is the number of slower queries that were
    ignored.
    """

    estimate: float | None
    n_queries: int
    queries_needed: int
    discarded: int


def minimum_queries(
    percentile: float, overlatency_allowed: int, confidence: float = CONFIDENCE, tolerance: float = 0.0
) -> int:
    """Return the fewest queries of which `overlatency_allowed` may be above the bound.

    Args:
        percentile: The quantile p to be shown, 0 < p < 1 (0.9 for p90).
        overlatency_allowed: t, the number of queries that may be slower than the bound.
        confidence: c, the probability with which the statement must hold.
        tolerance: d, by how much the true share of fast queries may be less than p.

    Raises:
        UsageError: A number is out of its range.
    """
    passing = percentile - tolerance
    if not (0.0 < passing < 1.0 and 0.0 < confidence < 1.0 and overlatency_allowed >= 0):
        raise UsageError(
            f"found percentile {percentile}, tolerance {tolerance}, confidence {confidence}, "
            f"{overlatency_allowed} queries over the bound; expected 0 < percentile - tolerance < 1, "
            "0 < confidence < 1 and 0 or more queries"
        )
    low, high = overlatency_allowed, 2 * overlatency_allowed + 2
    while not _shown(high, overlatency_allowed, passing, confidence):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if _shown(middle, overlatency_allowed, passing, confidence) else (middle, high)
        )
    return high


def _shown(n: int, over: int, passing: float, confidence: float) -> bool:
    return binomial_cdf(over, n, 1.0 - passing) <= 1.0 - confidence


def early_stopping_estimate(
    durations: npt.NDArray[np.int64],
    percentile: float,
    confidence: float = CONFIDENCE,
    tolerance: float = 0.0,
) -> EarlyStopping:
    """Return LoadGen's estimate of a quantile: high enough to hold in spite of so few queries.

    As in `results.cc`, t is the largest number of overlatency queries that so many queries allow, at least
    1; the estimate is the t-th largest duration, so t - 1 slower ones are discarded.

    Args:
        durations: Shape (n,), any unit of time, any order.
        percentile: The quantile p, 0 < p < 1.
        confidence: See `minimum_queries`.
        tolerance: See `minimum_queries`.

    Raises:
        UsageError: A number is out of its range.
    """
    n = len(durations)
    needed = minimum_queries(percentile, 1, confidence, tolerance)
    if n < needed:
        return EarlyStopping(estimate=None, n_queries=n, queries_needed=needed, discarded=0)
    allowed = _overlatency_allowed(n, percentile - tolerance, confidence)
    estimate = float(np.partition(durations, n - allowed)[n - allowed])
    return EarlyStopping(estimate=estimate, n_queries=n, queries_needed=needed, discarded=allowed - 1)


def _overlatency_allowed(n: int, passing: float, confidence: float) -> int:
    """Return the largest t with minimum_queries(t) <= n, given that 1 is allowed."""
    low, high = 1, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if _shown(n, middle, passing, confidence) else (low, middle)
    return low
