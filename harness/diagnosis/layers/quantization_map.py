"""Map the quantization of a model onto the float model it was made from, read from both graphs: parts to emulate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from harness.diagnosis.layers.emulate import Floats, QuantizationParameters, QuantizedParts
from harness.diagnosis.layers.layers import TensorPair
from harness.diagnosis.layers.matching import CONVERTING, FUSED, match_tensors
from harness.diagnosis.runs.model_pair import ModelPair
from harness.tflite.graph import Graph, Operator, Tensor
from harness.tflite.reader import malformed
from harness.tflite.values import EIGHT_BIT, real_values

READABLE = frozenset({"float32", "float16", "int8", "uint8", "int16", "int32", "int64"})
WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"})


@dataclass(frozen=True)
class Weights:
    """A layer's weights in both models.

    Attributes:
        pair: The layer's output.
        operator: The operator that uses them.
        float_index: The tensor that the float graph's operator reads: the constant, or its dequantized copy.
        float_values: float32, of the float model.
        values: float32, real values of the quantized weights.
        bits: Width of the quantized weights; 16 for float16.
        n_scales: 1 for the whole tensor, or one a channel; 0 for float16.
        axis: The channels' dimension.
    """

    pair: TensorPair
    operator: str
    float_index: int
    float_values: Floats
    values: Floats
    bits: int
    n_scales: int
    axis: int


@dataclass(frozen=True)
class QuantizationMap:
    """The quantization of a graph, by the tensors of the float graph.

    Attributes:
        pairs: The activations of both graphs that correspond.
        activations: Float tensor → how the quantized graph stores it.
        weights: The layers' weights.
        biases: Float constant → real values of the quantized one.
    """

    pairs: tuple[TensorPair, ...]
    activations: dict[int, QuantizationParameters]
    weights: tuple[Weights, ...]
    biases: dict[int, Floats]

    def parts(self) -> QuantizedParts:
        """Return every part that the quantized model quantizes."""
        weights = {layer.float_index: layer.values for layer in self.weights}
        return QuantizedParts(self.activations, {**self.biases, **weights})


def map_quantization(pair: ModelPair) -> QuantizationMap | None:
    """Map the quantized model onto the float model; None without a float model whose activations are float.

    Raises:
        ModelError: A graph is damaged.
    """
    if pair.float is None or pair.same_file or not _is_float(pair.float.graph):
        return None
    with malformed(pair.quantized.file):
        return _map_graphs(pair.float.graph, pair.quantized.graph)


def _map_graphs(before: Graph, after: Graph) -> QuantizationMap | None:
    pairs = tuple(match_tensors(before, after))
    activations = {
        p.float: stored for p in pairs if (stored := parameters_of(after.primary.tensors[p.quantized]))
    }
    layers: list[Weights] = []
    biases: dict[int, Floats] = {}
    for found in pairs:
        for place, index, source, target in _constants(found, before, after):
            weights = _weights(found, before, after, index, source, target)
            if place == 1:
                layers.append(weights)
            else:
                biases[index] = weights.values
    return QuantizationMap(pairs, activations, tuple(layers), biases) if pairs else None


def _is_float(graph: Graph) -> bool:
    """Whether the activations are float."""
    return not any(t.quantization is not None and not t.constant for t in graph.primary.tensors)


def parameters_of(tensor: Tensor) -> QuantizationParameters | None:
    """Return how a tensor is stored; None for a float one, or one of another type than 8-bit integers."""
    found = tensor.quantization
    if found is None or len(found.scales) != 1 or tensor.dtype not in EIGHT_BIT or not found.scales[0] > 0:
        return None
    return QuantizationParameters(
        found.scales[0], found.zero_points[0], "uint8" if tensor.dtype == "uint8" else "int8"
    )


def _constants(pair: TensorPair, before: Graph, after: Graph) -> Iterator[tuple[int, int, Tensor, Tensor]]:
    """Yield a layer's constants: place among the inputs, float tensor as read, constants of both graphs."""
    if pair.place < 0:
        return
    first = before.primary.operators[pair.place]
    second = _operator(pair.quantized, after)
    if second is None or first.name != second.name or first.name not in WEIGHTED:
        return
    for place, (a, b) in enumerate(zip(first.inputs, second.inputs, strict=False)):
        source, target = constant_behind(before, a), constant_behind(after, b)
        if place and source is not None and target is not None and _comparable(source, target):
            yield place, a, source, target


def _comparable(source: Tensor, target: Tensor) -> bool:
    """Whether two constants can be read and compared; packed 4-bit weights cannot."""
    return source.shape == target.shape and {source.dtype, target.dtype} <= READABLE


def _operator(index: int, graph: Graph) -> Operator | None:
    """Return the operator that computes a tensor, skipping a fused activation or a conversion behind it."""
    makers = graph.primary.producers()
    operator = makers.get(index)
    while operator is not None and operator.name in FUSED | CONVERTING:
        operator = makers.get(operator.inputs[0])
    return operator


def constant_behind(graph: Graph, index: int) -> Tensor | None:
    """Return the constant behind a tensor, through the DEQUANTIZE of float16 files; None for an activation."""
    if index < 0:
        return None
    tensor = graph.primary.tensors[index]
    if tensor.constant:
        return tensor
    maker = graph.primary.producers().get(index)
    if maker is None or maker.name != "DEQUANTIZE":
        return None
    source = graph.primary.tensors[maker.inputs[0]]
    return source if source.constant else None


def _weights(
    pair: TensorPair, before: Graph, after: Graph, index: int, source: Tensor, target: Tensor
) -> Weights:
    quantization = target.quantization
    return Weights(
        pair=pair,
        operator=pair.operator,
        float_index=index,
        float_values=real_values(before, source),
        values=real_values(after, target),
        bits=np.dtype(target.dtype).itemsize * 8,
        n_scales=len(quantization.scales) if quantization else 0,
        axis=quantization.axis if quantization else 0,
    )


def round_per_channel(values: Floats, axis: int, bits: int = 8) -> Floats:
    """Return weights rounded with one symmetric scale a channel, as TFLite's int8 specification asks for.

    Args:
        values: float32.
        axis: The channels' dimension.
        bits: Width of the integers.
    """
    others = tuple(k for k in range(values.ndim) if k != axis)
    most = 2 ** (bits - 1) - 1
    scale = np.abs(values).max(axis=others, keepdims=True) / most
    safe = np.where(scale > 0, scale, 1)
    rounded: Floats = (np.rint(values / safe).clip(-most, most) * safe).astype(np.float32)
    return rounded


def channel_axis(operator: str) -> int:
    """Return the dimension of the output channels: the last of depthwise weights, else the first."""
    return 3 if operator == "DEPTHWISE_CONV_2D" else 0


def channel_spread(layers: Sequence[Weights]) -> list[float]:
    """Return for each layer the ratio of the largest channel's weights to the median channel's."""
    found = []
    for layer in layers:
        axis = channel_axis(layer.operator)
        others = tuple(k for k in range(layer.float_values.ndim) if k != axis)
        sizes = np.abs(layer.float_values).max(axis=others)
        middle = float(np.median(sizes))
        found.append(float(sizes.max()) / middle if middle > 0 else float("inf"))
    return found
