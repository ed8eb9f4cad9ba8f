"""Try what may be right instead of what the card says, and keep what helps most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from harness.accuracy.bootstrap import PairedDifference
from harness.cards import ModelCard
from harness.diagnosis.causes.confidence import judge, room_for_guesses, words
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.changes import Change, Trial
from harness.errors import HarnessError


@dataclass(frozen=True)
class Hypothesis:
    """Another reading of the quantized model.

    Attributes:
        card: What it comes to.
        sentence: What would then be wrong with the present one.
        seen: Whether the cards or files show that the present one is wrong, whatever the mAP says.
    """

    card: ModelCard
    sentence: str
    seen: bool


def best_card(evidence: Evidence, cause: str, found: Sequence[Hypothesis]) -> Finding | None:
    """Try readings and return a finding for the one that helps most, if it passes `judge`.

    What nothing speaks for is tried only where there is accuracy to win back: chance would find some elsewhere. Nor is
    it tried on a device, where each attempt infers all images anew.
    """
    guesses = room_for_guesses(evidence) and evidence.pair.quantized.place.in_process
    tried = [(one, trial) for one in found if (one.seen or guesses) and (trial := _trial(evidence, one))]
    if not tried:
        return None
    best, trial = max(tried, key=lambda pair: (pair[1].gain or 0.0, pair[0].seen))
    verdict = judge(trial.difference, evidence, best.seen)
    if verdict is None:
        return None
    return Finding(
        cause,
        verdict.confidence,
        verdict.rule,
        f"{best.sentence}; read so, {words(trial.difference)}",
        gain_numbers(trial.difference),
        trial.difference,
        "setting",
        remedies.new_card(evidence, best.card),
    )


def _trial(evidence: Evidence, one: Hypothesis) -> Trial | None:
    """Measure a reading; None where the card does not fit the file or cannot be tried where the model runs."""
    try:
        return evidence.trial(Change("another card", card=one.card))
    except HarnessError:
        return None


def gain_numbers(gain: PairedDifference) -> tuple[Number, ...]:
    """Return the numbers behind a counterfactual."""
    return (
        Number("as it is", gain.first, "mAP"),
        Number("without the cause", gain.second, "mAP"),
        Number("gain", gain.difference, "mAP"),
        Number("gain, low", gain.low, "mAP"),
        Number("gain, high", gain.high, "mAP"),
    )
