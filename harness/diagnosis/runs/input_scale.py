"""Write another scale and zero point to the input of a quantized file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np

from harness.errors import ModelError
from harness.tflite import reader, schema


def with_input_scale(data: bytes, scale: float, zero_point: int, path: Path) -> bytes:
    """Return a file whose integer input has another scale and zero point.

    A QUANTIZE behind the input accepts any scale. A convolution requires its bias to have the scale of input times
    weights (`GetQuantizedConvolutionMultipler` refuses another), so the bias is stored anew.

    Raises:
        ModelError: The input is read by another operator.
        MissingExtraError: The package that can write models is not installed.
    """
    reader.read_graph(data, path)
    with reader.malformed(path):
        classes, model = schema.writable_model(data, "emulating a quantized model")
        graph = model.subgraphs[0]
        index = graph.inputs[0]
        old = float(graph.tensors[index].quantization.scale[0])
        for operator in graph.operators:
            if index in list(operator.inputs):
                _adapt(classes, model, operator, scale / old, path)
        graph.tensors[index].quantization.scale = [scale]
        graph.tensors[index].quantization.zeroPoint = [zero_point]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), reader.MAGIC)
        return bytes(builder.Output())


def _adapt(classes: Any, model: Any, operator: Any, factor: float, path: Path) -> None:
    code = model.operatorCodes[operator.opcodeIndex]
    kind = max(code.builtinCode, code.deprecatedBuiltinCode)
    if kind == classes.BuiltinOperator.QUANTIZE:
        return
    if kind not in {classes.BuiltinOperator.CONV_2D, classes.BuiltinOperator.DEPTHWISE_CONV_2D}:
        raise ModelError(
            f"{path}: its input is read by operator {kind}, whose scale cannot be changed with it"
        )
    tensor = model.subgraphs[0].tensors[operator.inputs[2]]
    raw = np.frombuffer(bytes(bytearray(model.buffers[tensor.buffer].data)), np.int32)
    buffer = classes.BufferT()
    buffer.data = np.frombuffer(np.rint(raw / factor).astype(np.int32).tobytes(), np.uint8)
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
    tensor.quantization.scale = [float(value) * factor for value in tensor.quantization.scale]
