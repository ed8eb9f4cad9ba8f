"""Decide many comparisons at once, so that a table of unchanged cells claims nothing.

Each comparison alone is wrong in 5 % of all unchanged cells; of 20 such cells one or more is then called different in
64 % of all tables. Benjamini & Hochberg (J. R. Stat. Soc. B 57, 1995) hold the share of wrong ones among those that are
called different at 5 %, and so the share of unchanged tables that claim anything.

Ranks of few processes cannot be as rare as that asks: 5 against 5 have no p below 0.008, so one changed cell of 20
would never be found. Where all processes of one side are slower than all of the other, ranks know no more, and
Welch's p says how far apart they are. With 5 and more processes that keeps unchanged tables at about 5 % in every kind
of noise that was simulated; with 4 it is 14 % where a device is in either of two states half of the time
(`tests/benchmarks/bench_kinds.py tables`).
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.statistics.comparing import SIGNIFICANCE, Difference


def stand_out(ps: Sequence[float], level: float = SIGNIFICANCE) -> list[bool]:
    """Return which of several p remain, by Benjamini & Hochberg's step-up rule.

    Example:
        >>> stand_out([0.01, 0.04, 0.9])
        [True, False, False]
    """
    ordered = sorted(ps)
    passed = [p for rank, p in enumerate(ordered, 1) if p <= level * rank / len(ordered)]
    limit = passed[-1] if passed else -1.0
    return [p <= limit for p in ps]


def p_among_many(found: Difference) -> float | None:
    """Return the p of a comparison as one of many; None where it has none."""
    if found.p is None or found.p_apart is None:
        return found.p
    return min(found.p, found.p_apart)
