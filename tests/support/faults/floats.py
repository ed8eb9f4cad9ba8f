"""Turn a quantized model into the float model that it stands for: the float side of pairs whose own is not at hand."""

import numpy as np
from ai_edge_litert import schema_py_generated as s

from tests.support.faults.compact import compact, sign
from tests.support.faults.graph import Net, edited

INTEGERS = {s.TensorType.INT8, s.TensorType.UINT8, s.TensorType.INT32}


def floated(data: bytes) -> bytes:
    """Return a model with all constants dequantized and all activations float; sums are float32's."""

    def change(net: Net) -> None:
        for tensor in net.tensors:
            _dequantize(net, tensor)
        _bound(net)
        for code in net.model.operatorCodes:  # files of before 2020 have the deprecated field alone
            code.builtinCode = max(code.builtinCode, code.deprecatedBuiltinCode)
        _drop_conversions(net)
        compact(net)
        sign(net)

    return edited(data, change)


def _dequantize(net: Net, tensor) -> None:
    found = tensor.quantization
    stored = found is not None and found.scale is not None and len(found.scale) > 0
    index = next(k for k, one in enumerate(net.tensors) if one is tensor)
    buffer = net.model.buffers[tensor.buffer].data
    constant = buffer is not None and len(buffer) > 0
    if tensor.type == s.TensorType.FLOAT16 and constant:
        values = net.values(index).astype(np.float32)
    elif not stored or tensor.type not in INTEGERS:
        return
    elif constant:
        values = _real(net.values(index), found)
    else:
        values = None
    tensor.type, tensor.quantization = s.TensorType.FLOAT32, None
    if values is not None:
        net.set_values(index, values)


def _real(values: np.ndarray, how) -> np.ndarray:
    shape = [1] * values.ndim
    if len(how.scale) > 1:
        shape[how.quantizedDimension] = -1
    scale = np.asarray(how.scale, np.float64).reshape(shape)
    zero = np.asarray(how.zeroPoint, np.float64).reshape(
        shape if len(how.zeroPoint) > 1 else [1] * values.ndim
    )
    return ((values.astype(np.float64) - zero) * scale).astype(np.float32)


def _bound(net: Net) -> None:
    """State the ReLU6 that a quantized tensor's range stands for in files of TF1."""
    for operator in net.all("CONV_2D", "DEPTHWISE_CONV_2D"):
        if net.name(operator.outputs[0]).endswith("Relu6"):
            operator.builtinOptions.fusedActivationFunction = s.ActivationFunctionType.RELU6


def _drop_conversions(net: Net) -> None:
    """Take QUANTIZE and DEQUANTIZE out: both sides of them are float now."""
    for operator in net.all("QUANTIZE", "DEQUANTIZE"):
        (source,), (target,) = operator.inputs, operator.outputs
        net.operators.remove(operator)
        if target in net.graph.outputs:
            _rename(net, source, target)
            continue
        for user in net.operators:
            user.inputs = [source if index == target else index for index in user.inputs]


def _rename(net: Net, source: int, target: int) -> None:
    for operator in net.operators:
        operator.outputs = [target if index == source else index for index in operator.outputs]
        operator.inputs = [target if index == source else index for index in operator.inputs]
    net.graph.inputs = [target if index == source else index for index in net.graph.inputs]
