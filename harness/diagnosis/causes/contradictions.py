"""Scales that contradict the biases behind them: a converter stores biases in steps of input scale × weight scale.

Beside each bias stands the step it was stored in. Where the file's input scale × weight scale is another one by the
same factor in all channels, and the weights are a rounding of the float model's, the input's scale was changed
afterwards; the bias is right, and only read wrongly because of it.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from harness.diagnosis.evidence import Evidence
from harness.diagnosis.layers.constants import short
from harness.diagnosis.layers.stored_scales import WrongScale, affine_of
from harness.diagnosis.runs.patched_file import Affine, Floats, bias_steps, layer_inputs
from harness.tflite.graph import Operator

LEAST, ALIKE = 0.01, 1e-3
"""Share by which a scale is another one, and by which the channels' factors and those of all readers may differ."""


def scales_before_biases(evidence: Evidence) -> list[WrongScale]:
    """Return the activations whose scale all biases behind them contradict by one factor; no inference."""
    graph = evidence.pair.quantized.graph
    sound = {pair.tensor for pair in evidence.constants.of("weights") if pair.is_rounding}
    factors: dict[int, list[float | None]] = {}
    for operator in graph.primary.operators:
        places = layer_inputs(operator)
        if places is not None and operator.inputs[places.weights] in sound:
            factors.setdefault(operator.inputs[places.activation], []).append(_factor(evidence, operator))
    return [
        found
        for tensor, of_readers in factors.items()
        if (factor := _common(of_readers)) and (found := _wrong(evidence, tensor, factor)) is not None
    ]


def is_input_contradicted(evidence: Evidence) -> bool:
    """Whether the biases of the layers that read the model's input were stored for another scale of it."""
    inputs = evidence.pair.quantized.graph.primary.inputs
    return any(one.tensor in inputs for one in scales_before_biases(evidence))


def biases_behind(evidence: Evidence, tensors: Iterable[int]) -> dict[int, Floats]:
    """Return the float model's biases of the layers that read some tensors: theirs were stored for another scale."""
    sources = set(tensors)
    readers = {
        operator.inputs[places.bias]
        for operator in evidence.pair.quantized.graph.primary.operators
        if (places := layer_inputs(operator)) is not None
        and len(operator.inputs) > places.bias
        and operator.inputs[places.activation] in sources
    }
    return {pair.tensor: pair.first for pair in evidence.constants.of("bias") if pair.tensor in readers}


def misread_biases(evidence: Evidence) -> dict[int, Floats]:
    """Return the float model's biases where the file's are only read wrongly, because of a scale before them."""
    return biases_behind(evidence, (one.tensor for one in scales_before_biases(evidence)))


def _factor(evidence: Evidence, operator: Operator) -> float | None:
    """Return the step a bias was stored in over the one it is read in; None where that is not one factor."""
    graph, places = evidence.pair.quantized.graph, layer_inputs(operator)
    steps = bias_steps(graph, operator)
    if steps is None or places is None:
        return None
    how = graph.primary.tensors[operator.inputs[places.bias]].quantization
    if how is None or len(how.scales) not in (1, steps.size) or min(how.scales, default=0.0) <= 0:
        return None
    found = np.asarray(how.scales, np.float64) / np.maximum(steps.reshape(-1), 1e-300)
    middle = float(np.median(found))
    return middle if bool((np.abs(found / middle - 1) <= ALIKE).all()) else None


def _common(factors: list[float | None]) -> float | None:
    """Return the factor that all readers have; None where they differ, or it is 1."""
    first = factors[0]
    if first is None or abs(first - 1) <= LEAST:
        return None
    return first if all(one is not None and abs(one / first - 1) <= ALIKE for one in factors) else None


def _wrong(evidence: Evidence, tensor: int, factor: float) -> WrongScale | None:
    graph = evidence.pair.quantized.graph.primary
    stated, maker = affine_of(graph.tensors[tensor]), graph.producers().get(tensor)
    if stated is None:
        return None
    right = Affine(stated.scale * factor, stated.zero_point)
    name = "INPUT" if maker is None else maker.name
    return WrongScale(name, short(graph.tensors[tensor].name), tensor, stated, right, "biases")
