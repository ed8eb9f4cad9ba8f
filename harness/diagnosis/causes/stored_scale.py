"""The file says another scale or zero point of an activation than its operator has: bytes change their meaning."""

from __future__ import annotations

from collections.abc import Sequence

from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.contradictions import biases_behind, scales_before_biases
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Correction, Finding, Number
from harness.diagnosis.layers.stored_scales import WrongScale, wrong_scales
from harness.diagnosis.remedies import remedies

CAUSE = "stored-scale"
MOST = 4


def examine(evidence: Evidence) -> Finding | None:
    """Write the scales that the operators need into the file."""
    found = _found(evidence)
    if not found:
        return None
    correction = _correction(evidence, found)
    gain = put_back.try_correction(evidence, correction)
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
        correction,
    )


def _found(evidence: Evidence) -> list[WrongScale]:
    """Return the tensors whose scale their operator or the biases behind them contradict, but for the input's."""
    graph = evidence.pair.quantized.graph
    behind = [one for one in scales_before_biases(evidence) if one.tensor not in graph.primary.inputs]
    right = {one.tensor: one.right for one in behind}
    return [*behind, *(one for one in wrong_scales(graph, right) if one.tensor not in right)]


def _correction(evidence: Evidence, found: Sequence[WrongScale]) -> Correction:
    """Correct the scales, and let the layers that read the tensors have the float model's biases."""
    right = {one.tensor: one.right for one in found}
    return Correction(constants=biases_behind(evidence, set(right)), activations=right)


def _words(one: WrongScale) -> str:
    stated = f"scale {one.stated.scale:.4g}, zero point {one.stated.zero_point}"
    right = f"scale {one.right.scale:.4g}, zero point {one.right.zero_point}"
    if one.kind == "fixed":
        return f"{one.operator} ({one.layer}) is stored with {stated}, and its kernel always gives {right}"
    if one.kind == "biases":
        return (
            f"{one.operator} ({one.layer}) is stored with {stated}, and the biases of all layers that read it were "
            f"stored for scale {one.right.scale:.4g}"
        )
    if one.kind == "cut off":
        return f"the output {one.layer} has {stated} and cannot hold what is computed before it with {right}"
    return (
        f"{one.operator} ({one.layer}) moves bytes of {right}, and the file says {stated} of them behind it"
    )
