"""A row of a before-and-after table: what a file says of itself."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from harness.tflite import model
from harness.tflite.graph import Graph
from harness.tflite.tensor_info import TensorInfo

_NO_ARITHMETIC = frozenset({"QUANTIZE", "DEQUANTIZE"})


def row_of(path: Path) -> dict[str, Any]:
    """Return name, quantization, size, inputs, outputs and the operators with float results."""
    description, graph = model.load(path)
    return {
        "model": path.stem,
        "quantization": description.quantization,
        "size_bytes": description.size_bytes,
        "inputs": [_words(info) for info in description.inputs],
        "outputs": sorted({info.dtype for info in description.outputs}),
        "float_operators": [f"{count} {name}" for name, count in left_in_float(graph).most_common()],
    }


def left_in_float(graph: Graph) -> Counter[str]:
    """Count the operators whose results are float, without those that only change the type."""
    found: Counter[str] = Counter()
    for subgraph, operator in graph.operators():
        types = {subgraph.tensors[index].dtype for index in operator.outputs}
        if "float32" in types and operator.name not in _NO_ARITHMETIC:
            found[operator.name] += 1
    return found


def _words(info: TensorInfo) -> str:
    if info.scale is None:
        return info.dtype
    return f"{info.dtype} (scale {info.scale:.6g}, zero point {info.zero_point})"
