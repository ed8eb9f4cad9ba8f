"""Operators of both files state other options: a resize's corners, strides, activations, PostProcess' box scales."""

from __future__ import annotations

from collections.abc import Sequence

from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Correction, Finding, Number
from harness.diagnosis.layers.stated import StatedDifference, stated_differences
from harness.diagnosis.remedies import remedies
from harness.tflite.graph import POSTPROCESS

CAUSE = "operator-options"
MOST = 4
OF_NMS = frozenset(
    {"max_detections", "detections_per_class", "use_regular_nms", "nms_score_threshold", "nms_iou_threshold"}
)
"""Options that have a cause of their own."""


def examine(evidence: Evidence) -> Finding | None:
    """Write the float file's options into the quantized one."""
    found = [one for one in stated_differences(evidence.pair) if one.option not in OF_NMS]
    if not found:
        return None
    correction = Correction(options=changes(found))
    gain = put_back.try_correction(evidence, correction)
    grade = grade_cause(gain, evidence, seen=True)
    if grade is None:
        return None
    words = "; ".join(words_of(one) for one in found[:MOST])
    more = f"; and {len(found) - MOST} more" if len(found) > MOST else ""
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"{words}{more}; with the float side's, {gain_text(gain)}",
        (Number("options that differ", len(found)), *gain_numbers(gain)),
        gain,
        "requantize",
        remedies.requantize(
            evidence, "Export both files with the same options; the command quantizes the float model."
        ),
        correction,
    )


def changes(found: Sequence[StatedDifference]) -> dict[int, dict[str, float | int | bool]]:
    """Return the float file's values, by the operator's place and the option."""
    made: dict[int, dict[str, float | int | bool]] = {}
    for one in found:
        made.setdefault(one.place, {})[one.option] = one.first
    return made


def words_of(one: StatedDifference) -> str:
    """Return a difference in words."""
    where = "" if one.operator == POSTPROCESS else f" ({one.layer})"
    return (
        f"{one.operator}{where} has {one.option} {_short(one.second)}, on the float side {_short(one.first)}"
    )


def _short(value: float | int | bool) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"
