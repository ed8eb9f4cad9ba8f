"""Decide all cells of a comparison together (`harness.statistics.many`), and count what differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.comparison.accuracy import AccuracyDifference
from harness.statistics.comparing import SIGNIFICANCE, Difference
from harness.statistics.many import p_among_many, stand_out


@dataclass(frozen=True)
class Decisions:
    """What a table of cells decides.

    Attributes:
        latency: The difference of the median latency of each cell.
        accuracy: That of the mAP.
        n_tested: How many differences chance could have made.
        n_alone: How many of them would be called different if each stood alone.
    """

    latency: tuple[Difference, ...]
    accuracy: tuple[AccuracyDifference, ...]
    n_tested: int
    n_alone: int

    @property
    def n_different(self) -> int:
        """How many are called different."""
        return count_different(self.latency, self.accuracy)

    def sentence(self) -> str:
        """Return the count of a table for its reader; nothing where there is only one."""
        if self.n_tested < 2:
            return ""
        by_chance = f"{SIGNIFICANCE * self.n_tested:.1g}"
        alone = f"; each alone {self.n_alone} would, {by_chance} of them by chance" if self.n_alone else ""
        return f"{self.n_different} of {self.n_tested} differences are shown (Benjamini-Hochberg){alone}"


def count_different(latency: Sequence[Difference], accuracy: Sequence[AccuracyDifference]) -> int:
    """Return how many of them are called different."""
    return sum(found.decision != "~" for found in latency) + sum(found.decision != "~" for found in accuracy)


def decide_together(
    latency: Sequence[Difference], accuracy: Sequence[AccuracyDifference], disturbed: Sequence[bool]
) -> Decisions:
    """Decide the latency and the mAP of all cells as one family.

    Args:
        latency: The difference of the median latency of each cell.
        accuracy: That of the mAP.
        disturbed: Whether something else changed the times of the cell, so that its latency decides nothing.
    """
    times = [None if bad else p_among_many(one) for one, bad in zip(latency, disturbed, strict=True)]
    tested = [*times, *map(_accuracy_p, accuracy)]
    known = [p for p in tested if p is not None]
    remaining = iter(stand_out(known))
    remains = [p is None or next(remaining) for p in tested]
    split = len(latency)
    return Decisions(
        tuple(_kept(found, kept, len(known)) for found, kept in zip(latency, remains[:split], strict=True)),
        tuple(_kept(found, kept, len(known)) for found, kept in zip(accuracy, remains[split:], strict=True)),
        len(known),
        count_different(latency, accuracy),
    )


def _accuracy_p(found: AccuracyDifference) -> float | None:
    """Return its p; None where both detect the same, which chance has no part in."""
    return None if found.low == found.high else found.p


_Found = TypeVar("_Found", Difference, AccuracyDifference)


def _kept(found: _Found, kept: bool, n_tested: int) -> _Found:
    if kept or found.decision == "~":
        return found
    why = f"p = {found.p:.2g} alone, but of {n_tested} comparisons one can be as small by chance"
    return replace(found, decision="~", reason=why)
