"""Find how pixels become a model's input values, by the best evidence there is.

In this order: a quantized input takes pixels as they are where its own scale says so; the metadata's
NormalizationOptions; the scale of the QUANTIZE that a float input feeds; arithmetic on the input inside the
graph; the usual normalization of the family.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.recognize.family import Facts, MeanAndStd
from harness.tflite.graph import Graph, Tensor
from harness.tflite.tensor_info import TensorInfo
from harness.tflite.values import EIGHT_BIT, real_range, stored

Triple = tuple[float, float, float]
_RANGES = {(0.0, 1.0): (0.0, 255.0), (-1.0, 1.0): (127.5, 127.5), (0.0, 255.0): (0.0, 1.0)}
_TOLERANCE = 0.02
_SMALL_FACTOR, _LARGE_SHIFT = 0.1, 10.0


@dataclass(frozen=True)
class Normalization:
    """real = (pixel − mean) / std for pixels 0…255, with the evidence; None where pixels are fed as they are."""

    mean: Triple | None
    std: Triple | None
    evidence: str


def find(facts: Facts, info: TensorInfo | None, habit: MeanAndStd | None) -> Normalization:
    """Find the normalization of the image input.

    Args:
        facts: The model.
        info: The image input; None when the model has no input.
        habit: The usual (mean, std) of the family; None when there is no family.
    """
    if info is None:
        return Normalization(None, None, "input.mean, input.std: the model has no input.")
    stated = _stated(facts)
    if info.dtype in EIGHT_BIT:
        return _for_integers(info, stated)
    return (
        stated
        or _of_quantize(facts.graph, info)
        or _inside_graph(facts.graph, info)
        or (_both(*habit, "the habit of this family; the file does not say") if habit else None)
        or Normalization(None, None, "input.mean, input.std: unknown; the pixels go in as they are.")
    )


def _both(mean: float | Sequence[float], std: float | Sequence[float], reason: str) -> Normalization:
    triples = _triple(mean), _triple(std)
    return Normalization(
        *triples, f"input.mean, input.std: {list(triples[0])}, {list(triples[1])}: {reason}."
    )


def _triple(values: float | Sequence[float]) -> Triple:
    numbers = [float(values)] if isinstance(values, (int, float)) else list(values)
    first, second, third = numbers * 3 if len(numbers) == 1 else numbers[:3]
    return first, second, third


def _stated(facts: Facts) -> Normalization | None:
    """Return the metadata's NormalizationOptions where they are usable."""
    mean, std = facts.metadata.mean, facts.metadata.std
    if not mean or not std or not {len(mean), len(std)} <= {1, 3}:
        return None
    if not np.isfinite([*mean, *std]).all() or 0 in std:
        return None
    return _both(mean, std, "NormalizationOptions in the model's metadata")


def _for_integers(info: TensorInfo, stated: Normalization | None) -> Normalization:
    """Return the normalization of an integer input: none where pixels map exactly to its real range."""
    bounds = real_range(info.dtype, info.scale, info.zero_point)
    if bounds is None or _known_range(bounds):
        words = f"scale {info.scale:.6g}, zero point {info.zero_point}" if info.scale else "no scale"
        return Normalization(
            None, None, f"input.mean, input.std: none: the {info.dtype} input ({words}) takes pixels."
        )
    if stated:
        return stated
    reason = (
        f"the real range {bounds[0]:.3g}…{bounds[1]:.3g} fits no usual normalization; a card should state it"
    )
    return Normalization(
        None, None, f"input.mean, input.std: unknown, the pixels go in as they are: {reason}."
    )


def _known_range(bounds: tuple[float, float]) -> tuple[float, float] | None:
    """Return the usual range that `bounds` equal, to two hundredths of its width."""
    for low, high in _RANGES:
        if max(abs(bounds[0] - low), abs(bounds[1] - high)) <= _TOLERANCE * (high - low):
            return low, high
    return None


def _of_quantize(graph: Graph, info: TensorInfo) -> Normalization | None:
    """Use the QUANTIZE that a float input feeds: its calibrated range is that of the prepared images."""
    tensor = _input_tensor(graph, info)
    for operator in graph.primary.consumers(tensor.index) if tensor else []:
        if operator.name != "QUANTIZE" or not operator.outputs:
            continue
        output = graph.primary.tensors[operator.outputs[0]]
        if output.quantization is None or output.dtype not in EIGHT_BIT:
            continue
        bounds = real_range(output.dtype, output.quantization.scales[0], output.quantization.zero_points[0])
        known = _known_range(bounds) if bounds else None
        if known:
            return _both(
                *_RANGES[known], f"the input is quantized to the range {known[0]:g}…{known[1]:g} at once"
            )
    return None


def _inside_graph(graph: Graph, info: TensorInfo) -> Normalization | None:
    """Find normalization inside the graph: its first operators scale by 1/255 or subtract a mean."""
    tensor = _input_tensor(graph, info)
    consumers = graph.primary.consumers(tensor.index) if tensor else []
    if len(consumers) != 1 or tensor is None:
        return None
    first = consumers[0]
    others = [graph.primary.tensors[index] for index in first.inputs if index not in {tensor.index, -1}]
    values = _constant(graph, others[0]) if len(others) == 1 else None
    if values is None or not _normalizes(first.name, values):
        return None
    return _both(0, 1, f"the graph normalizes the pixels itself, starting with {first.name}")


def _normalizes(operator: str, values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> bool:
    largest = float(np.abs(values).max())
    if operator == "MUL":
        return 0 < largest < _SMALL_FACTOR
    if operator == "DIV":
        return largest > _LARGE_SHIFT
    return operator in {"SUB", "ADD"} and largest > _LARGE_SHIFT


def _constant(graph: Graph, tensor: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    """Return the values of a small float constant: one, or one a channel."""
    if not tensor.constant or tensor.dtype != "float32" or tensor.n_elements not in {1, 3}:
        return None
    return stored(graph, tensor).astype(np.float64)


def _input_tensor(graph: Graph, info: TensorInfo) -> Tensor | None:
    tensors = (graph.primary.tensors[index] for index in graph.primary.inputs)
    return next((tensor for tensor in tensors if tensor.name == info.name), None)
