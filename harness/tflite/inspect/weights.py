"""Describe how a model's weights are stored: by tensor or by channel, and how many of them are zero."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.tflite.graph import Graph, Tensor
from harness.tflite.nodes import Node
from harness.tflite.values import channels_shape, stored

LAYERS = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "TRANSPOSE_CONV": 1,
    "CONV_3D": 1,
    "FULLY_CONNECTED": 1,
    "BATCH_MATMUL": 1,
}
"""Operators with weights, and the index of that input."""
_DTYPES = {"float32", "float16", "int8", "uint8", "int16", "int32"}


def weights(graph: Graph, nodes: Sequence[Node]) -> dict[str, Any]:
    """Return `granularity` (counts), `dtypes` (counts), `zero_share` of the weights, and `sparse_tensors`.

    A zero is a stored value of 0, that is q = zero point. Tensors in TFLite's sparse format are counted in
    `sparse_tensors` and left out of the share.
    """
    found = {tensor.buffer: tensor for tensor in map(_weight, nodes) if tensor is not None}
    dense = [tensor for tensor in found.values() if _is_dense(graph, tensor)]
    zeros = sum(_zeros(graph, tensor) for tensor in dense)
    elements = sum(tensor.n_elements for tensor in dense)
    return {
        "granularity": dict(Counter(_granularity(tensor) for tensor in found.values())),
        "dtypes": dict(Counter(tensor.dtype for tensor in found.values())),
        "zero_share": zeros / elements if elements else None,
        "sparse_tensors": sum(node.name == "DENSIFY" for node in nodes),
    }


def _weight(node: Node) -> Tensor | None:
    position = LAYERS.get(node.name)
    return None if position is None else node.stored(position)


def _granularity(tensor: Tensor) -> str:
    if tensor.quantization is None:
        return "none"
    return "per-channel" if len(tensor.quantization.scales) > 1 else "per-tensor"


def _is_dense(graph: Graph, tensor: Tensor) -> bool:
    if tensor.dtype not in _DTYPES:
        return False
    return len(graph.data(tensor)) == tensor.n_elements * np.dtype(tensor.dtype).itemsize


def _zeros(graph: Graph, tensor: Tensor) -> int:
    """Count the stored values of 0."""
    values, found = stored(graph, tensor), tensor.quantization
    if found is None or not any(found.zero_points):
        return int(np.count_nonzero(values == 0))
    shaped = values.reshape(tensor.shape)
    zeros = np.reshape(found.zero_points, channels_shape(found, shaped.ndim))
    return int(np.count_nonzero(shaped == zeros))
