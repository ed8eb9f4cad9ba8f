"""Grade how sure a cause is by what the model gains without it: the one rule that all causes are held to."""

from __future__ import annotations

from dataclasses import dataclass

from harness.accuracy.bootstrap import PairedDifference
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Confidence

LEAST_GAIN = 0.005
"""Half a point of mAP: the gain that is worth a change of a shipped model; a smaller one is `possible` at most."""
CHANCE, SHARE = 0.01, 0.10
"""The gain that a guess needs, which neither cards nor files support: 0.01 and a tenth of mAP (as `models probe`)."""
MOST = 0.5
"""Share of the whole loss that a cause has to account for to be `certain`."""
BEYOND_CHANCE = "the 95 % interval of the gain lies above 0"
UNSEEN = "the files do not show the cause"
"""How the rule of a guess ends."""


@dataclass(frozen=True)
class Grade:
    """The grade of a cause.

    Attributes:
        confidence: How sure the cause is.
        rule: Why, in words.
    """

    confidence: Confidence
    rule: str


def grade_cause(gain: PairedDifference, evidence: Evidence, seen: bool) -> Grade | None:
    """Grade a cause by the gain of taking it away; None where it is not one.

    - `certain`: it is seen in the cards or files, its gain is beyond chance and at least half of the loss.
    - `likely`: the gain is beyond chance and at least 0.005; where cards and files do not show it, at least 0.01 and a
      tenth of the mAP.
    - `possible`: it is seen and taking it away helps, but the gain cannot be told from 0 on these images.
    - None: it is not seen and does not help, or taking it away brings nothing.

    Args:
        gain: `first` is the quantized model as it is, `second` without the cause.
        evidence: States how large the loss is.
        seen: Whether the cards or files show the cause, whatever it does to the mAP.
    """
    change, low = gain.difference or 0.0, gain.low
    beyond = low is not None and low > 0 and change >= LEAST_GAIN
    if not seen:
        least = needed_gain(gain.first)
        rule = f"{BEYOND_CHANCE}, and it is at least {least:.3f}; {UNSEEN}"
        return Grade("likely", rule) if beyond and change >= least else None
    share = share_of_loss(change, evidence)
    if beyond and share is not None and share >= MOST:
        return Grade(
            "certain", f"seen in the cards or files, {BEYOND_CHANCE}, and it is {share:.0%} of the loss"
        )
    if beyond:
        return Grade("likely", f"seen in the cards or files, and {BEYOND_CHANCE}")
    if change <= 0:
        return None
    return Grade("possible", "seen in the cards or files, but the gain cannot be told from 0 on these images")


def needed_gain(before: float | None) -> float:
    """Return the gain that a guess needs, from the mAP without it."""
    return max(CHANCE, SHARE * (before or 0.0))


def allows_guesses(evidence: Evidence) -> bool:
    """Whether enough is lost that a guess could win back what it needs to be believed."""
    loss = evidence.loss.difference
    if loss is None:
        return True
    return is_lossy(evidence) and -(loss.difference or 0.0) >= needed_gain(loss.second)


def share_of_loss(gain: float, evidence: Evidence) -> float | None:
    """Return the share of the whole loss that a gain is; None without a float model or a loss beyond chance."""
    loss = evidence.loss.difference
    if loss is None or loss.difference is None or loss.high is None or loss.high >= 0:
        return None
    return min(gain / -loss.difference, 1.0)


def is_lossy(evidence: Evidence) -> bool:
    """Whether there is a loss to explain: beyond chance and at least 0.005; True without a float model."""
    loss = evidence.loss.difference
    if loss is None:
        return True
    return (loss.high is None or loss.high < 0) and (loss.difference or 0.0) <= -LEAST_GAIN


def gain_text(gain: PairedDifference) -> str:
    """Return a gain in words: `mAP 0.077 → 0.209 (+0.132, 95 % 0.110…0.154)`."""
    if gain.difference is None:
        return "mAP not to be told"
    text = f"mAP {gain.first:.3f} → {gain.second:.3f} ({gain.difference:+.3f}"
    return f"{text}, 95 % {gain.low:+.3f}…{gain.high:+.3f})" if gain.low is not None else f"{text})"
