"""Which cause to look at first: gain per effort, as far as the gain is sure.

The rule, in one place. A finding's worth is the gain that is sure (the lower end of its 95 % interval, at least 0), by
how sure the cause is, by how little its remedy takes:

    worth = sure gain × CONFIDENCE[confidence] / EFFORT[effort]

`certain` causes come first, then `likely`, then `possible` ones; within a grade the worth decides, then the gain that
was measured, then the lesser effort. So what was seen and measured never stands behind a guess, and among equals the
cheaper cure is tried first: a card's entry takes a minute, an edit of the file as well, quantizing again an hour with
the gathering of images, training again days.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.diagnosis.findings import EFFORTS, Confidence, Effort, Finding

CONFIDENCE: dict[Confidence, float] = {"certain": 1.0, "likely": 0.8, "possible": 0.2}
EFFORT: dict[Effort, float] = {"setting": 1.0, "edit": 1.25, "requantize": 2.0, "retrain": 10.0}


def rank(findings: Sequence[Finding]) -> list[Finding]:
    """Sort findings, the one to look at first in front."""
    return sorted(findings, key=_key)


def worth(finding: Finding) -> float:
    """Return what looking at a finding promises, in mAP per effort; 0 where no gain is sure."""
    gain = finding.gain
    sure = max(0.0, gain.low) if gain is not None and gain.low is not None else 0.0
    return sure * CONFIDENCE[finding.confidence] / EFFORT[finding.effort]


def _key(finding: Finding) -> tuple[int, float, float, int]:
    gain = finding.gain.difference if finding.gain is not None else None
    grade = [*CONFIDENCE].index(finding.confidence)
    return grade, -worth(finding), -(gain or 0.0), EFFORTS.index(finding.effort)
