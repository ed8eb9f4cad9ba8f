"""Boxes and scores lie in one quantized tensor: the boxes' range leaves the scores a few steps (ultralytics 1695)."""

from __future__ import annotations

from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.emulations import (
    Emulations,
    layers_by_tensor,
    open_emulations,
    parameters_for_layer,
)
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number, unmeasured
from harness.diagnosis.layers.emulate import QuantizationParameters
from harness.diagnosis.layers.joined_outputs import JoinedOutputs, find_joined_outputs, scale_of
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.scratch import scratch_folder
from harness.errors import HarnessError

CAUSE = "shared-output-scale"


def examine(evidence: Evidence) -> Finding | None:
    """Emulate the model with boxes and scores stored apart; without a float model, judge by the scale alone."""
    reference, model = evidence.pair.float, evidence.pair.quantized
    here = find_joined_outputs(model)
    scales = [scale for index in here.tensors if (scale := scale_of(model.graph, index))] if here else []
    if not scales:
        return None
    joined = find_joined_outputs(reference) if reference is not None else None
    with scratch_folder() as folder:
        emulations = open_emulations(evidence, folder) if joined is not None else None
        if emulations is None or joined is None:
            return _unmeasured(evidence, max(scales))
        return _finding(evidence, emulations, joined, max(scales))


def _finding(
    evidence: Evidence, emulations: Emulations, joined: JoinedOutputs, scale: float
) -> Finding | None:
    gain = emulations.compare_with(emulations.with_activations(_apart(emulations, joined)))
    grade = grade_cause(gain, evidence, seen=True)
    if grade is None:
        return None
    graph = emulations.model.graph.primary
    names = [graph.tensors[index].name for index in joined.tensors]
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"{_steps(scale)}; kept apart, {gain_text(gain)} (emulated)",
        (Number("scale", scale), Number("steps from 0 to 1", round(1 / scale)), *gain_numbers(gain)),
        gain,
        "requantize",
        remedies.requantize(
            evidence,
            "Give boxes and scores outputs of their own; the command leaves the operators that join them in float.",
            keep_float=names,
            mode=_mode(evidence),
        ),
    )


def _steps(scale: float) -> str:
    n = max(1, round(1 / scale))
    steps = f"{n} steps" if n > 1 else "one step"
    return f"boxes and scores share one tensor with the scale {scale:.4g}: a score from 0 to 1 has {steps}"


def _mode(evidence: Evidence) -> str:
    """Return the mode to quantize with: an output that holds both must stay float; behind PostProcess only the join."""
    return "int8" if evidence.pair.quantized.description.postprocess else "int8-float-fallback"


def _apart(emulations: Emulations, joined: JoinedOutputs) -> dict[int, QuantizationParameters | None]:
    """Return float for the joined tensors, and ranges of their own for the tensors that are joined."""
    layers = layers_by_tensor(emulations.evidence)
    better: dict[int, QuantizationParameters | None] = dict.fromkeys(joined.tensors)
    stored = emulations.quantization.activations
    scales = {stored[index].scale for index in joined.tensors if index in stored}
    for index in joined.sources:
        if index in stored and stored[index].scale in scales:
            better[index] = parameters_for_layer(layers[index]) if index in layers else None
    return better


def _unmeasured(evidence: Evidence, scale: float) -> Finding | None:
    """Return a finding from the scale alone, without a float model; None where the scale is fine."""
    if scale < 1 / 64:
        return None
    try:
        remedy = remedies.requantize(evidence, "Convert again with separate outputs for boxes and scores.")
    except HarnessError:
        remedy = remedies.advice("Convert again with separate outputs for boxes and scores.")
    return unmeasured(
        CAUSE,
        _steps(scale),
        (Number("scale", scale), Number("steps from 0 to 1", round(1 / scale))),
        remedy,
    )
