"""Pixels are fed to an integer input as they are, though its scale and zero point give them another meaning."""

from __future__ import annotations

from msgspec.structs import replace

from harness.diagnosis.causes import hypotheses
from harness.diagnosis.causes.hypotheses import Hypothesis
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding
from harness.diagnosis.runs import input_values

CAUSE = "input-quantization"


def examine(evidence: Evidence) -> Finding | None:
    """Feed round(real / scale) + zero point of the float network's input values, where the input can store them."""
    model = evidence.pair.quantized
    card, info = model.card, model.description.image_input
    if evidence.pair.float is None or not input_values.is_integer(model) or card.input.mean is not None:
        return None
    wanted, found = input_values.values_of(evidence.pair.float), input_values.values_of(model)
    if found.is_close_to(wanted) or not input_values.can_store(info, wanted):
        return None
    better = replace(
        card, input=input_values.preparation_for(card.input, info, wanted, other=evidence.pair.float)
    )
    sentence = (
        f"pixels go into the {info.dtype} input as they are; with its scale {info.scale:.4g} and zero point "
        f"{info.zero_point} they mean {found}, the float network gets {wanted}"
    )
    return hypotheses.best_card(evidence, CAUSE, [Hypothesis(better, sentence, seen=True)])
