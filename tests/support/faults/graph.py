"""Take a .tflite file apart and put it together again, with the schema's own object classes."""

from collections.abc import Callable, Iterable
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as s

DTYPES = {
    s.TensorType.FLOAT32: np.float32,
    s.TensorType.FLOAT16: np.float16,
    s.TensorType.INT32: np.int32,
    s.TensorType.INT8: np.int8,
    s.TensorType.UINT8: np.uint8,
}


class Net:
    """A model's primary subgraph, to be changed in place."""

    def __init__(self, data: bytes) -> None:
        self.model = s.ModelT.InitFromObj(s.Model.GetRootAs(bytearray(data), 0))
        self.graph = self.model.subgraphs[0]
        for buffer in self.model.buffers:  # large constants may lie behind the flatbuffer
            if buffer.data is None and buffer.offset > 1:
                buffer.data = np.frombuffer(data[buffer.offset : buffer.offset + buffer.size], np.uint8)
                buffer.offset = buffer.size = 0

    @property
    def tensors(self) -> list[Any]:
        return self.graph.tensors

    @property
    def operators(self) -> list[Any]:
        return self.graph.operators

    def bytes(self) -> bytes:
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())

    def name(self, index: int) -> str:
        return self.tensors[index].name.decode()

    def kind(self, operator: Any) -> str:
        code = self.model.operatorCodes[operator.opcodeIndex]
        if code.customCode:
            return code.customCode.decode()
        number = max(code.builtinCode, code.deprecatedBuiltinCode)
        return next(k for k, v in vars(s.BuiltinOperator).items() if v == number)

    def all(self, *kinds: str) -> list[Any]:
        return [operator for operator in self.operators if self.kind(operator) in kinds]

    def first(self, kind: str) -> Any:
        return self.all(kind)[0]

    def values(self, index: int) -> np.ndarray:
        tensor = self.tensors[index]
        raw = self.model.buffers[tensor.buffer].data
        return np.frombuffer(bytes(bytearray(raw)), DTYPES[tensor.type]).reshape(tensor.shape)

    def set_values(self, index: int, values: np.ndarray) -> None:
        """Give a constant other values, in a buffer of its own."""
        buffer = s.BufferT()
        buffer.data = np.frombuffer(np.ascontiguousarray(values).tobytes(), np.uint8)
        self.model.buffers.append(buffer)
        self.tensors[index].buffer = len(self.model.buffers) - 1

    def tensor(self, name: str, shape: Iterable[int], dtype: int = s.TensorType.FLOAT32) -> int:
        tensor = s.TensorT()
        tensor.name, tensor.shape, tensor.type, tensor.buffer = name, list(shape), dtype, 0
        self.tensors.append(tensor)
        return len(self.tensors) - 1

    def constant(self, name: str, values: np.ndarray) -> int:
        dtype = next(k for k, v in DTYPES.items() if v == values.dtype.type)
        index = self.tensor(name, values.shape, dtype)
        self.set_values(index, values)
        return index

    def quantized(self, index: int, scale: float, zero_point: int) -> int:
        quantization = s.QuantizationParametersT()
        quantization.scale, quantization.zeroPoint = [scale], [zero_point]
        self.tensors[index].quantization = quantization
        return index

    def operator(
        self, kind: str, inputs, outputs, options=None, options_type=0, at: int | None = None
    ) -> Any:
        """Add a builtin operator, at the end of the execution order or at a place in it."""
        code = s.OperatorCodeT()
        code.builtinCode = getattr(s.BuiltinOperator, kind)
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), 2
        self.model.operatorCodes.append(code)
        operator = s.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        operator.builtinOptions, operator.builtinOptionsType = options, options_type
        self.operators.insert(len(self.operators) if at is None else at, operator)
        return operator

    def place(self, operator: Any) -> int:
        return next(k for k, o in enumerate(self.operators) if o is operator)


def edited(data: bytes, change: Callable[[Net], None]) -> bytes:
    """Return a model file after a change."""
    net = Net(data)
    change(net)
    return net.bytes()
