"""Where a model will run: the tables' rules one by one, and XNNPACK's against the runtime itself."""

import re
from dataclasses import replace

import pytest

from harness.tflite import reader, schema
from harness.tflite.graph import Graph, Quantization, Subgraph, Tensor
from harness.tflite.nodes import Node, read_nodes
from harness.tflite.support import edgetpu, gpu, hexagon, litert_gpu, nnapi, qnn, xnnpack
from harness.tflite.support.predict import TABLES, delegated, partitions, predict
from harness.worker.evidence import divide_nodes, list_nodes

NOTHING = Graph(3, "", (Subgraph("", (), (), (), ()),), {}, {})
AT_HAND = (
    "models/ssd_mobilenet_v1_coco_quant",
    "models/ssd_mobilenet_v2_fpnlite_10_256_int8",
    "models/yolov5n-fp16",
    "models/yolov5n-int8",
    "shapes_float32",
    "shapes_float16",
    "shapes_dynamic_range",
    "shapes_full_integer",
)
IDS = [f"{table.delegate} {table.condition}" for table in TABLES]


def tensor(index, dtype="float32", shape=(1, 8, 8, 4), constant=False, scale=None, scales=None):
    quantization = (
        Quantization(tuple(scales or [scale]), (0,) * len(scales or [1])) if scale or scales else None
    )
    return Tensor(index, f"t{index}", tuple(shape), tuple(shape), dtype, quantization, index, constant)


def node(name, inputs=1, dtype="float32", constants=(), outputs=1, shape=(1, 8, 8, 4), index=0, **options):
    """Make an operator: `inputs` computed tensors, then one constant tensor of each type in `constants`."""
    scale = 0.1 if dtype in {"int8", "uint8"} else None
    read = [tensor(k, dtype, shape, scale=scale) for k in range(inputs)]
    read += [tensor(50 + k, kind, (4, 3, 3, 4), True, scale=0.01) for k, kind in enumerate(constants)]
    made = tuple(tensor(100 + k, dtype, shape, scale=0.2 if scale else None) for k in range(outputs))
    return Node(index, name, False, tuple(read), made, options, NOTHING, {})


def conv(dtype="float32", bias=True, **options):
    kinds = (dtype, *(("int32" if dtype != "float32" else "float32",) if bias else ()))
    return node(
        "CONV_2D", 1, dtype, kinds, **{"activation": "RELU6", "stride_h": 1, "stride_w": 1, **options}
    )


@pytest.mark.parametrize("table", TABLES, ids=IDS)
def test_every_row_is_an_operator_that_exists_and_every_table_names_its_source(table):
    known = set(schema.enum_names(schema.load().BuiltinOperator).values())
    known |= {"TFLite_Detection_PostProcess", "edgetpu-custom-op"}
    assert not set(table.rows) - known
    assert re.search(r"README|\.cc|coral\.ai|compiler plugin|log of", table.source)
    assert table.unlisted.state in {"no", "unknown"}
    assert table.answer(node("HASHTABLE_FIND")).state == table.unlisted.state


@pytest.mark.parametrize("table", TABLES, ids=IDS)
def test_every_row_of_every_table_gives_an_answer_with_its_reason(table):
    for name in table.rows:
        for dtype in ("float32", "int8", "uint8", "int32", "string"):
            for one in (
                node(name, 2, dtype),
                node(name, 1, dtype, ("int32",)),
                node(name, 0, dtype, outputs=0),
            ):
                answer = table.answer(one)
                assert answer.state in {"yes", "no", "unknown"}
                assert (answer.state == "yes") == (answer.reason == ""), (name, dtype, answer)


RULES = [
    # XNNPACK
    (xnnpack.TABLE, conv(), "yes"),
    (xnnpack.TABLE, conv("uint8"), "yes"),
    (xnnpack.TABLE, conv(bias=False), "no"),
    (xnnpack.TABLE, conv(activation="TANH"), "no"),
    (xnnpack.TABLE, conv("int16"), "no"),
    (xnnpack.TABLE, node("CONV_2D", 1, "float32", ("int8", "float32")), "yes"),
    (xnnpack.TABLE, node("CONV_2D", 1, "float32", ("int4", "float32")), "no"),
    (xnnpack.TABLE, node("CONV_2D", 1, "float32", ("int16", "float32")), "unknown"),
    (xnnpack.TABLE, node("DEPTHWISE_CONV_2D", 1, "float32", ("int8", "float32")), "no"),
    (xnnpack.TABLE, node("FULLY_CONNECTED", 1, "float32", ("int8", "float32")), "unknown"),
    (xnnpack.TABLE, node("RESIZE_NEAREST_NEIGHBOR", 1, "int8"), "no"),
    (xnnpack.TABLE, node("RESIZE_NEAREST_NEIGHBOR", 1, "uint8"), "unknown"),
    (xnnpack.TABLE, node("CONV_2D", 2, "float32", ("float32",)), "no"),
    (xnnpack.TABLE, node("CONCATENATION", 4), "yes"),
    (xnnpack.TABLE, node("CONCATENATION", 5), "yes"),
    (xnnpack.TABLE, node("CONCATENATION", 6), "no"),
    (xnnpack.TABLE, node("SOFTMAX", beta=1.0), "yes"),
    (xnnpack.TABLE, node("SOFTMAX", beta=2.0), "no"),
    (xnnpack.TABLE, node("SOFTMAX", 1, "int8", beta=1.0), "no"),
    (xnnpack.TABLE, node("SOFTMAX", 1, "uint8", beta=1.0), "unknown"),
    (xnnpack.TABLE, node("RESHAPE", 2), "no"),
    (xnnpack.TABLE, node("RESHAPE", 1), "yes"),
    (xnnpack.TABLE, node("MAX_POOL_2D", filter_h=1, filter_w=1, stride_h=2, stride_w=2), "no"),
    (xnnpack.TABLE, node("MAX_POOL_2D", filter_h=2, filter_w=2, stride_h=2, stride_w=2), "yes"),
    (xnnpack.TABLE, node("GELU"), "unknown"),
    (xnnpack.TABLE, node("TFLite_Detection_PostProcess", 3), "no"),
    # GPU
    (gpu.TABLE, conv(), "yes"),
    (gpu.TABLE, conv("int8"), "yes"),
    (gpu.TABLE, conv("int16"), "no"),
    (gpu.TABLE, node("ADD", 1, "float32", ("float32",)), "yes"),
    (gpu.TABLE, node("ADD", 3), "no"),
    (gpu.TABLE, node("PACK", 2, "int32"), "no"),
    (gpu.TABLE, node("RESHAPE", 1, shape=(1, 2, 3, 4, 5)), "no"),
    (gpu.TABLE, node("SOFTMAX", beta=0.5), "no"),
    (gpu.TABLE, node("SHAPE"), "no"),
    (litert_gpu.TABLE, node("TOPK_V2"), "yes"),
    (litert_gpu.TABLE, node("ADD", 2, "int16"), "unknown"),
    (litert_gpu.TABLE, conv("int16"), "no"),
    # Qualcomm's HTP
    (qnn.TABLE, conv("int8"), "yes"),
    (qnn.TABLE, conv(), "yes"),
    (qnn.TABLE, node("CONV_2D", 1, "float32", ("int8", "float32")), "no"),
    (qnn.TABLE, node("CONV_2D", 1, "int8", ("int4", "int32")), "no"),
    (qnn.TABLE, conv("int16"), "no"),
    (qnn.TABLE, conv("int16", activation="RELU"), "yes"),
    (qnn.TABLE, node("DEPTHWISE_CONV_2D", 1, "int16", ("int8", "int64"), activation="RELU"), "no"),
    (qnn.TABLE, node("STRIDED_SLICE", 1, "int32"), "no"),
    (qnn.TABLE, node("STRIDED_SLICE", 1, "int8"), "yes"),
    (qnn.TABLE, node("TILE", 2, "int8"), "no"),
    (qnn.TABLE, node("SHAPE", 1, "int8"), "no"),
    (qnn.TABLE, node("GELU"), "unknown"),
    # Hexagon
    (hexagon.TABLE, conv("uint8"), "yes"),
    (hexagon.TABLE, conv(), "no"),
    (hexagon.TABLE, conv("int8", stride_h=4, stride_w=4), "no"),
    (hexagon.TABLE, node("DEPTHWISE_CONV_2D", 1, "int8", ("int8", "int32"), depth_multiplier=1), "yes"),
    (hexagon.TABLE, node("DEPTHWISE_CONV_2D", 1, "int8", ("int8", "int32"), depth_multiplier=2), "no"),
    (hexagon.TABLE, node("MAX_POOL_2D", 1, "int8", activation="RELU"), "no"),
    (hexagon.TABLE, node("ADD", 2, "int8", activation="RELU6"), "yes"),
    (hexagon.TABLE, node("ADD", 2, "int8", shape=(1, 1, 2, 2, 2)), "no"),
    (hexagon.TABLE, node("DEQUANTIZE", 1, "int8"), "no"),
    # Edge TPU
    (edgetpu.TABLE, conv("int8"), "yes"),
    (edgetpu.TABLE, conv(), "no"),
    (edgetpu.TABLE, conv("int8", dilation_h=2, dilation_w=1), "no"),
    (edgetpu.TABLE, node("ADD", 2, "int8", shape=(2, 8, 8, 4)), "no"),
    (edgetpu.TABLE, node("ADD", 2, "int8", shape=()), "unknown"),
    (edgetpu.TABLE, node("RESIZE_BILINEAR", 1, "int8"), "unknown"),
    (edgetpu.TABLE, node("SOFTMAX", 1, "int8", shape=(1, 1001)), "yes"),
    (edgetpu.TABLE, node("SOFTMAX", 1, "int8", shape=(1, 1917, 91)), "no"),
    (edgetpu.TABLE, node("SOFTMAX", 1, "int8", shape=(1, 16_001)), "no"),
    (edgetpu.TABLE, node("AVERAGE_POOL_2D", 1, "int8", activation="RELU"), "no"),
    (edgetpu.TABLE, node("LEAKY_RELU", 1, "int8"), "no"),
    # NNAPI, by Android version: 8.1, 9, 10, 11
    (nnapi.TABLES[0], conv(), "yes"),
    (nnapi.TABLES[0], conv(dilation_h=2, dilation_w=2), "no"),
    (nnapi.TABLES[2], conv(dilation_h=2, dilation_w=2), "yes"),
    (nnapi.TABLES[1], conv("int8"), "no"),
    (nnapi.TABLES[2], conv("int8"), "yes"),
    (nnapi.TABLES[2], conv(bias=False), "no"),
    (nnapi.TABLES[0], node("SUB", 2), "no"),
    (nnapi.TABLES[1], node("SUB", 2), "yes"),
    (nnapi.TABLES[1], node("SUB", 2, "uint8"), "no"),
    (nnapi.TABLES[2], node("SUB", 2, "uint8"), "yes"),
    (nnapi.TABLES[2], node("QUANTIZE", 1, "int8"), "no"),
    (nnapi.TABLES[3], node("QUANTIZE", 1, "int8"), "yes"),
    (nnapi.TABLES[2], node("ELU"), "no"),
    (nnapi.TABLES[3], node("ELU"), "yes"),
    (nnapi.TABLES[3], node("TFLite_Detection_PostProcess", 3), "no"),
]


@pytest.mark.parametrize(
    ("table", "one", "state"), RULES, ids=[f"{t.delegate}-{n.name}-{s}" for t, n, s in RULES]
)
def test_a_rule_answers_as_its_source_says(table, one, state):
    assert table.answer(one).state == state


def test_xnnpack_reshapes_to_no_other_scale():
    same = node("RESHAPE", 1, "int8")
    same = replace(same, outputs=(tensor(100, "int8", scale=0.1),))
    other = replace(same, outputs=(tensor(100, "int8", scale=0.2),))
    assert (xnnpack.TABLE.answer(same).state, xnnpack.TABLE.answer(other).state) == ("yes", "no")


def test_before_android_10_nnapi_wants_one_scale_a_tensor_and_a_large_output_scale():
    layer = conv("uint8")
    many = replace(
        layer, inputs=(layer.inputs[0], replace(layer.inputs[1], quantization=Quantization((1, 2), (0, 0))))
    )
    assert nnapi.TABLES[1].answer(many).state == "no"
    small = replace(layer, outputs=(tensor(9, "uint8", scale=1e-6),))
    assert "scale is too small" in nnapi.TABLES[1].answer(small).reason
    assert nnapi.TABLES[2].answer(small).state == "yes"


def chain(*names, dtype="float32"):
    """Make a chain of operators, each reading the one before."""
    made = []
    for index, name in enumerate(names):
        one = node(name, 1, dtype, index=index)
        made.append(replace(one, inputs=(tensor(index, dtype),), outputs=(tensor(index + 1, dtype),)))
    return made


def test_partitions_follow_from_the_graph():
    taken = [True, False, True, True, False, True]
    parts = partitions(chain(*["ADD"] * 6), taken)
    assert parts == [{0}, {2, 3}, {5}]
    assert delegated(chain(*["ADD"] * 6), taken, gpu.TABLE) == [{2, 3}]
    assert delegated(chain(*["ADD"] * 6), taken, edgetpu.TABLE) == [{0}]
    assert delegated(chain(*["ADD"] * 6), taken, xnnpack.TABLE) == [{2, 3}, {0}, {5}]


def test_branches_that_need_nothing_of_each_other_share_a_partition():
    first, second = node("RELU", index=0), node("RELU", index=1)
    branches = [
        replace(first, inputs=(tensor(0),), outputs=(tensor(1),)),
        replace(second, inputs=(tensor(0),), outputs=(tensor(2),)),
    ]
    assert partitions(branches, [True, True]) == [{0, 1}]


def test_where_no_rule_is_known_the_partitions_are_unknown_and_both_bounds_are_given():
    found = predict(chain("RELU", "GELU", "RELU"), xnnpack.TABLE)
    assert (found.supported, found.unknown, found.unsupported) == (2, 1, 0)
    assert (len(found.low), len(found.high), found.partitions) == (2, 3, None)
    assert [item.operator for item in found.undecided] == ["GELU"]


def load(name, repository, request):
    if name.startswith("shapes"):
        path = repository / "models" / "shapes" / f"{name}.tflite"
    else:
        path = request.getfixturevalue("shared_data") / f"{name}.tflite"
    data = reader.read_bytes(path)
    return path, read_nodes(reader.read_graph(data, path), data, path)


def delegated_by_runtime(path):
    """Return the places of the operators that XNNPACK took, and the number of its partitions."""
    litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")
    interpreter = litert.Interpreter(str(path))
    interpreter.allocate_tensors()
    _, parts = divide_nodes(list_nodes(interpreter))
    return set().union(*parts), len(parts)


@pytest.mark.parametrize("name", AT_HAND)
def test_what_is_forecast_for_xnnpack_is_what_the_runtime_does(name, repository, request):
    path, nodes = load(name, repository, request)
    taken, n_partitions = delegated_by_runtime(path)
    found = predict(nodes, xnnpack.TABLE)
    assert found.low == taken == found.high and found.partitions == n_partitions


FEW_BITS = ("dynamic_wi8_afp32", "dynamic_wi4c_afp32", "weight_only_wi4_afp32", "weight_only_wi8_afp32")


@pytest.mark.parametrize("recipe", FEW_BITS)
def test_integer_weights_under_float_activations_are_forecast_as_the_runtime_does(
    recipe, repository, tmp_path
):
    """Of 55: depthwise of 8 bits and convolutions of 4 are left, and 4 bits unpacked are no weights either."""
    pytest.importorskip("litert_quantizer", reason="litert-quantizer is not installed")
    from litert_quantizer import quantizer
    from litert_quantizer import recipe as recipes

    source = quantizer.Quantizer(
        str(repository / "models/shapes/shapes_float32.tflite"), getattr(recipes, recipe)()
    )
    made = source.quantize(enable_progress_bar=False, enable_progress_report=False)
    path = tmp_path / "model.tflite"
    path.write_bytes(bytes(made.quantized_model))
    taken, n_partitions = delegated_by_runtime(path)
    data = path.read_bytes()
    found = predict(read_nodes(reader.read_graph(data, path), data, path), xnnpack.TABLE)
    assert found.low == taken == found.high and found.partitions == n_partitions


BY_THE_COMPILER = {
    # model: operators that LiteRT 2.3.0's plugin with QNN 2.7.0 takes for SM8650, partitions
    "models/ssd_mobilenet_v1_coco_quant": (63, 1),
    "models/ssd_mobilenet_v2_fpnlite_10_256_int8": (184, 16),
    "models/yolov5n-fp16": (386, 1),
    "models/yolov5n-int8": (281, 1),
    "shapes_dynamic_range": (37, 18),
}


@pytest.mark.parametrize("name", BY_THE_COMPILER)
def test_what_is_forecast_for_qualcomm_is_what_its_compiler_took(name, repository, request):
    _, nodes = load(name, repository, request)
    found, (taken, n_partitions) = predict(nodes, qnn.TABLE), BY_THE_COMPILER[name]
    assert len(found.low) == len(found.high) == taken
    assert found.partitions in {None, n_partitions}


@pytest.mark.parametrize("table", [gpu.TABLE, litert_gpu.TABLE], ids=lambda table: table.condition)
def test_one_computed_size_keeps_the_whole_model_off_the_gpu(table, repository, request):
    _, nodes = load("models/ssd_mobilenet_v2_fpnlite_10_256_int8", repository, request)
    found = predict(nodes, table)
    assert not found.low and not found.high and found.partitions == 0
    assert {(one.operator, one.count) for one in found.refused[:2]} == {("RESHAPE", 15), ("TILE", 5)}


def test_stored_float16_weights_are_unpacked_on_the_cpu_unless_the_gpu_takes_all_else(repository, request):
    some = predict(load("shapes_float16", repository, request)[1], litert_gpu.TABLE)
    every = predict(load("models/yolov5n-fp16", repository, request)[1], litert_gpu.TABLE)
    assert (len(some.low), some.n_nodes) == (54, 134) and len(every.low) == every.n_nodes == 386
