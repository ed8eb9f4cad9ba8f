"""The distribution functions that the statistics need, without scipy at run time.

Binomial and Student t both come from the regularized incomplete beta function I_x(a, b), computed with its
continued fraction (DLMF 8.17.22; Press et al., Numerical Recipes, 3rd ed., § 6.4).
"""

from __future__ import annotations

import math
from functools import lru_cache

_TINY = 1e-300
_EPSILON = 1e-15
_MAX_TERMS = 200_000


def beta_regularized(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b) for 0 <= x <= 1 and a, b > 0."""
    if x <= 0.0:
        return 0.0
    if x >= 1.0:
        return 1.0
    front = math.exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b))
    # The fraction converges fast only left of the mean; right of it I_x(a, b) = 1 - I_{1-x}(b, a) is used.
    if x < (a + 1.0) / (a + b + 2.0):
        return front * _beta_fraction(x, a, b) / a
    return 1.0 - front * _beta_fraction(1.0 - x, b, a) / b


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _beta_fraction(x: float, a: float, b: float) -> float:
    """Evaluate the continued fraction of DLMF 8.17.22 with Lentz's method."""
    c, d = 1.0, _reciprocal(1.0 - (a + b) * x / (a + 1.0))
    value = d
    for m in range(1, _MAX_TERMS):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d, c = _reciprocal(1.0 + even * d), 1.0 + even / c
        value *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d, c = _reciprocal(1.0 + odd * d), 1.0 + odd / c
        value *= d * c
        if abs(d * c - 1.0) < _EPSILON:
            break
    return value


def _reciprocal(value: float) -> float:
    return 1.0 / (value if abs(value) > _TINY else _TINY)


def binomial_cdf(k: int, n: int, p: float) -> float:
    """Return P(X <= k) for X ~ Binomial(n, p): I_{1-p}(n-k, k+1) (DLMF 8.17.5)."""
    if k < 0:
        return 0.0
    return 1.0 if k >= n else beta_regularized(1.0 - p, n - k, k + 1)


def binomial_quantile(level: float, n: int, p: float) -> int:
    """Return the smallest k with P(X <= k) >= level for X ~ Binomial(n, p)."""
    low, high = -1, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if binomial_cdf(middle, n, p) >= level else (middle, high)
    return high


def t_two_sided(t: float, df: float) -> float:
    """Return P(|T| >= |t|) for Student's T with `df` (not necessarily whole) degrees of freedom.

    Abramowitz & Stegun 26.7.1: I_{df / (df + t^2)}(df / 2, 1 / 2).
    """
    if t * t < df:  # near 0 the other side keeps the digits
        return 1.0 - beta_regularized(t * t / (df + t * t), 0.5, df / 2.0)
    return beta_regularized(df / (df + t * t), df / 2.0, 0.5)


@lru_cache(maxsize=1024)
def t_quantile(p: float, df: float) -> float:
    """Return the quantile of Student's t with `df` degrees of freedom for 0.5 <= p < 1, by bisection."""
    tail = 2.0 * (1.0 - p)
    low, high = 0.0, 1.0
    while t_two_sided(high, df) > tail:
        high *= 2.0
    while high - low > 1e-12 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if t_two_sided(middle, df) > tail else (low, middle)
    return 0.5 * (low + high)
