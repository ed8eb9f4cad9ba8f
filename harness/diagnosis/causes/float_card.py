"""An integer model that takes pixels is run with the card of the float model, which normalizes them."""

from __future__ import annotations

from msgspec.structs import replace

from harness.diagnosis.causes import hypotheses
from harness.diagnosis.causes.hypotheses import Hypothesis
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding
from harness.diagnosis.runs import input_values
from harness.diagnosis.runs.input_values import InputValues

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
    if _takes_other_values(evidence, means):
        return None
    sentence = (
        f"the {info.dtype} input stands for {means} when it gets the pixels themselves, but the card, as of a float "
        f"twin, normalizes them to {normalized} first"
    )
    return hypotheses.best_card(
        evidence, CAUSE, [Hypothesis(replace(card, input=plain), sentence, seen=True)]
    )


def _takes_other_values(evidence: Evidence, pixels: InputValues) -> bool:
    """Whether the network itself shows that it takes other values than pixels give: those of the float one.

    Its first layers are then the float model's, and not made anew for pixels.
    """
    reference, graph = evidence.pair.float, evidence.pair.quantized.graph.primary
    if reference is None or pixels.is_close_to(input_values.values_of(reference)):
        return False
    fed = set(graph.inputs)
    for operator in graph.operators:
        if operator.name == "QUANTIZE" and fed.intersection(operator.inputs):
            fed.update(operator.outputs)
    first = {output for one in graph.operators if fed.intersection(one.inputs) for output in one.outputs}
    own = [pair for pair in evidence.constants.of("weights", "bias") if pair.output in first]
    return bool(own) and all(pair.is_rounding for pair in own)
