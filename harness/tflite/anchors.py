"""Find the anchors of an SSD among the constants of its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.tflite import postprocess, reader
from harness.tflite.graph import Graph, Tensor
from harness.tflite.values import stored, to_real

FEWEST = 16
"""Fewer rows are no anchors but some other constant."""
_DTYPES = frozenset({"float32", "float16", "uint8", "int8"})


def find_anchors(path: Path) -> npt.NDArray[np.float32] | None:
    """Return the anchors float32 [N, 4] (y_center, x_center, height, width) of a model; None without any.

    Raises:
        ModelError: The file is missing or not a valid TFLite model.
    """
    graph = reader.read_graph(reader.read_bytes(path), path)
    with reader.malformed(path):
        tensor = anchor_tensor(graph)
        return None if tensor is None else read_values(graph, tensor)


def anchor_tensor(graph: Graph) -> Tensor | None:
    """Return the third input of `TFLite_Detection_PostProcess`, else the only constant [N, 4] named or used like it."""
    found = postprocess.find(graph)
    if found is not None and len(found[1].inputs) == 3:
        tensor = found[0].tensors[found[1].inputs[2]]
        if not tensor.constant:  # a float16 model keeps it behind a DEQUANTIZE
            producer = found[0].producers().get(tensor.index)
            stored = producer.name == "DEQUANTIZE" if producer is not None else False
            tensor = found[0].tensors[producer.inputs[0]] if producer is not None and stored else tensor
        return tensor if tensor.constant and tensor.dtype in _DTYPES else None
    candidates = [tensor for tensor in graph.primary.tensors if _could_be(tensor)]
    named = [tensor for tensor in candidates if "anchor" in tensor.name.lower()]
    for group in (named, candidates):
        if len(group) == 1:
            return group[0]
    return None


def _could_be(tensor: Tensor) -> bool:
    shape = tuple(size for size in tensor.shape if size != 1)
    fits = len(shape) == 2 and shape[1] == 4 and shape[0] >= FEWEST
    return fits and tensor.constant and tensor.dtype in _DTYPES


def read_values(graph: Graph, tensor: Tensor) -> npt.NDArray[np.float32]:
    """Return a constant's real values as float32 [N, 4]."""
    values = stored(graph, tensor).reshape(-1, 4)
    if tensor.quantization is None or "float" in tensor.dtype:
        return values.astype(np.float32)
    return to_real(values, tensor.quantization.scales[0], tensor.quantization.zero_points[0])
