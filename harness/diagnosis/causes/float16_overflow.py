"""Values exceed 65504, the largest of float16: weights became infinite, or activations do in a float16 delegate."""

from __future__ import annotations

import numpy as np

from harness.delegates import parse_delegate
from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.emulations import open_emulations
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number, unmeasured
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.model_pair import ComparedModel
from harness.diagnosis.runs.scratch import scratch_folder
from harness.tflite.values import real_values

CAUSE = "float16-overflow"
LARGEST = 65504.0
"""The largest finite value of IEEE 754 binary16."""


def examine(evidence: Evidence) -> Finding | None:
    """Look for weights that are not finite, and for activations that a float16 delegate cannot hold."""
    return _weights(evidence) or _activations(evidence)


def _weights(evidence: Evidence) -> Finding | None:
    names = infinite_constants(evidence.pair.quantized)
    if not names:
        return None
    with scratch_folder() as folder:
        emulations = open_emulations(evidence, folder)
        if emulations is None:
            return _unmeasured(evidence, names)
        parts = emulations.quantization.parts()
        bad = [index for index, values in parts.weights.items() if not np.isfinite(values).all()]
        gain = emulations.compare_with(emulations.with_weights(dict.fromkeys(bad)))
    grade = grade_cause(gain, evidence, seen=True)
    if grade is None:
        return None
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"{len(names)} constant(s) hold values that are not finite in float16, whose largest is {LARGEST:.0f} "
        f"({', '.join(names[:2])}); with the float side's, {gain_text(gain)} (emulated)",
        (Number("constants", len(names)), Number("largest float16", LARGEST), *gain_numbers(gain)),
        gain,
        "requantize",
        remedies.requantize(
            evidence, "Keep the weights in int8 or float32 instead of float16.", mode="dynamic"
        ),
    )


def _unmeasured(evidence: Evidence, names: list[str]) -> Finding:
    return unmeasured(
        CAUSE,
        f"{len(names)} constant(s) hold values that are not finite in float16, whose largest is {LARGEST:.0f} "
        f"({', '.join(names[:2])})",
        (Number("constants", len(names)), Number("largest float16", LARGEST)),
        remedies.requantize(evidence, "Convert again with weights in int8 or float32 instead of float16."),
    )


def infinite_constants(model: ComparedModel) -> list[str]:
    """Return the names of the float16 constants that hold infinities or NaN."""
    graph = model.graph
    return [
        tensor.name
        for tensor in graph.primary.tensors
        if tensor.constant and tensor.dtype == "float16" and not np.isfinite(real_values(graph, tensor)).all()
    ]


def _activations(evidence: Evidence) -> Finding | None:
    delegate = parse_delegate(evidence.pair.quantized.place.delegate)
    if not delegate.traits.in_float16 or delegate.option("precision") == "fp32" or evidence.layers is None:
        return None
    large = [layer for layer in evidence.layers.layers if max(-layer.float_min, layer.float_max) > LARGEST]
    if not large:
        return None
    most = max(max(-layer.float_min, layer.float_max) for layer in large)
    return Finding(
        CAUSE,
        "possible",
        "seen in the float activations; what the delegate makes of them shows only on the device",
        f"{len(large)} activation(s) reach {most:.3g}, beyond float16's {LARGEST:.0f}, in which {delegate} computes",
        (
            Number("activations", len(large)),
            Number("largest value", most),
            Number("largest float16", LARGEST),
        ),
        None,
        "setting",
        remedies.advice(
            "Let the delegate compute in float32 (gpu:fp32), or scale the layers down in training."
        ),
    )
