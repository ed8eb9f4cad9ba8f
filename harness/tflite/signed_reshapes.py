"""Signed 8-bit tensors of five dimensions, and a RESHAPE to fewer: QNN's HTP backend reads them as unsigned ones."""

from __future__ import annotations

from harness.tflite.graph import Subgraph

_DIMENSIONS = 5
_NOT_ON_NPU = frozenset({"TILE", "SHAPE", "STRIDED_SLICE"})
"""What writes such a tensor on the CPU: the NPU takes no TILE with computed multiples."""


def find_signed_reshapes(graph: Subgraph) -> tuple[str, ...]:
    """Return the names of such tensors that come to an NPU from outside: inputs of the model, or made on the CPU."""
    producers = graph.producers()
    read = {one.inputs[0]: one for one in graph.operators if one.name == "RESHAPE" and one.inputs}
    return tuple(
        graph.tensors[index].name
        for index, reshape in read.items()
        if index >= 0
        and (tensor := graph.tensors[index]).dtype == "int8"
        and len(tensor.shape) == _DIMENSIONS > len(graph.tensors[reshape.outputs[0]].shape)
        and (index in graph.inputs or (index in producers and producers[index].name in _NOT_ON_NPU))
    )
