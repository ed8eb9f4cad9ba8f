"""From a counterfactual to a confidence: the one rule that all causes are held to."""

from __future__ import annotations

from dataclasses import dataclass

from harness.accuracy.bootstrap import PairedDifference
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Confidence

LEAST_GAIN = 0.005
"""Half a point of mAP: what is worth a change of a shipped model; beyond-chance gains below it stay `possible`."""
CHANCE, SHARE = 0.01, 0.10
"""What a reading that nothing but the attempt speaks for must gain: 0.01 and a tenth of the mAP (as `models probe`)."""
MOST = 0.5
"""Share of the whole loss that a cause has to account for to be `certain`."""
BEYOND_CHANCE = "the 95 % interval of the gain lies above 0"


@dataclass(frozen=True)
class Verdict:
    """How sure a cause is.

    Attributes:
        confidence: The grade.
        rule: Why this grade, in words.
    """

    confidence: Confidence
    rule: str


def judge(gain: PairedDifference, evidence: Evidence, seen: bool) -> Verdict | None:
    """Grade a cause by what taking it away brought.

    - `certain`: it is seen in the cards or files, its gain is beyond chance and at least half of the loss.
    - `likely`: the gain is beyond chance and at least 0.005; where nothing but the attempt speaks for it, at least 0.01
      and a tenth of the mAP.
    - `possible`: it is seen and taking it away helps, but the gain cannot be told from 0 on these images.
    - None: it is not seen and does not help, or taking it away brings nothing.

    Args:
        gain: `first` is the quantized model as it is, `second` without the cause.
        evidence: Says how large the loss is.
        seen: Whether the cards or files show the cause, whatever it does to the mAP.
    """
    change, low = gain.difference or 0.0, gain.low
    beyond = low is not None and low > 0 and change >= LEAST_GAIN
    if not seen:
        least = needed(gain.first)
        rule = f"{BEYOND_CHANCE}, and it is at least {least:.3f}; the files do not show the cause"
        return Verdict("likely", rule) if beyond and change >= least else None
    share = share_of_loss(change, evidence)
    if beyond and share is not None and share >= MOST:
        return Verdict(
            "certain", f"seen in the cards or files, {BEYOND_CHANCE}, and it is {share:.0%} of the loss"
        )
    if beyond:
        return Verdict("likely", f"seen in the cards or files, and {BEYOND_CHANCE}")
    if change <= 0:
        return None
    return Verdict(
        "possible", "seen in the cards or files, but the gain cannot be told from 0 on these images"
    )


def needed(before: float | None) -> float:
    """Return what a reading that nothing else speaks for must gain upon an mAP."""
    return max(CHANCE, SHARE * (before or 0.0))


def room_for_guesses(evidence: Evidence) -> bool:
    """Whether so much is lost that a reading which nothing speaks for could win enough back to be believed."""
    loss = evidence.loss.difference
    if loss is None:
        return True
    return is_lossy(evidence) and -(loss.difference or 0.0) >= needed(loss.second)


def share_of_loss(gain: float, evidence: Evidence) -> float | None:
    """Return how much of the whole loss a gain is; None where there is no float model or no loss beyond chance."""
    loss = evidence.loss.difference
    if loss is None or loss.difference is None or loss.high is None or loss.high >= 0:
        return None
    return min(gain / -loss.difference, 1.0)


def is_lossy(evidence: Evidence) -> bool:
    """Whether there is anything to explain: a loss beyond chance of at least 0.005; True without a float model."""
    loss = evidence.loss.difference
    if loss is None:
        return True
    return (loss.high is None or loss.high < 0) and (loss.difference or 0.0) <= -LEAST_GAIN


def words(gain: PairedDifference) -> str:
    """Return `mAP 0.077 → 0.209 (+0.132, 95 % 0.110…0.154)`."""
    if gain.difference is None:
        return "mAP not to be told"
    text = f"mAP {gain.first:.3f} → {gain.second:.3f} ({gain.difference:+.3f}"
    return f"{text}, 95 % {gain.low:+.3f}…{gain.high:+.3f})" if gain.low is not None else f"{text})"
