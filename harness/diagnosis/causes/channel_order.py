"""The network gets blue where it was trained on red."""

from __future__ import annotations

from msgspec.structs import replace

from harness.diagnosis.causes import hypotheses
from harness.diagnosis.causes.hypotheses import Hypothesis
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding

CAUSE = "channel-order"


def examine(evidence: Evidence) -> Finding | None:
    """Feed the channels in the float model's order; without a float model, in the other order."""
    card = evidence.pair.quantized.card
    other = replace(
        card, input=replace(card.input, channels="bgr" if card.input.channels == "rgb" else "rgb")
    )
    reference = evidence.pair.float
    seen = reference is not None and reference.card.input.channels != card.input.channels
    fed, right = card.input.channels.upper(), other.input.channels.upper()
    sentence = (
        f"the quantized side is fed {fed}, the float side {right}"
        if seen
        else f"the model is fed {fed}, and {right} serves it better"
    )
    return hypotheses.best_card(evidence, CAUSE, [Hypothesis(other, sentence, seen)])
