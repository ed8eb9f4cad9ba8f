"""Magnitude pruning: the smallest float weights become 0, in place, so that the file compresses better.

After Zhu & Gupta, «To prune, or not to prune» (2017), in one shot and without training again: the loss of accuracy
is real and is measured. The bytes of the weights are the only ones that change: the file keeps its size, its
alignment and everything else; what shrinks is the compressed file that a user downloads.
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from harness.errors import ModelError, UsageError
from harness.tflite import reader
from harness.tflite.graph import Graph, Operator, Subgraph, Tensor
from harness.tflite.values import stored

Scope = Literal["tensor", "global"]
WEIGHT_INPUT = {
    "CONV_2D": 1,
    "DEPTHWISE_CONV_2D": 1,
    "TRANSPOSE_CONV": 1,
    "CONV_3D": 1,
    "FULLY_CONNECTED": 1,
}
"""Where the operators that are pruned keep their weights; biases are few and are left alone."""
_DTYPES = frozenset({"float32", "float16"})
_BEHIND = frozenset({"DEQUANTIZE"})


@dataclass(frozen=True)
class Pruned:
    """A pruned file.

    Attributes:
        data: The whole file.
        n_weights: Weights that could be pruned.
        n_zero: How many of them are 0 now.
        n_tensors: In how many tensors.
    """

    data: bytes
    n_weights: int
    n_zero: int
    n_tensors: int

    @property
    def sparsity(self) -> float:
        """Share of the weights that are 0."""
        return self.n_zero / self.n_weights


def prune(data: bytes, path: Path, sparsity: float, scope: Scope = "tensor") -> Pruned:
    """Set the smallest weights to 0.

    Args:
        data: A .tflite with float32 or float16 weights.
        path: Named in errors.
        sparsity: Share of the weights that become 0, 0…1 without the ends.
        scope: `tensor`: the same share of each tensor; `global`: the smallest of all weights, wherever they are.

    Raises:
        UsageError: The sparsity is out of range.
        ModelError: Not a sound model, or one without float weights.
    """
    if not 0 < sparsity < 1:
        raise UsageError(f"--sparsity: found {sparsity:g}, expected more than 0 and less than 1")
    changed = bytearray(data)
    views = _views(changed, path)
    if not views:
        raise ModelError(
            f"{path}: found no float32 or float16 weights of {', '.join(WEIGHT_INPUT)}: prune the float model, and "
            "quantize afterwards"
        )
    limit = _threshold(views, sparsity) if scope == "global" else None
    for view in views:
        _zero(view, _count(view, sparsity, limit))
    n = sum(view.size for view in views)
    zero = sum(int((view == 0).sum()) for view in views)
    return Pruned(bytes(changed), n, zero, len(views))


def sparsity_of(data: bytes, path: Path) -> float | None:
    """Return the share of the weights that are 0; None for a model without float weights."""
    views = _views(bytearray(data), path)
    n = sum(view.size for view in views)
    return sum(int((view == 0).sum()) for view in views) / n if n else None


def _views(changed: bytearray, path: Path) -> list[npt.NDArray[Any]]:
    """Return the weights as arrays over the file's own bytes; shared constants once."""
    graph = reader.read_graph(
        cast(bytes, changed), path
    )  # its buffers are views, writable as the bytearray is
    found = {tensor.buffer: tensor for tensor in _weights(graph)}
    return [stored(graph, tensor) for tensor in found.values()]


def _weights(graph: Graph) -> Iterable[Tensor]:
    for subgraph in graph.subgraphs:
        producers = subgraph.producers()
        for operator in subgraph.operators:
            tensor = _stored(subgraph, producers, operator)
            if tensor is not None and tensor.dtype in _DTYPES:
                yield tensor


def _stored(subgraph: Subgraph, producers: Any, operator: Operator) -> Tensor | None:
    place = WEIGHT_INPUT.get(operator.name)
    if place is None or len(operator.inputs) <= place or operator.inputs[place] < 0:
        return None
    index = operator.inputs[place]
    before = producers.get(index)
    if before is not None and before.name in _BEHIND:
        index = before.inputs[0]
    tensor = subgraph.tensors[index]
    return tensor if tensor.constant else None


def _threshold(views: list[npt.NDArray[Any]], sparsity: float) -> float:
    """Return the magnitude below which the given share of all weights lies."""
    magnitudes = np.concatenate([np.abs(view.astype(np.float32)) for view in views])
    return float(np.partition(magnitudes, int(sparsity * magnitudes.size))[int(sparsity * magnitudes.size)])


def _count(view: npt.NDArray[Any], sparsity: float, limit: float | None) -> int:
    """Return how many of a tensor's weights become 0."""
    return (
        round(sparsity * view.size) if limit is None else int((np.abs(view.astype(np.float32)) < limit).sum())
    )


def _zero(view: npt.NDArray[Any], count: int) -> None:
    """Set the `count` smallest weights to 0; of equal ones the first, so that two runs agree."""
    order = np.argsort(np.abs(view.astype(np.float32)), kind="stable")
    view[order[:count]] = 0


def compressed_size(data: bytes) -> int:
    """Return the size of the file as gzip (level 9): what a download or an app package carries of it."""
    return len(gzip.compress(data, compresslevel=9, mtime=0))
