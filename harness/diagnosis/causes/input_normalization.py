"""The network gets images that are normalized otherwise than in training: real = (pixel − mean) / std differs."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from harness.cards import ModelCard
from harness.diagnosis.causes import hypotheses
from harness.diagnosis.causes.hypotheses import Hypothesis
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding
from harness.diagnosis.runs import input_values
from harness.recognize.readings import NORMALIZATIONS

CAUSE = "input-normalization"


def examine(evidence: Evidence) -> Finding | None:
    """Feed the float model's input values; without a float model, try the usual normalizations."""
    return hypotheses.best_card(evidence, CAUSE, list(_hypotheses(evidence)))


def _hypotheses(evidence: Evidence) -> Iterator[Hypothesis]:
    pair = evidence.pair
    card, info = pair.quantized.card, pair.quantized.description.image_input
    if pair.float is None:
        if card.input.mean is not None or info.dtype.startswith("float"):
            yield from _usual(card)
        return
    wanted, asked = input_values.values_of(pair.float), input_values.card_values(card.input, info)
    if asked is None or asked.is_close_to(wanted):
        return
    better = input_values.preparation_for(card.input, info, wanted, other=pair.float)
    yield Hypothesis(
        replace(card, input=better),
        f"the quantized side's card normalizes pixels to {asked}, the float network gets {wanted}",
        seen=True,
    )


def _usual(card: ModelCard) -> Iterator[Hypothesis]:
    for words, (mean, std) in NORMALIZATIONS.items():
        if (mean, std) != (card.input.mean, card.input.std):
            changed = replace(card, input=replace(card.input, mean=mean, std=std))
            yield Hypothesis(
                changed, f"the card does not normalize to {words}, which serves the model better", False
            )
