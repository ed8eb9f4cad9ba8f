"""An integer model that takes pixels is run with the card of the float model, which normalizes them."""

from __future__ import annotations

from msgspec.structs import replace

from harness.diagnosis.causes import hypotheses
from harness.diagnosis.causes.hypotheses import Hypothesis
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding
from harness.diagnosis.runs import input_values

CAUSE = "float-card"


def examine(evidence: Evidence) -> Finding | None:
    """Feed the pixels as they are to an integer input whose card normalizes them."""
    model = evidence.pair.quantized
    card, info = model.card, model.description.image_input
    if not input_values.is_integer(model) or card.input.mean is None:
        return None
    plain = replace(card.input, mean=None, std=None)
    means, normalized = input_values.prepared_values(plain, info), input_values.card_values(card.input, info)
    if normalized is None or means.is_close_to(normalized):
        return None
    reference = evidence.pair.float
    if reference is not None and not means.is_close_to(input_values.values_of(reference)):
        return None  # then pixels are no better: the network was made for other values
    sentence = (
        f"the {info.dtype} input stands for {means} when it gets the pixels themselves, but the card, as of a float "
        f"twin, normalizes them to {normalized} first"
    )
    return hypotheses.best_card(
        evidence, CAUSE, [Hypothesis(replace(card, input=plain), sentence, seen=True)]
    )
