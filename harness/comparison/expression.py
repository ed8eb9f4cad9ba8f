"""Parse the conditions of a gate, `latency_median_ms > 5%`, `map < -0.005`; nothing is evaluated as code."""

from __future__ import annotations

import re
from dataclasses import dataclass

from harness.comparison.measures import MEASURES
from harness.errors import UnknownNameError, UsageError
from harness.rows import columns

_FORM = re.compile(
    r"\s*(?P<column>[A-Za-z_]\w*)\s*(?P<sign>>|<)\s*(?P<value>[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)"
    r"\s*(?P<percent>%?)\s*",
    re.ASCII,
)
EXAMPLES = "'latency_median_ms > 5%' or 'map < -0.005'"


@dataclass(frozen=True)
class Condition:
    """A change that the gate forbids.

    Attributes:
        column: The public column whose change is judged: the new value less the base's.
        rises: Whether a change above the threshold is forbidden; else one below it.
        threshold: In percent of the base, or in the column's unit.
        relative: Whether it is in percent.
    """

    column: str
    rises: bool
    threshold: float
    relative: bool

    def __str__(self) -> str:
        """Return the condition as the user writes it."""
        return f"{self.column} {'>' if self.rises else '<'} {self.threshold:g}{'%' if self.relative else ''}"


def parse(text: str) -> Condition:
    """Parse `COLUMN > NUMBER`, `COLUMN < NUMBER`, each with `%` for percent of the base.

    Raises:
        UsageError: It is no such expression, the column has no known spread, or it would forbid no change at all.
        UnknownNameError: No such column; near misses are listed.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(
            f"--fail-if {text!r}: expected COLUMN > NUMBER or COLUMN < NUMBER, the number with % for a "
            f"relative change, such as {EXAMPLES}"
        )
    column = _checked(found["column"])
    condition = Condition(column, found["sign"] == ">", float(found["value"]), bool(found["percent"]))
    if (condition.threshold < 0) if condition.rises else (condition.threshold > 0):
        raise UsageError(
            f"--fail-if {text!r}: would fail where nothing changed; a change that is not to rise takes a "
            f"threshold of 0 or more after >, one that is not to fall 0 or less after <, such as {EXAMPLES}"
        )
    return condition


def _checked(column: str) -> str:
    if column in MEASURES:
        return column
    if column in columns.BY_NAME:
        raise UsageError(
            f"--fail-if: what chance does to {column!r} is not known, so it cannot be gated; "
            f"these can: {', '.join(MEASURES)}"
        )
    raise UnknownNameError("column", column, MEASURES)
