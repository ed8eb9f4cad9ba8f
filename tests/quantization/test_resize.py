"""Resizing: a fully convolutional net takes other sizes and computes what the interpreter computes at run time;
what is tied to one size is refused with the operator and the reason, and leaves no file behind."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.cli.main import main
from harness.errors import ModelError
from harness.quantization import resize
from harness.tflite.graph import Graph, Operator, Subgraph, Tensor
from harness.tflite.model import describe

interpreter = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
schema = pytest.importorskip("ai_edge_litert.schema_py_generated", reason="ai-edge-litert is not installed")


@pytest.fixture
def net(tmp_path) -> Path:
    """A fully convolutional net: 32 × 32 × 3 → two convolutions of stride 2 → 8 × 8 × 6."""
    import flatbuffers

    random = np.random.default_rng(0)
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.buffers, model.subgraphs = 3, [schema.BufferT()], [graph]
    graph.tensors, graph.operators = [], []
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CONV_2D
    code.version, model.operatorCodes = 1, [code]

    def tensor(name, shape, values=None):
        entry = schema.TensorT()
        entry.name, entry.shape, entry.type, entry.buffer = name, list(shape), 0, 0
        if values is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.astype(np.float32).tobytes(), np.uint8)
            model.buffers.append(buffer)
            entry.buffer = len(model.buffers) - 1
        graph.tensors.append(entry)
        return len(graph.tensors) - 1

    def conv(source, depth, channels, side):
        operator, options = schema.OperatorT(), schema.Conv2DOptionsT()
        options.padding, options.strideH, options.strideW = schema.Padding.SAME, 2, 2
        options.dilationHFactor = options.dilationWFactor = 1
        weights = tensor(f"w{side}", (channels, 3, 3, depth), random.normal(0, 0.3, (channels, 3, 3, depth)))
        bias = tensor(f"b{side}", (channels,), random.normal(0, 0.3, channels))
        output = tensor(f"conv{side}", (1, side, side, channels))
        operator.opcodeIndex, operator.inputs, operator.outputs = 0, [source, weights, bias], [output]
        operator.builtinOptions, operator.builtinOptionsType = options, schema.BuiltinOptions.Conv2DOptions
        graph.operators.append(operator)
        return output

    image = tensor("image", (1, 32, 32, 3))
    graph.inputs, graph.outputs = [image], [conv(conv(image, 3, 5, 16), 5, 6, 8)]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    path = tmp_path / "net.tflite"
    path.write_bytes(bytes(builder.Output()))
    return path


def run(engine, image):
    engine.allocate_tensors()
    engine.set_tensor(engine.get_input_details()[0]["index"], image)
    engine.invoke()
    return engine.get_tensor(engine.get_output_details()[0]["index"])


@pytest.mark.parametrize(("width", "height"), [(64, 64), (48, 80), (16, 16), (33, 47)])
def test_a_resized_file_computes_what_the_interpreter_computes_after_resizing(net, tmp_path, width, height):
    output = tmp_path / "resized.tflite"
    output.write_bytes(resize.resize(net.read_bytes(), net, width, height))
    description = describe(output)
    assert description.inputs[0].shape == (1, height, width, 3)
    assert description.outputs[0].shape == (1, -(-height // 4), -(-width // 4), 6)
    image = np.random.default_rng(1).uniform(-1, 1, (1, height, width, 3)).astype(np.float32)
    engine = interpreter.Interpreter(str(net))
    engine.resize_tensor_input(engine.get_input_details()[0]["index"], image.shape)
    np.testing.assert_array_equal(run(interpreter.Interpreter(str(output)), image), run(engine, image))


def test_the_command_writes_one_file_a_size_and_a_row_each(net, tmp_path, capsys):
    folder = tmp_path / "sizes"
    with pytest.raises(SystemExit) as end:
        main(
            [
                "resize",
                str(net),
                "--input",
                "64,48x32",
                "-o",
                str(folder),
                "--repetitions",
                "1",
                "--format",
                "json",
            ]
        )
    rows = json.loads(capsys.readouterr().out)
    assert end.value.code == 0
    assert [row["input"] for row in rows] == ["32x32", "64x64", "48x32"]
    assert all(row["status"] == "ok" and row["verdict"] for row in rows)  # a busy machine may give no median
    assert sorted(path.name for path in folder.iterdir()) == ["net_48x32.tflite", "net_64x64.tflite"]


def test_an_ssd_is_refused_by_the_operator_that_ties_it_to_its_size(shapes, tmp_path, capsys):
    folder = tmp_path / "sizes"
    with pytest.raises(SystemExit) as end:
        main(["resize", "shapes-float32", "--input", "96,192", "-o", str(folder), "--no-latency"])
    text = capsys.readouterr().err
    assert end.value.code == 2
    assert "(RESHAPE) refuses it: its target shape is a constant of the old size" in text
    assert "nor can it take 192×192" in text
    assert not folder.exists()


def test_a_real_yolo_is_refused(shared_data):
    path = shared_data / "models" / "yolov5n-fp16.tflite"
    with pytest.raises(ModelError, match=r"cannot take 320×320: operator \d+ \(\w+\) refuses it"):
        resize.resize(path.read_bytes(), path, 320, 320)


def graph(name, before, after, inputs=(0,), extra=()):
    """Return a graph of one operator, and the shapes that LiteRT would give it."""
    tensors = [
        Tensor(index, f"t{index}", shape, shape, "float32", None, 0, False)
        for index, shape in enumerate([before[0], before[1], *extra])
    ]
    operator = Operator(name, False, inputs, (1,))
    subgraph = Subgraph("main", tuple(tensors), (operator,), (0,), (1,))
    return Graph(3, "", (subgraph,), {}, {}), {0: after[0], 1: after[1]}


@pytest.mark.parametrize(
    ("name", "before", "after", "says"),
    [
        (
            "STRIDED_SLICE",
            [(1, 8, 8, 4), (1, 8, 8, 2)],
            [(1, 16, 16, 4), (1, 8, 8, 2)],
            "would cut off the rest",
        ),
        (
            "RESIZE_BILINEAR",
            [(1, 8, 8, 4), (1, 16, 16, 4)],
            [(1, 4, 4, 4), (1, 16, 16, 4)],
            "a constant output size",
        ),
        ("RESHAPE", [(1, 8, 8, 4), (1, 64, 4)], [(1, 16, 16, 4), (4, 64, 4)], "a batch of 4"),
    ],
)
def test_what_litert_would_run_wrongly_is_found(name, before, after, says):
    (fault,) = resize.silent_faults(*graph(name, before, after))
    assert says in fault
    assert f"operator 0 ({name})" in fault


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("STRIDED_SLICE", [(1, 8, 8, 4), (1, 8, 8, 2)], [(1, 16, 16, 4), (1, 16, 16, 2)]),
        ("STRIDED_SLICE", [(1, 8, 8, 4), (1, 7, 7, 4)], [(1, 16, 16, 4), (1, 15, 15, 4)]),
        ("RESIZE_BILINEAR", [(1, 8, 8, 4), (1, 16, 16, 4)], [(1, 4, 4, 4), (1, 8, 8, 4)]),
        ("RESHAPE", [(1, 8, 8, 4), (1, 64, 4)], [(1, 16, 16, 4), (1, 256, 4)]),
        ("MEAN", [(1, 8, 8, 4), (1, 4)], [(1, 16, 16, 4), (1, 4)]),
    ],
)
def test_operators_that_follow_the_size_are_no_faults(name, before, after):
    assert list(resize.silent_faults(*graph(name, before, after))) == []


def test_another_number_of_boxes_than_anchors_is_a_fault():
    tensors = [
        Tensor(index, f"t{index}", shape, shape, "float32", None, 0, index == 2)
        for index, shape in enumerate([(1, 16, 4), (1, 16, 4), (16, 4), (1, 10, 4)])
    ]
    operator = Operator("TFLite_Detection_PostProcess", True, (0, 1, 2), (3,))
    found = Graph(3, "", (Subgraph("main", tuple(tensors), (operator,), (0,), (3,)),), {}, {})
    (fault,) = resize.silent_faults(found, {0: (1, 64, 4), 1: (1, 64, 4), 2: (16, 4), 3: ()})
    assert "holds 16 anchors as a constant, and with that size there would be 64 boxes" in fault


def test_a_damaged_file_is_a_model_error(net):
    with pytest.raises(ModelError):
        resize.resize(net.read_bytes()[:300], net, 64, 64)


@pytest.mark.parametrize("sizes", ["0", "abc", "64,", "64x"])
def test_sizes_that_are_none_end_with_status_2(net, sizes, capsys):
    with pytest.raises(SystemExit) as end:
        main(["resize", str(net), "--input", sizes, "-o", "x"])
    assert (end.value.code, "expected a size" in capsys.readouterr().err) == (2, True)
