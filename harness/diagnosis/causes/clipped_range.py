"""A single layer's range is too short or shifted: its values are cut off."""

from __future__ import annotations

from harness.diagnosis.causes import put_back
from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.contradictions import misread_biases
from harness.diagnosis.causes.fitting import fitting_ranges
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.causes.ranges import fit_ranges, is_wrongly_calibrated
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.layers.constants import short
from harness.diagnosis.layers.layers import Layer
from harness.diagnosis.remedies import remedies

CAUSE = "clipped-range"
MOST = 4
SHIFTED = 0.1
"""Share of the width by which a range of the right width is shifted where its zero point is off."""


def examine(evidence: Evidence) -> Finding | None:
    """Give the layers that are cut off ranges that fit the float model's values, in the file itself."""
    found = fit_ranges(evidence)
    layers = list(found.narrow)
    if not layers or is_wrongly_calibrated(evidence, found):
        return None
    right = dict(fitting_ranges(evidence, layers))
    if not right:
        return None
    gain, correction = put_back.try_ranges(evidence, right, misread_biases(evidence))
    grade = grade_cause(gain, evidence, seen=True)
    if grade is None:
        return None
    worst = sorted(layers, key=lambda layer: -(layer.clipped or 0.0))
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"{'; '.join(_words(layer) for layer in worst[:MOST])}; with ranges that fit, {gain_text(gain)}",
        (
            Number("layers", len(layers)),
            Number("largest share cut off", worst[0].clipped),
            *gain_numbers(gain),
        ),
        gain,
        "requantize",
        remedies.requantize(
            evidence,
            "Quantize again: the ranges of these layers alone are wrong, so calibrate with images that reach them.",
        ),
        correction,
    )


def _words(layer: Layer) -> str:
    held = f"{layer.range_low:.3g}…{layer.range_high:.3g}"
    has = f"{layer.float_min:.3g}…{layer.float_max:.3g}"
    width = (layer.range_high or 0.0) - (layer.range_low or 0.0)
    moved = (layer.range_low or 0.0) - min(layer.float_min, 0.0)
    off = (
        f" (its zero point is off by {round(-moved / (layer.scale or 1.0)):+d})"
        if _is_shifted(layer, width, moved)
        else ""
    )
    cut = f"{layer.clipped or 0.0:.1%} of its values are cut off"
    return f"{short(layer.name)} is stored for {held}{off} and has {has}: {cut}"


def _is_shifted(layer: Layer, width: float, moved: float) -> bool:
    """Whether a range has the right width, and lies elsewhere."""
    wanted = max(layer.float_max, 0.0) - min(layer.float_min, 0.0)
    return wanted > 0 and abs(width / wanted - 1) < 2 * SHIFTED and abs(moved) > SHIFTED * 0.2 * width
