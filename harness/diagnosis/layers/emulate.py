"""Emulate quantization in the float model, part by part, so that the cost of each part can be measured.

An activation of the float graph is rounded by a pair QUANTIZE → DEQUANTIZE with the scale and zero point that the
quantized graph has for it; a constant is replaced by the real values of the quantized one. The rest stays float.
This is simulated quantization: B. Jacob et al., Quantization and Training of Neural Networks for Efficient
Integer-Arithmetic-Only Inference (CVPR 2018), section 3. The integer kernels round their sums once more, so the whole
comes near the quantized model, but not bit by bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import flatbuffers
import numpy as np
import numpy.typing as npt

from harness.tflite import reader, schema
from harness.tflite.model import ModelDescription, describe_graph
from harness.tflite.values import EIGHT_BIT

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class QuantizationParameters:
    """The quantization of an activation: real = scale × (q − zero point).

    Attributes:
        scale: Above 0.
        zero_point: In the range of the type.
        dtype: The type.
    """

    scale: float
    zero_point: int
    dtype: Literal["int8", "uint8"] = "int8"

    @property
    def range(self) -> tuple[float, float]:
        """The least and the greatest value that can be stored."""
        low, high = EIGHT_BIT[self.dtype]
        return self.scale * (low - self.zero_point), self.scale * (high - self.zero_point)


@dataclass(frozen=True)
class QuantizedParts:
    """The parts to quantize in an emulation; tensors by their index in the float graph.

    Attributes:
        activations: Tensor → its quantization.
        weights: Constant → the real values of the quantized one.
    """

    activations: Mapping[int, QuantizationParameters] = field(default_factory=dict)
    weights: Mapping[int, Floats] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is quantized."""
        return bool(self.activations or self.weights)


def parameters_for_range(low: float, high: float) -> QuantizationParameters:
    """Return the int8 quantization of a range: 0 is exact, 255 steps (TFLite, `quantization_utils.cc`)."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255 or 1.0
    return QuantizationParameters(scale, round(-128 - low / scale))


@dataclass(frozen=True)
class _Written:
    """A part of a model that a builder holds already."""

    offset: int

    def Pack(self, builder: flatbuffers.Builder) -> int:  # noqa: N802 - as the schema's classes call it
        """Return where it is."""
        return self.offset


class _Model:
    """A model's objects, of which those that no emulation changes are written once.

    Args:
        model: The objects.
    """

    def __init__(self, model: Any) -> None:
        self._model, self._builder = model, flatbuffers.Builder(1 << 20)
        graph = model.subgraphs[0]
        self._tensors, self._buffers, self._codes = (
            self._write(parts) for parts in (graph.tensors, model.buffers, model.operatorCodes)
        )
        self._others = self._write(model.subgraphs[1:])
        operators = self._write(graph.operators)
        self._operators = {
            id(one): (one.inputs, written) for one, written in zip(graph.operators, operators, strict=True)
        }

    def _write(self, parts: list[Any]) -> list[Any]:
        return [_Written(part.Pack(self._builder)) for part in parts]

    def data(self) -> bytes:
        """Return the file of the model as its objects are now: what was appended, and operators with other inputs."""
        model, graph = copy(self._model), copy(self._model.subgraphs[0])
        graph.tensors = self._tensors + graph.tensors[len(self._tensors) :]
        graph.operators = [self._operator(one) for one in graph.operators]
        model.subgraphs = [graph, *self._others]
        model.buffers = self._buffers + model.buffers[len(self._buffers) :]
        model.operatorCodes = self._codes + model.operatorCodes[len(self._codes) :]
        builder = copy(self._builder)
        builder.Bytes, builder.vtables = bytearray(builder.Bytes), dict(builder.vtables)
        builder.Finish(model.Pack(builder), reader.MAGIC)
        return bytes(builder.Output())

    def _operator(self, operator: Any) -> Any:
        inputs, written = self._operators.get(id(operator), (None, None))
        return operator if written is None or operator.inputs is not inputs else written


class Emulator:
    """Quantizes parts of a float model, some after others; reads its file once and writes what stays the same once.

    Args:
        data: The float model's file; a float16 one will do.
        path: Named in errors.

    Raises:
        ModelError: The file is not a valid model.
        MissingExtraError: The package that can write models is not installed.
    """

    def __init__(self, data: bytes, path: Path) -> None:
        self.path = path
        graph = reader.read_graph(data, path)
        with reader.malformed(path):
            self.description = describe_graph(graph, data, path)
            self.classes, self.model = schema.writable_model(data, "emulating a quantized model")
            self.graph: Any = self.model.subgraphs[0]
            self._written = _Model(self.model)

    def with_parts(self, parts: QuantizedParts) -> bytes:
        """Return the model with parts of it quantized, as a .tflite file."""
        with reader.malformed(self.path), self._as_it_was():
            return self._changed(parts)

    def describe(self, data: bytes, file: Path) -> ModelDescription:
        """Describe the model with parts of it quantized, which has the same inputs and outputs, without reading it.

        Args:
            data: From `with_parts`.
            file: Where it lies.
        """
        found = hashlib.sha256(data).hexdigest()
        return replace(self.description, path=file, sha256=found, size_bytes=len(data))

    @contextmanager
    def _as_it_was(self) -> Iterator[None]:
        """Undo what is changed meanwhile: what is appended, and what reads something else."""
        grown = (self.graph.tensors, self.model.buffers, self.model.operatorCodes)
        lengths = [len(one) for one in grown]
        operators, outputs = list(self.graph.operators), self.graph.outputs
        inputs = [operator.inputs for operator in operators]
        signed = [
            output for signature in self.model.signatureDefs or [] for output in signature.outputs or []
        ]
        indices = [output.tensorIndex for output in signed]
        try:
            yield
        finally:
            for one, length in zip(grown, lengths, strict=True):
                del one[length:]
            self.graph.operators, self.graph.outputs = operators, outputs
            for operator, read in zip(operators, inputs, strict=True):
                operator.inputs = read
            for output, index in zip(signed, indices, strict=True):
                output.tensorIndex = index

    def _changed(self, parts: QuantizedParts) -> bytes:
        for index, values in parts.weights.items():
            self._read_instead(index, self._constant(index, values))
        for index, stored in parts.activations.items():
            self._round(index, stored)
        return self._written.data()

    def _round(self, index: int, stored: QuantizationParameters) -> None:
        """Insert QUANTIZE and DEQUANTIZE behind the operator that computes a tensor."""
        integers = self._tensor(index, stored.dtype, "rounded")
        quantization = self.classes.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [stored.scale], [stored.zero_point]
        self.graph.tensors[integers].quantization = quantization
        again = self._tensor(index, "float32", "again")
        self._read_instead(index, again)
        place = self._maker(index) + 1
        self.graph.operators.insert(place, self._operator("QUANTIZE", index, integers))
        self.graph.operators.insert(place + 1, self._operator("DEQUANTIZE", integers, again))

    def _maker(self, index: int) -> int:
        """Return the place of the operator that computes a tensor; -1 for an input."""
        return next((k for k, o in enumerate(self.graph.operators) if index in list(o.outputs)), -1)

    def _read_instead(self, old: int, new: int) -> None:
        """Replace a tensor by another one in all operators' inputs and the model's outputs."""
        for operator in self.graph.operators:
            if old in list(operator.inputs):
                operator.inputs = [new if index == old else index for index in operator.inputs]
        self.graph.outputs = [new if index == old else index for index in self.graph.outputs]
        for signature in self.model.signatureDefs or []:
            for output in signature.outputs or []:
                output.tensorIndex = new if output.tensorIndex == old else output.tensorIndex

    def _tensor(self, like: int, dtype: str, suffix: str) -> int:
        original, tensor = self.graph.tensors[like], self.classes.TensorT()
        name = (
            original.name
            if isinstance(original.name, str)
            else (original.name or b"").decode("utf-8", "replace")
        )
        tensor.name, tensor.buffer, tensor.shape = f"{name}/{suffix}", 0, original.shape
        tensor.shapeSignature = original.shapeSignature
        tensor.hasRank = original.hasRank
        tensor.type = getattr(self.classes.TensorType, dtype.upper())
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _constant(self, like: int, values: Floats) -> int:
        index, buffer = self._tensor(like, "float32", "quantized"), self.classes.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values, np.float32).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        self.graph.tensors[index].buffer = len(self.model.buffers) - 1
        return index

    def _operator(self, name: str, source: int, target: int) -> Any:
        operator = self.classes.OperatorT()
        operator.opcodeIndex = self._code(getattr(self.classes.BuiltinOperator, name))
        operator.inputs, operator.outputs = [source], [target]
        return operator

    def _code(self, number: int) -> int:
        """Return the place of an operator's code, of a version that takes int8; add it where it is missing."""
        for place, code in enumerate(self.model.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == number and code.version >= 2:
                return place
        code = self.classes.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = number, min(number, 127), 2
        self.model.operatorCodes.append(code)
        return len(self.model.operatorCodes) - 1
