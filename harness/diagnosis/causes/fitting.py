"""Ranges that fit the float model's values, for the quantized file's tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.diagnosis.causes.emulations import parameters_for_layer
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.layers.layers import Layer
from harness.diagnosis.layers.stored_scales import COPYING, FIXED, affine_of
from harness.diagnosis.runs.patched_file import Affine
from harness.tflite.graph import Subgraph
from harness.tflite.values import LIMITS


def fitting_ranges(evidence: Evidence, layers: Sequence[Layer]) -> Iterator[tuple[int, Affine]]:
    """Yield for each tensor, and those that only move its values on, a range that holds the float values."""
    graph = evidence.pair.quantized.graph.primary
    for layer in layers:
        tensor = graph.tensors[layer.pair.quantized]
        if tensor.dtype not in LIMITS:
            continue
        fitting = parameters_for_layer(layer)
        shift = LIMITS[tensor.dtype][0] + 128 if tensor.dtype in {"int8", "uint8"} else 0
        right = Affine(fitting.scale, fitting.zero_point + shift)
        for index in alike(graph, tensor.index):
            yield index, right


def alike(graph: Subgraph, start: int) -> set[int]:
    """Return a tensor and all that must be stored like it, because bytes are only moved between them."""
    own = affine_of(graph.tensors[start])
    found, grown = {start}, True
    while grown:
        grown = False
        for operator in graph.operators:
            if operator.name not in COPYING:
                continue
            ends = {*operator.inputs, *operator.outputs} - {-1}
            near = {i for i in ends if not graph.tensors[i].constant and affine_of(graph.tensors[i]) == own}
            if near & found and not near <= found:
                found |= near
                grown = True
    return found


def all_fitting_ranges(evidence: Evidence) -> dict[int, Affine]:
    """Return ranges for all computed activations, as calibration with the evaluated images would give them."""
    if evidence.layers is None:
        return {}
    fixed = {name for name, _ in FIXED} | COPYING | {"INPUT"}
    layers = [layer for layer in evidence.layers.layers if layer.scale and layer.pair.operator not in fixed]
    return dict(fitting_ranges(evidence, layers))
