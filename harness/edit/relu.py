"""Replace a fused ReLU6 by ReLU where the stored range ends at 6 already, so that every value stays the same.

An integer kernel with a fused ReLU6 clips at `min(largest integer, zero point + round(6 / scale))` (TFLite,
`CalculateActivationRangeQuantized`). Where the second is the larger one, the type's own end clips first, and ReLU does
the same. In 16×8 models that is nearly every layer, since the range was calibrated behind the ReLU6; Qualcomm's NPU
takes such a layer with ReLU and refuses it with ReLU6.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ModelError
from harness.tflite import reader, schema
from harness.tflite.graph import Graph, Operator

RELU, RELU6 = 1, 3
"""`schema.fbs`, ActivationFunctionType."""
LARGEST = {"int16": 32767}
"""Types of activations that are looked at: with 8 bits the NPU takes a ReLU6 as it is."""


@dataclass(frozen=True)
class FusedReLU6:
    """An operator with a fused ReLU6.

    Attributes:
        place: In the order of execution.
        name: Of the operator.
        tensor: Name of what it writes.
        byte: Where its activation stands in the file.
        same: Whether ReLU gives the same values, bit for bit.
    """

    place: int
    name: str
    tensor: str
    byte: int
    same: bool


def change_relu6(data: bytes, path: Path) -> tuple[bytes, list[FusedReLU6]]:
    """Return the file with ReLU in place of each fused ReLU6 that it equals, and all that have 16-bit outputs.

    Raises:
        ModelError: There is none that could be replaced.
    """
    found = find_relu6(data, path)
    shared = {one.byte for one in found if not one.same}
    places = {one.byte for one in found if one.same} - shared
    if not places:
        left = f": {len(found)} fused ReLU6 clip within the stored range" if found else ""
        raise ModelError(
            f"{path}: no 16-bit operator has a fused ReLU6 that ReLU could replace without another value{left}"
        )
    changed = bytearray(data)
    for place in places:
        changed[place] = RELU
    return bytes(changed), found


def find_relu6(data: bytes, path: Path) -> list[FusedReLU6]:
    """Find the operators of the primary subgraph with a fused ReLU6 and 16-bit outputs.

    Raises:
        ModelError: The file is no valid model.
    """
    graph = reader.read_graph(data, path)
    with reader.malformed(path):
        model = schema.load().Model.GetRootAs(bytearray(data), 0)
        return list(_found(model.Subgraphs(0), graph))


def _found(subgraph: Any, graph: Graph) -> Iterator[FusedReLU6]:
    for place, operator in enumerate(graph.primary.operators):
        byte = _activation_byte(subgraph.Operators(place))
        if byte is None or not _is_integer(graph, operator):
            continue
        tensor = graph.primary.tensors[operator.outputs[0]]
        yield FusedReLU6(place, operator.name, tensor.name, byte, _is_same(graph, operator))


def _activation_byte(operator: Any) -> int | None:
    """Return where an operator's fused ReLU6 stands in the file; None where it has none."""
    options = _options(operator)
    table = None if options is None else operator.BuiltinOptions()
    if table is None:
        return None
    options.Init(table.Bytes, table.Pos)
    if options.FusedActivationFunction() != RELU6:
        return None
    slot = next(
        offset
        for offset in range(4, 4 + 2 * 16, 2)
        if (at := table.Offset(offset)) and _becomes(options, table, table.Pos + at)
    )
    return int(table.Pos + table.Offset(slot))


def _options(operator: Any) -> Any:
    """Return the class of an operator's options where they have a fused activation."""
    classes = schema.load()
    names = schema.enum_names(classes.BuiltinOptions)
    kind = getattr(classes, names.get(operator.BuiltinOptionsType(), ""), None)
    return kind() if kind is not None and hasattr(kind, "FusedActivationFunction") else None


def _becomes(options: Any, table: Any, place: int) -> bool:
    """Whether a byte is the activation: what the accessor says follows it."""
    kept = table.Bytes[place]
    if kept != RELU6:
        return False
    table.Bytes[place] = RELU
    follows = bool(options.FusedActivationFunction() == RELU)
    table.Bytes[place] = kept
    return follows


def _is_integer(graph: Graph, operator: Operator) -> bool:
    return bool(operator.outputs) and graph.primary.tensors[operator.outputs[0]].dtype in LARGEST


def _is_same(graph: Graph, operator: Operator) -> bool:
    tensor = graph.primary.tensors[operator.outputs[0]]
    quantization = tensor.quantization
    if quantization is None or len(quantization.scales) != 1 or quantization.scales[0] <= 0:
        return False
    six = round(float(np.float32(6.0) / np.float32(quantization.scales[0])))
    return quantization.zero_points[0] + six >= LARGEST[tensor.dtype]
