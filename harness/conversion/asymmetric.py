"""Refuse int8 weights whose zero point is not 0: TensorFlow writes what was trained so, and LiteRT does not run it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.errors import JobError
from harness.tflite import reader
from harness.tflite.graph import Graph, Tensor

_WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})


def refuse(data: bytes, source: Path) -> None:
    """Say what is asymmetric, and what helps.

    Raises:
        JobError: A weight tensor of int8 has another zero point than 0.
    """
    graph = reader.read_graph(data, source)
    found = list(_asymmetric(graph))
    if found:
        zero_point = next(point for point in found[0].quantization.zero_points if point)  # type: ignore[union-attr]
        raise JobError(
            f"{source}: {len(found)} weight tensors were trained with asymmetric ranges ({found[0].name}: zero point "
            f"{zero_point}), and LiteRT's int8 kernels take symmetric weights alone; nothing was written. Train again "
            "with symmetric ranges of the weights (TF1: symmetric: true in graph_rewriter's quantization; TF2: a "
            "quantizer with symmetric=True), or convert the frozen graph with --mode qat-uint8: uint8 weights may be "
            "asymmetric"
        )


def _asymmetric(graph: Graph) -> Iterator[Tensor]:
    for subgraph, operator in graph.operators():
        if operator.name in _WEIGHTED and len(operator.inputs) > 1:
            tensor = subgraph.tensors[operator.inputs[1]]
            points = tensor.quantization.zero_points if tensor.quantization else ()
            if tensor.constant and tensor.dtype == "int8" and any(points):
                yield tensor
