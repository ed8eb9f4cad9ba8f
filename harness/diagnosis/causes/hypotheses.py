"""Try other cards for the quantized model, and keep the one that helps most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.accuracy.bootstrap import PairedDifference
from harness.cards import ModelCard
from harness.diagnosis.causes.confidence import allows_guesses, gain_text, grade_cause
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Correction, Finding, Number
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.changes import Change, Trial
from harness.errors import HarnessError


@dataclass(frozen=True)
class Hypothesis:
    """Another card for the quantized model.

    Attributes:
        card: The card.
        sentence: The error of the present card, if this one is right.
        seen: Whether the cards or files show that the present one is wrong, whatever the mAP says.
    """

    card: ModelCard
    sentence: str
    seen: bool


def best_card(evidence: Evidence, cause: str, found: Sequence[Hypothesis]) -> Finding | None:
    """Try hypotheses and return a finding for the one that helps most, if `grade_cause` confirms it.

    A guess, which neither cards nor files support, is tried only where accuracy can be won back: of many trials, some
    help by chance. Nor is it tried on a device, where each trial infers all images anew.
    """
    guesses = allows_guesses(evidence) and evidence.pair.quantized.place.in_process
    tried = [(one, trial) for one in found if (one.seen or guesses) and (trial := _trial(evidence, one))]
    if not tried:
        return None
    best, trial = max(tried, key=lambda pair: (pair[1].gain or 0.0, pair[0].seen))
    grade = grade_cause(trial.difference, evidence, best.seen)
    if grade is None:
        return None
    return Finding(
        cause,
        grade.confidence,
        grade.rule,
        f"{best.sentence}; read so, {gain_text(trial.difference)}",
        gain_numbers(trial.difference),
        trial.difference,
        "setting",
        remedies.new_card(evidence, best.card),
        Correction(card=best.card),
    )


def _trial(evidence: Evidence, one: Hypothesis) -> Trial | None:
    """Measure a hypothesis; None where the card does not fit the file or cannot be tried where the model runs."""
    try:
        return evidence.trial(Change("another card", card=one.card))
    except HarnessError:
        return None


def gain_numbers(gain: PairedDifference) -> tuple[Number, ...]:
    """Return the numbers behind a gain."""
    return (
        Number("as it is", gain.first, "mAP"),
        Number("without the cause", gain.second, "mAP"),
        Number("gain", gain.difference, "mAP"),
        Number("gain, low", gain.low, "mAP"),
        Number("gain, high", gain.high, "mAP"),
    )
