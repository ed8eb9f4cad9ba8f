"""Put other constants, scales and zero points into a quantized file, to measure a suspicion on the file itself.

Weights keep their scale where it can hold the new values, else they get a new one. The integer kernels read a bias in
steps of input scale × weight scale, so each bias whose step changes is stored anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from flatbuffers import flexbuffers

from harness.tflite import reader, schema
from harness.tflite.graph import Graph, Operator, Tensor
from harness.tflite.values import EIGHT_BIT, stored

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
_PLACES = {
    "CONV_2D": (0, 1, 2),
    "DEPTHWISE_CONV_2D": (0, 1, 2),
    "FULLY_CONNECTED": (0, 1, 2),
    "TRANSPOSE_CONV": (2, 1, 3),
}
_MOST = {"int32": 2**31 - 1, "int64": 2**47}


@dataclass(frozen=True)
class LayerInputs:
    """The places among a layer's inputs of its activation, weights and bias."""

    activation: int
    weights: int
    bias: int


@dataclass(frozen=True)
class Affine:
    """Scale and zero point of an activation."""

    scale: float
    zero_point: int


def layer_inputs(operator: Operator) -> LayerInputs | None:
    """Return where a layer with weights has its inputs; None for another operator."""
    places = _PLACES.get(operator.name)
    return None if places is None else LayerInputs(*places)


def bias_steps(
    graph: Graph, operator: Operator, scales: Mapping[int, npt.NDArray[Any]] | None = None
) -> Doubles | None:
    """Return the step of each value of a layer's bias: input scale × weight scale; None where one is unknown.

    Args:
        graph: The quantized graph.
        operator: The layer.
        scales: Other scales, by tensor, than the graph's.
    """
    places = layer_inputs(operator)
    if places is None or len(operator.inputs) <= places.bias or operator.inputs[places.bias] < 0:
        return None
    tensors = graph.primary.tensors
    found = []
    for index in (operator.inputs[places.activation], operator.inputs[places.weights]):
        own = tensors[index].quantization
        if scales is not None and index in scales:
            found.append(np.asarray(scales[index], np.float64))
        elif own is not None:
            found.append(np.asarray(own.scales, np.float64))
        else:
            return None
    return np.broadcast_to(found[0] * found[1], tensors[operator.inputs[places.bias]].shape)


def patched(
    data: bytes,
    graph: Graph,
    path: Path,
    constants: Mapping[int, Floats] | None = None,
    activations: Mapping[int, Affine] | None = None,
    options: Mapping[int, Mapping[str, Any]] | None = None,
) -> bytes:
    """Return a file with other constants, other scales and zero points of activations, and other options.

    Args:
        data: The file.
        graph: The same, read.
        path: Named in errors.
        constants: Tensor → the real values that it shall hold.
        activations: Tensor → how it shall be stored.
        options: Place of an operator → its options by name, as the schema calls them; PostProcess' own for that one.

    Raises:
        ModelError: The file is damaged.
        MissingExtraError: The package that can write models is not installed.
    """
    with reader.malformed(path):
        patch = _Patch(data, graph)
        for place, values in (options or {}).items():
            patch.set_options(place, values)
        return patch.with_changes(dict(constants or {}), dict(activations or {}))


class _Patch:
    """One model as the schema's objects."""

    def __init__(self, data: bytes, graph: Graph) -> None:
        self.classes, self.model = schema.writable_model(data, "trying other constants in a quantized file")
        self.graph, self.tensors = graph, self.model.subgraphs[0].tensors
        self.scales: dict[int, npt.NDArray[Any]] = {}

    def with_changes(self, constants: dict[int, Floats], activations: dict[int, Affine]) -> bytes:
        biases = self.biases(constants)
        for index, values in constants.items():
            if index not in biases:
                self.store(self.graph.primary.tensors[index], values)
        for index, wanted in activations.items():
            quantization = self.tensors[index].quantization
            quantization.scale, quantization.zeroPoint = [wanted.scale], [wanted.zero_point]
            self.scales[index] = np.array([wanted.scale])
        for index, (operator, values) in biases.items():
            self.store_bias(index, operator, values)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), reader.MAGIC)
        return bytes(builder.Output())

    def set_options(self, place: int, values: Mapping[str, Any]) -> None:
        operator = self.model.subgraphs[0].operators[place]
        if self.graph.primary.operators[place].custom:
            known = dict(flexbuffers.Loads(self.graph.primary.operators[place].options))
            operator.customOptions = np.frombuffer(bytes(flexbuffers.Dumps({**known, **values})), np.uint8)
            return
        for name, value in values.items():
            setattr(operator.builtinOptions, name, value)

    def biases(self, constants: Mapping[int, Floats]) -> dict[int, tuple[Operator, npt.NDArray[Any]]]:
        """Return the real values of all integer biases, as given or as their kernels read them now."""
        found = {}
        for operator in self.graph.primary.operators:
            steps = bias_steps(self.graph, operator)
            places = layer_inputs(operator)
            if steps is None or places is None:
                continue
            tensor = self.graph.primary.tensors[operator.inputs[places.bias]]
            if tensor.constant and tensor.dtype in _MOST:
                own = stored(self.graph, tensor).reshape(tensor.shape) * steps
                found[tensor.index] = (operator, constants.get(tensor.index, own))
        return found

    def store_bias(self, index: int, operator: Operator, values: npt.NDArray[Any]) -> None:
        tensor = self.graph.primary.tensors[index]
        steps, most = bias_steps(self.graph, operator, self.scales), _MOST[tensor.dtype]
        assert steps is not None
        integers = np.clip(np.rint(values / np.maximum(steps, 1e-300)), -most, most)
        self.write(index, integers.astype(tensor.dtype))
        if self.tensors[index].quantization is not None and tensor.quantization is not None:
            shown = np.atleast_1d(steps.reshape(-1)[: len(tensor.quantization.scales)])
            self.tensors[index].quantization.scale = [float(value) for value in shown]

    def store(self, tensor: Tensor, values: Floats) -> None:
        """Store a constant in its own type; with another scale where its own cannot hold the values."""
        if tensor.dtype.startswith("float"):
            self.write(tensor.index, values.astype(tensor.dtype))
            return
        scales, zeros = self.scales_for(tensor, values)
        low, high = EIGHT_BIT.get(tensor.dtype, (-32768, 32767))
        integers = np.clip(np.rint(values / scales) + zeros, low, high)
        self.write(tensor.index, integers.astype(tensor.dtype))
        quantization = self.tensors[tensor.index].quantization
        quantization.scale = [float(value) for value in scales.reshape(-1)]
        quantization.zeroPoint = [int(value) for value in zeros.reshape(-1)]
        self.scales[tensor.index] = scales.reshape(-1)

    def scales_for(self, tensor: Tensor, values: Floats) -> tuple[Doubles, npt.NDArray[np.int64]]:
        """Return scales and zero points, shaped to be broadcast: one, or one a channel, as the tensor has now."""
        found = tensor.quantization
        assert found is not None
        n = len(found.scales)
        axes = tuple(k for k in range(values.ndim) if n == 1 or k != found.axis)
        most, least = values.max(axis=axes, keepdims=True), values.min(axis=axes, keepdims=True)
        if tensor.dtype == "uint8":
            width = np.maximum(np.maximum(most, 0) - np.minimum(least, 0), 1e-12).astype(np.float64)
            return width / 255, np.rint(-np.minimum(least, 0) / (width / 255)).astype(np.int64)
        limit = EIGHT_BIT.get(tensor.dtype, (-32768, 32767))[1]
        size = np.maximum(np.maximum(most, -least), 1e-12).astype(np.float64)
        return size / limit, np.zeros(size.shape, np.int64)

    def write(self, index: int, values: npt.NDArray[Any]) -> None:
        buffer = self.classes.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        self.tensors[index].buffer = len(self.model.buffers) - 1
