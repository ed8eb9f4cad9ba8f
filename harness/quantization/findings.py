"""What a check of representative data found, as data."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from harness.errors import DatasetError

Severity = Literal["error", "warning", "hint"]
COLUMNS = ("severity", "name", "message", "remedy")
_ORDER = {"error": 0, "warning": 1, "hint": 2}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or may be.

    Attributes:
        name: Of the check.
        severity: `error`: the quantized model would be wrong. `warning`: it would be worse than it could be. `hint`:
            statistics that may have a harmless reason.
        message: A sentence with the numbers.
        remedy: What to do.
    """

    name: str
    severity: Severity
    message: str
    remedy: str

    def row(self) -> dict[str, Any]:
        """Return the finding as a row of `COLUMNS`."""
        return {name: getattr(self, name) for name in COLUMNS}


def sorted_by_severity(findings: Iterable[Finding]) -> list[Finding]:
    """Return errors first, hints last."""
    return sorted(findings, key=lambda finding: _ORDER[finding.severity])


def refuse_errors(findings: Iterable[Finding], source: object) -> None:
    """Stop before minutes are spent on a model that would be wrong.

    Raises:
        DatasetError: There is an error among the findings; says which and what to do.
    """
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        listed = " ".join(f"{finding.message} {finding.remedy}" for finding in errors)
        raise DatasetError(f"{source}: not fit to calibrate with. {listed} (--force quantizes all the same.)")
