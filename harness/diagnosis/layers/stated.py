"""Compare what both files state of their operators: strides, activations, a resize's corners, PostProcess' options."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from harness.diagnosis.layers.constants import short
from harness.diagnosis.layers.matching import CONVERTING, FUSED, match_tensors
from harness.diagnosis.runs.model_pair import ModelPair
from harness.errors import HarnessError
from harness.tflite import postprocess, schema
from harness.tflite.graph import Graph, Operator
from harness.tflite.reader import malformed, read_bytes

COMPARED = frozenset(
    {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESIZE_BILINEAR",
     "RESIZE_NEAREST_NEIGHBOR", "CONCATENATION", "SOFTMAX", "LEAKY_RELU", "STRIDED_SLICE", "DEPTH_TO_SPACE", "MUL",
     "ADD"}
)  # fmt: skip
"""Operators whose options say what they compute."""
ACTIVATION = "fusedActivationFunction"
_IGNORED = frozenset({"quantizedBiasType", "potScaleInt16", "weightsFormat", "asymmetricQuantizeInputs"})
"""Options of storage, which differ between float and integers by right."""
CLOSE = 1e-6


@dataclass(frozen=True)
class StatedDifference:
    """An option that both files state, and state otherwise.

    Attributes:
        layer: The short name of the operator's output.
        operator: The operator.
        place: Its place in the quantized graph.
        option: The option's name.
        first: The float file's value.
        second: The quantized file's value.
    """

    layer: str
    operator: str
    place: int
    option: str
    first: float | int | bool
    second: float | int | bool


def stated_differences(pair: ModelPair) -> list[StatedDifference]:
    """Return the options that differ; none without a float model, or where a file cannot be read."""
    if pair.float is None or pair.same_file:
        return []
    try:
        with malformed(pair.quantized.file):
            return [*_of_operators(pair), *_of_postprocess(pair.float.graph, pair.quantized.graph)]
    except HarnessError:
        return []


def _of_operators(pair: ModelPair) -> Iterator[StatedDifference]:
    assert pair.float is not None
    before, after = pair.float.graph, pair.quantized.graph
    options = [_options(model.file) for model in (pair.float, pair.quantized)]
    places = {index: k for k, o in enumerate(after.primary.operators) for index in o.outputs}
    joined = _joined(before)
    for found in match_tensors(before, after):
        if found.place < 0:
            continue
        first = before.primary.operators[found.place]
        second = _maker(found.quantized, places, after)
        if second is None or after.primary.operators[second].name != first.name or first.name not in COMPARED:
            continue
        theirs, own = options[0][found.place], options[1][second]
        for name in theirs.keys() & own.keys():
            # A separate activation in the float graph is a fused one here: both compute the same.
            if theirs[name] != own[name] and not (name == ACTIVATION and found.place in joined):
                yield StatedDifference(short(found.name), first.name, second, name, theirs[name], own[name])


def _options(path: Any) -> list[dict[str, Any]]:
    """Return the plain options of each operator of a file's first graph."""
    classes = schema.load_writable("comparing what two files state")
    graph = classes.Model.GetRootAs(bytearray(read_bytes(path)), 0).Subgraphs(0)
    operators = [classes.OperatorT.InitFromObj(graph.Operators(k)) for k in range(graph.OperatorsLength())]
    return [
        {
            name: value
            for name, value in vars(operator.builtinOptions).items()
            if isinstance(value, int | float) and name not in _IGNORED
        }
        if operator.builtinOptions is not None
        else {}
        for operator in operators
    ]


def _maker(index: int, places: Mapping[int, int], graph: Graph) -> int | None:
    """Return the place of the operator that computes a tensor, skipping an activation or a conversion behind it."""
    place = places.get(index)
    while place is not None and graph.primary.operators[place].name in FUSED | CONVERTING:
        place = places.get(graph.primary.operators[place].inputs[0])
    return place


def _joined(graph: Graph) -> set[int]:
    """Return the places of the operators that a separate activation follows."""
    makers = {index: k for k, o in enumerate(graph.primary.operators) for index in o.outputs}
    return {makers[o.inputs[0]] for o in graph.primary.operators if o.name in FUSED and o.inputs[0] in makers}


def _of_postprocess(before: Graph, after: Graph) -> Iterator[StatedDifference]:
    both = [postprocess.find(graph) for graph in (before, after)]
    if both[0] is None or both[1] is None:
        return
    first, second = (_all_options(found[1]) for found in both if found is not None)
    place = after.primary.operators.index(both[1][1])
    for name in first.keys() & second.keys():
        if abs(first[name] - second[name]) > CLOSE:
            yield StatedDifference("PostProcess", both[1][1].name, place, name, first[name], second[name])


def _all_options(operator: Operator) -> dict[str, float]:
    values = postprocess.parse(operator.options)
    found: dict[str, Any] = {name: value for name, value in vars(values).items() if name != "scales"}
    return {**found, **dict(zip(("y_scale", "x_scale", "h_scale", "w_scale"), values.scales, strict=True))}
