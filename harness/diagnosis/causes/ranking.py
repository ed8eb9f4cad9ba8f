"""Rank the causes: gain per effort, weighted by confidence.

The rule, in one place:

    worth = measured gain in mAP × CONFIDENCE[confidence] / EFFORT[effort]

The finding of the greatest worth comes first; where no gain was measured the worth is 0, and the confidence, then the
lesser effort decides. So a measured gain is never ranked behind a guess, a large gain that these images do not yet
prove can come before a proven small one, and among equals the cheaper remedy is tried first: a card's entry takes a
minute, an edit of the file as well, quantizing again an hour with the gathering of images, training again days.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.diagnosis.causes.confidence import LEAST_GAIN, UNSEEN, share_of_loss
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import EFFORTS, Confidence, Effort, Finding

CONFIDENCE: dict[Confidence, float] = {"certain": 1.0, "likely": 0.8, "possible": 0.5}
LEAST_SHARE = 0.05
"""Share of the loss from which a finding explains anything of it."""
EFFORT: dict[Effort, float] = {"setting": 1.0, "edit": 1.25, "requantize": 2.0, "retrain": 10.0}


def rank(findings: Sequence[Finding]) -> list[Finding]:
    """Sort findings, the one to look at first in front."""
    return sorted(findings, key=_key)


def without_lesser_guesses(findings: Sequence[Finding]) -> list[Finding]:
    """Leave out guesses beside a certain cause that wins more: they are another, poorer reading of the same loss.

    With classes dealt anew, for one, shifted labels win back what the shift happens to put right.
    """
    won = [_gain(one) for one in findings if one.confidence == "certain"]
    return [one for one in findings if not (one.rule.endswith(UNSEEN) and _gain(one) < max(won, default=0.0))]


def worth(finding: Finding) -> float:
    """Return the expected gain of a finding's remedy, in mAP per effort; 0 where no gain was measured."""
    return max(0.0, _gain(finding)) * CONFIDENCE[finding.confidence] / EFFORT[finding.effort]


def explains(finding: Finding, evidence: Evidence) -> bool:
    """Whether a finding explains anything of the loss: a gain below half a point or a twentieth of it does not.

    One that is only `possible` explains nothing either where no loss is proven.
    """
    loss, gain = evidence.loss.difference, finding.gain
    if loss is None or gain is None or gain.difference is None:
        return True
    share = share_of_loss(gain.difference, evidence)
    if share is None:
        return finding.confidence != "possible" and gain.difference >= LEAST_GAIN
    return gain.difference >= LEAST_GAIN and share >= LEAST_SHARE


def _gain(finding: Finding) -> float:
    return 0.0 if finding.gain is None else finding.gain.difference or 0.0


def _key(finding: Finding) -> tuple[float, int, int]:
    grade = [*CONFIDENCE].index(finding.confidence)
    return -worth(finding), grade, EFFORTS.index(finding.effort)
