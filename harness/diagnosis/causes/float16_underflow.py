"""Weights are too small for float16: they became 0, or keep a few bits of their precision."""

from __future__ import annotations

from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.emulations import open_emulations
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.causes.put_back import listed
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number
from harness.diagnosis.layers.constants import ConstantPair
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.scratch import scratch_folder

CAUSE = "float16-underflow"
LEAST = 6.1e-5
"""The least value that IEEE 754 binary16 holds with all its bits."""
PART = 0.01
"""Share of a layer's weights, by their norm, that may be lost."""


def examine(evidence: Evidence) -> Finding | None:
    """Put the float side's weights in the place of those that float16 could not hold."""
    found = [pair for pair in evidence.constants.of("weights", "bias") if is_underflow(pair)]
    if not found:
        return None
    with scratch_folder() as folder:
        emulations = open_emulations(evidence, folder)
        if emulations is None:
            return None
        lost = emulations.constants_of(pair.output for pair in found)
        gain = emulations.compare_with(emulations.with_weights(dict.fromkeys(lost)))
    grade = grade_cause(gain, evidence, seen=True)
    if grade is None:
        return None
    names = {pair.layer for pair in found}
    worst = max(found, key=lambda pair: pair.share)
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"{len(names)} layer(s) have weights too small for float16 ({listed(sorted(names))}): {worst.layer} has lost "
        f"{worst.share:.0%}; with the float side's, {gain_text(gain)} (emulated)",
        (Number("layers", len(names)), Number("largest share lost", worst.share), *gain_numbers(gain)),
        gain,
        "requantize",
        remedies.requantize(
            evidence, "Keep these weights in int8 or float32 instead of float16.", mode="dynamic"
        ),
    )


def is_underflow(pair: ConstantPair) -> bool:
    """Whether float16 has lost a part of a constant because its values are too small."""
    if pair.integers.dtype.name != "float16" or pair.share <= PART:
        return False
    wrong = abs(pair.second - pair.first) > 0.001 * abs(pair.first)
    return bool((abs(pair.first[wrong]) < LEAST).all())
