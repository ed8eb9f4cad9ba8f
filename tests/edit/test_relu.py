"""ReLU in place of ReLU6 in 16×8 models: no value and no other byte changes, and the rest is refused."""

import numpy as np
import pytest

from harness.edit.files import edit_relu
from harness.edit.relu import change_relu6, find_relu6
from harness.errors import ModelError
from harness.tflite import schema
from tests.support.paths import REPOSITORY

FULL_INTEGER = REPOSITORY / "models" / "shapes" / "shapes_full_integer.tflite"


def sixteen_bit(path, top=6.0):
    """Write a 16×8 convolution with a fused ReLU6 whose output ends at `top`."""
    import flatbuffers

    classes = schema.load_writable("testing")
    model, graph, operator = classes.ModelT(), classes.SubGraphT(), classes.OperatorT()
    code, options = classes.OperatorCodeT(), classes.Conv2DOptionsT()
    code.builtinCode = code.deprecatedBuiltinCode = classes.BuiltinOperator.CONV_2D
    options.strideH = options.strideW = options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = classes.ActivationFunctionType.RELU6
    rng = np.random.default_rng(0)
    rows = [
        # name, type, shape, scale, values
        ("in", "INT16", (1, 4, 4, 3), 8 / 32767, None),
        ("w", "INT8", (5, 1, 1, 3), 0.02, rng.integers(-127, 127, (5, 1, 1, 3), np.int8)),
        ("b", "INT64", (5,), 0.02 * 8 / 32767, np.zeros(5, np.int64)),
        ("out", "INT16", (1, 4, 4, 5), top / 32767, None),
    ]
    model.buffers, graph.tensors = [classes.BufferT()], []
    for name, kind, shape, scale, values in rows:
        tensor, quantization = classes.TensorT(), classes.QuantizationParametersT()
        tensor.name, tensor.shape, tensor.type = name.encode(), list(shape), getattr(classes.TensorType, kind)
        quantization.scale, quantization.zeroPoint = [scale], [0]
        tensor.quantization, tensor.buffer = quantization, 0
        if values is not None:
            tensor.buffer = len(model.buffers)
            model.buffers.append(classes.BufferT())
            model.buffers[-1].data = np.frombuffer(values.tobytes(), np.uint8)
        graph.tensors.append(tensor)
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    operator.builtinOptionsType, operator.builtinOptions = classes.BuiltinOptions.Conv2DOptions, options
    graph.inputs, graph.outputs, graph.operators = [0], [3], [operator]
    model.version, model.operatorCodes, model.subgraphs = 3, [code], [graph]
    built = flatbuffers.Builder()
    built.Finish(model.Pack(built), b"TFL3")
    path.write_bytes(bytes(built.Output()))
    return path


def values(data, given):
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(model_content=data)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], given)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def test_one_byte_changes_and_no_value(tmp_path):
    source = sixteen_bit(tmp_path / "a.tflite")
    done = edit_relu(source, tmp_path / "b.tflite")
    before, after = source.read_bytes(), (tmp_path / "b.tflite").read_bytes()
    assert sum(a != b for a, b in zip(before, after, strict=True)) == 1
    given = np.random.default_rng(1).integers(-32768, 32767, (1, 4, 4, 3), np.int16)
    expected = values(before, given)
    assert np.array_equal(values(after, given), expected) and expected.max() > 30_000
    assert done.rows[-1] == {"key": "fused ReLU6", "before": 1, "after": 0} and done.not_run is None


def test_a_relu6_that_clips_within_the_range_stays(tmp_path):
    source = sixteen_bit(tmp_path / "a.tflite", top=8.0)
    assert [one.same for one in find_relu6(source.read_bytes(), source)] == [False]
    with pytest.raises(ModelError, match="1 fused ReLU6 clip within the stored range"):
        change_relu6(source.read_bytes(), source)


def test_a_model_of_8_bits_has_nothing_to_replace(tmp_path):
    with pytest.raises(ModelError, match="no 16-bit operator"):
        edit_relu(FULL_INTEGER, tmp_path / "b.tflite")
