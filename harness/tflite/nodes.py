"""Read the operators of a model's primary subgraph with their options, which `graph` leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.tflite import reader, schema
from harness.tflite.graph import Graph, Operator, Tensor
from harness.tflite.values import stored

UNPACKING = frozenset({"DEQUANTIZE", "DENSIFY"})
"""Operators that turn a stored constant into the constant that a layer reads."""
MAX_VALUES = 64
"""A constant with more values is no axes, strides or paddings."""
_OPTIONS = {
    "FusedActivationFunction": "activation",
    "StrideH": "stride_h",
    "StrideW": "stride_w",
    "DilationHFactor": "dilation_h",
    "DilationWFactor": "dilation_w",
    "DepthMultiplier": "depth_multiplier",
    "FilterHeight": "filter_h",
    "FilterWidth": "filter_w",
    "Beta": "beta",
    "AlignCorners": "align_corners",
    "HalfPixelCenters": "half_pixel_centers",
    "EllipsisMask": "ellipsis_mask",
    "NewAxisMask": "new_axis_mask",
    "ShrinkAxisMask": "shrink_axis_mask",
    "BlockSize": "block_size",
    "KeepNumDims": "keep_num_dims",
    "WeightsFormat": "weights_format",
    "Axis": "axis",
}
"""Accessors of the generated option classes, and the key that `Node.options` has for each."""


@dataclass(frozen=True)
class Node:
    """One operator with its tensors and options.

    Attributes:
        index: Its place in the execution order.
        name: Name of the operator.
        custom: Whether it is a custom operator.
        inputs: Tensors; None for an optional input that is absent.
        outputs: Tensors.
        options: Those of `_OPTIONS` that the operator has; `activation` is a name, the others are numbers.
        graph: The model, for the values of constants.
        unpacked: Tensor index → the stored constant it is unpacked from (`DEQUANTIZE` of float16 weights).
        consumers: Places of the operators that read its outputs.
    """

    index: int
    name: str
    custom: bool
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any]
    graph: Graph = field(repr=False)
    unpacked: Mapping[int, Tensor] = field(repr=False)
    consumers: tuple[int, ...] = ()

    def input(self, position: int) -> Tensor | None:
        """Return an input; None when it is absent."""
        return self.inputs[position] if position < len(self.inputs) else None

    def stored(self, position: int) -> Tensor | None:
        """Return the constant that an input is, or is unpacked from; None when it is computed or absent."""
        tensor = self.input(position)
        if tensor is None or tensor.constant:
            return tensor
        return self.unpacked.get(tensor.index)

    def integers(self, position: int) -> tuple[int, ...] | None:
        """Return the values of a small integer constant; None for any other input."""
        tensor = self.input(position)
        if tensor is None or not tensor.constant or tensor.dtype not in {"int32", "int64"}:
            return None
        if tensor.n_elements > MAX_VALUES:
            return None
        return tuple(int(value) for value in stored(self.graph, tensor))

    @property
    def unpacks(self) -> bool:
        """Whether it only turns a stored constant into another form."""
        first = self.input(0)
        return self.name in UNPACKING and first is not None and first.constant


def read_nodes(graph: Graph, data: bytes, path: Path) -> tuple[Node, ...]:
    """Read the primary subgraph's operators.

    Args:
        graph: The graph that `reader.read_graph` made of `data`.
        data: The whole file.
        path: Named in errors.

    Raises:
        ModelError: The options cannot be read.
    """
    with reader.malformed(path):
        options = _Options(data)
        unpacked = _unpacked(graph)
        readers = _readers(graph)
        return tuple(
            Node(
                index=index,
                name=operator.name,
                custom=operator.custom,
                inputs=tuple(None if i < 0 else graph.primary.tensors[i] for i in operator.inputs),
                outputs=tuple(graph.primary.tensors[i] for i in operator.outputs),
                options=options.of(index),
                graph=graph,
                unpacked=unpacked,
                consumers=tuple(sorted({r for output in operator.outputs for r in readers.get(output, ())})),
            )
            for index, operator in enumerate(graph.primary.operators)
        )


def _unpacked(graph: Graph) -> dict[int, Tensor]:
    """Return output tensor → constant of every operator that unpacks one."""
    tensors = graph.primary.tensors
    return {
        operator.outputs[0]: tensors[operator.inputs[0]]
        for operator in graph.primary.operators
        if _unpacks(operator, tensors)
    }


def _unpacks(operator: Operator, tensors: tuple[Tensor, ...]) -> bool:
    if operator.name not in UNPACKING or not operator.inputs or not operator.outputs:
        return False
    return operator.inputs[0] >= 0 and tensors[operator.inputs[0]].constant


def _readers(graph: Graph) -> dict[int, list[int]]:
    readers: dict[int, list[int]] = {}
    for index, operator in enumerate(graph.primary.operators):
        for tensor in operator.inputs:
            readers.setdefault(tensor, []).append(index)
    return readers


class _Options:
    """Reader of the builtin options of the primary subgraph."""

    def __init__(self, data: bytes) -> None:
        self.classes = schema.load()
        self.subgraph = self.classes.Model.GetRootAs(data, 0).Subgraphs(0)
        self.kinds = schema.enum_names(self.classes.BuiltinOptions)
        self.activations = schema.enum_names(self.classes.ActivationFunctionType)

    def of(self, index: int) -> dict[str, Any]:
        """Return the known options of one operator; {} where it has none."""
        operator = self.subgraph.Operators(index)
        kind = getattr(self.classes, self.kinds.get(operator.BuiltinOptionsType(), ""), None)
        table = operator.BuiltinOptions()
        if kind is None or table is None:
            return {}
        options = kind()
        options.Init(table.Bytes, table.Pos)
        return {
            key: self.value(key, getattr(options, accessor)())
            for accessor, key in _OPTIONS.items()
            if hasattr(kind, accessor)
        }

    def value(self, key: str, raw: Any) -> Any:
        return self.activations.get(raw, f"activation-{raw}") if key == "activation" else raw
