"""The file says another scale or zero point of an activation than its operator has: bytes change their meaning."""

from __future__ import annotations

from collections.abc import Sequence

from harness.accuracy.bootstrap import PairedDifference
from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.layers.stored_scales import WrongScale, wrong_scales
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.patched_file import Floats, layer_inputs

CAUSE = "stored-scale"
MOST = 4


def examine(evidence: Evidence) -> Finding | None:
    """Write the scales that the operators need into the file."""
    found = wrong_scales(evidence.pair.quantized.graph)
    if not found:
        return None
    gain = _gain(evidence, found)
    grade = grade_cause(gain, evidence, seen=True)
    if grade is None:
        return None
    more = f"; and {len(found) - MOST} more" if len(found) > MOST else ""
    words = "; ".join(_words(one) for one in found[:MOST])
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"{words}{more}; corrected in the file, {gain_text(gain)}",
        (Number("tensors", len(found)), *gain_numbers(gain)),
        gain,
        "requantize",
        remedies.requantize(
            evidence, "Quantize the float model again, as the command does: the file contradicts itself."
        ),
    )


def _gain(evidence: Evidence, found: Sequence[WrongScale]) -> PairedDifference:
    """Correct the scales, and let the layers that read the tensors have the float model's biases."""
    right = {one.tensor: one.right for one in found}
    return put_back.try_patch(evidence, biases_behind(evidence, set(right)), right)


def biases_behind(evidence: Evidence, tensors: set[int]) -> dict[int, Floats]:
    """Return the float model's biases of the layers that read some tensors: theirs were stored for another scale."""
    readers = {
        operator.inputs[places.bias]
        for operator in evidence.pair.quantized.graph.primary.operators
        if (places := layer_inputs(operator)) is not None
        and len(operator.inputs) > places.bias
        and operator.inputs[places.activation] in tensors
    }
    return {pair.tensor: pair.first for pair in evidence.constants.of("bias") if pair.tensor in readers}


def _words(one: WrongScale) -> str:
    stated = f"scale {one.stated.scale:.4g}, zero point {one.stated.zero_point}"
    right = f"scale {one.right.scale:.4g}, zero point {one.right.zero_point}"
    if one.kind == "fixed":
        return f"{one.operator} ({one.layer}) is stored with {stated}, and its kernel always gives {right}"
    if one.kind == "cut off":
        return f"the output {one.layer} has {stated} and cannot hold what is computed before it with {right}"
    return (
        f"{one.operator} ({one.layer}) moves bytes of {right}, and the file says {stated} of them behind it"
    )
