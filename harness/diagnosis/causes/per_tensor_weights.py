"""A layer's weights have one scale for all channels, which differ in size: the small ones lose their precision."""

from __future__ import annotations

import numpy as np

from harness.diagnosis.causes.confidence import gain_text, grade_cause
from harness.diagnosis.causes.emulations import Emulations, open_emulations
from harness.diagnosis.causes.hypotheses import gain_numbers
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.findings import Finding, Number, unmeasured
from harness.diagnosis.layers.quantization_map import Weights, channel_axis, channel_spread, round_per_channel
from harness.diagnosis.remedies import remedies
from harness.diagnosis.runs.scratch import scratch_folder
from harness.tflite.graph import Graph
from harness.tflite.values import real_values

CAUSE = "per-tensor-weights"
DEPTHWISE = "DEPTHWISE_CONV_2D"
UNLIKE = 8.0
"""Channels that differ eightfold leave the small ones three bits less."""


def examine(evidence: Evidence) -> Finding | None:
    """Emulate the model with one scale a channel in the layers that have one for all."""
    with scratch_folder() as folder:
        emulations = open_emulations(evidence, folder)
        if emulations is None:
            return _of_file_alone(evidence) if evidence.pair.float is None else None
        layers = [layer for layer in emulations.quantization.weights if _is_per_tensor(layer)]
        return _finding(evidence, emulations, layers) if layers else None


def _is_per_tensor(layer: Weights) -> bool:
    return layer.bits == 8 and layer.n_scales == 1 and layer.values.shape[channel_axis(layer.operator)] > 1


def _finding(evidence: Evidence, emulations: Emulations, layers: list[Weights]) -> Finding | None:
    better = {
        layer.float_index: round_per_channel(layer.float_values, channel_axis(layer.operator))
        for layer in layers
    }
    gain = emulations.compare_with(emulations.with_weights(better))
    grade = grade_cause(gain, evidence, seen=True)
    if grade is None:
        return None
    depthwise = sum(layer.operator == DEPTHWISE for layer in layers)
    largest = max(channel_spread(layers))
    return Finding(
        CAUSE,
        grade.confidence,
        grade.rule,
        f"{len(layers)} layer(s), {depthwise} of them depthwise, have one scale for all channels, whose weights differ "
        f"up to {largest:.0f}-fold from the median channel's; with one scale a channel, {gain_text(gain)} (emulated)",
        (
            Number("layers", len(layers)),
            Number("depthwise", depthwise),
            Number("largest channel against the median", largest),
            *gain_numbers(gain),
        ),
        gain,
        "requantize",
        remedies.requantize(evidence, "Quantize again with one scale a channel, as the command does."),
    )


def _of_file_alone(evidence: Evidence) -> Finding | None:
    """Judge by the int8 weights alone; uint8 models, trained with quantization, have adapted to one scale."""
    graph = evidence.pair.quantized.graph
    found = [
        (graph.primary.tensors[o.outputs[0]].name, differ)
        for o in graph.primary.operators
        if o.name == DEPTHWISE and (differ := _differ(graph, o.inputs[1])) > UNLIKE
    ]
    if not found:
        return None
    name, largest = max(found, key=lambda one: one[1])
    return unmeasured(
        CAUSE,
        f"{len(found)} depthwise layer(s) have one scale for all channels, which differ up to {largest:.0f}-fold "
        f"from the median channel's ({name.split(';')[0]})",
        (Number("layers", len(found)), Number("largest channel against the median", largest)),
        remedies.requantize(evidence, "Convert again with one scale a channel."),
    )


def _differ(graph: Graph, index: int) -> float:
    """Return the ratio of a depthwise layer's largest channel to its median one; 0 with a scale a channel."""
    tensor = graph.primary.tensors[index]
    quantization = tensor.quantization
    if not tensor.constant or tensor.dtype != "int8" or quantization is None or len(quantization.scales) != 1:
        return 0.0
    sizes = np.abs(real_values(graph, tensor)).max(axis=(0, 1, 2))
    middle = float(np.median(sizes))
    return float(sizes.max()) / middle if middle > 0 else float("inf")
