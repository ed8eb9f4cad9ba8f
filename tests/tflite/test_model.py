"""What a model file says of itself, against what the interpreter says of it."""

import hashlib
from collections import Counter

import numpy as np
import pytest

from harness.tflite.model import describe
from harness.tflite.tensor_info import TensorInfo
from tests.support.interpreters import list_nodes

litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")

REAL = {
    "ssd_mobilenet_v1_coco_quant": "qat-uint8",
    "ssd_mobilenet_v2_fpnlite_10_256_int8": "full-integer",
    "yolov5n-fp16": "float16",
    "yolov5n-int8": "full-integer",
}


@pytest.fixture(params=REAL)
def real(request, shared_data):
    return shared_data / "models" / f"{request.param}.tflite"


def interpreter(path):
    plain = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    made = litert.Interpreter(str(path), experimental_op_resolver_type=plain)
    made.allocate_tensors()
    return made


def as_info(detail):
    scale, zero_point = detail["quantization"]
    return TensorInfo(
        name=detail["name"],
        shape=tuple(int(size) for size in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        scale=scale or None,
        zero_point=zero_point if scale else None,
    )


def test_inputs_and_outputs_are_those_of_the_interpreter_in_its_order(real):
    runtime, description = interpreter(real), describe(real)
    assert description.inputs == tuple(map(as_info, runtime.get_input_details()))
    assert description.outputs == tuple(map(as_info, runtime.get_output_details()))


def test_operators_are_those_of_the_interpreter(real):
    runtime, description = interpreter(real), describe(real)
    expected = Counter(operator["op_name"] for operator in list_nodes(runtime))
    assert dict(description.operators) == dict(expected)
    assert description.n_operators == expected.total()


def test_hash_and_size_are_those_of_the_file(real):
    description = describe(real)
    assert description.sha256 == hashlib.sha256(real.read_bytes()).hexdigest()
    assert description.size_bytes == real.stat().st_size


def test_real_models_are_quantized_as_their_makers_say(real):
    assert describe(real).quantization == REAL[real.stem]


def test_the_known_ssd_is_described_in_full(shared_data):
    description = describe(shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite")
    assert description.sha256 == "e4b118e5e4531945de2e659742c7c590f7536f8d0ed26d135abcfe83b4779d13"
    (image,) = description.inputs
    assert (image.shape, image.dtype, image.scale, image.zero_point) == (
        (1, 300, 300, 3),
        "uint8",
        0.0078125,
        128,
    )
    assert [output.shape for output in description.outputs] == [(1, 10, 4), (1, 10), (1, 10), (1,)]
    assert description.custom_operators == ("TFLite_Detection_PostProcess",)
    assert description.operators[:2] == (("CONV_2D", 34), ("DEPTHWISE_CONV_2D", 13))
    assert not description.edgetpu


def test_options_of_the_postprocess_operator_are_read(shared_data):
    options = describe(shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite").postprocess
    assert (options.max_detections, options.max_classes_per_detection, options.num_classes) == (10, 1, 90)
    assert options.nms_iou_threshold == pytest.approx(0.6)
    assert options.scales == (10, 10, 5, 5)
    assert not options.use_regular_nms


def test_yolov5n_has_its_published_number_of_parameters_and_its_grids(shared_data):
    # 1,867,405 parameters (Ultralytics, fused); the export adds the grids of 3 scales and a few anchors.
    grids = 2 * (80 * 80 + 40 * 40 + 20 * 20)
    for name in ("yolov5n-fp16", "yolov5n-int8"):
        extra = describe(shared_data / "models" / f"{name}.tflite").n_parameters - 1_867_405
        assert 0 <= extra - grids < 100


def test_metadata_names_are_listed(shared_data):
    assert describe(shared_data / "models" / "yolov5n-int8.tflite").metadata == ("min_runtime_version",)


def test_a_network_made_by_hand_is_counted_by_hand(make_detector, write_model):
    description = describe(write_model(make_detector(n_classes=3)))
    assert description.operators == (
        ("CONV_2D", 4),
        ("RESHAPE", 2),
        ("DEPTHWISE_CONV_2D", 1),
        ("LOGISTIC", 1),
        ("TFLite_Detection_PostProcess", 1),
    )
    first, depthwise = 32 * 27 + 32, 32 * 9 + 32
    second, boxes, scores = 64 * 9 * 32 + 64, 4 * 9 * 64 + 4, 4 * 9 * 64 + 4
    anchors = 8 * 12 * 4
    assert description.n_parameters == first + depthwise + second + boxes + scores + anchors


def test_constants_that_share_their_data_count_once(make_network, write_model):
    network = make_network()
    source = network.input([1, 8, 8, 3])
    output = network.conv(source, 4)
    network.graph.outputs = [output]
    twin = network.tensor("twin", [4, 3, 3, 3])
    network.graph.tensors[twin].buffer = network.graph.tensors[source + 1].buffer
    assert describe(write_model(network)).n_parameters == 4 * 27 + 4


def test_a_dynamic_dimension_is_minus_one_and_the_batch_is_as_allocated(make_network, write_model):
    network = make_network()
    source = network.input([1, 1, 1, 3])
    network.graph.tensors[source].shapeSignature = [-1, -1, -1, 3]
    network.graph.outputs = [network.logistic(source)]
    assert describe(write_model(network)).inputs[0].shape == (1, -1, -1, 3)


def test_outputs_of_a_second_subgraph_are_not_those_of_the_model(make_network, write_model):
    network, other = make_network(), make_network()
    network.graph.outputs = [network.logistic(network.input([1, 4]))]
    other.graph.outputs = [other.logistic(other.input([1, 9]))]
    network.model.subgraphs.append(other.graph)
    description = describe(write_model(network))
    assert [output.shape for output in description.outputs] == [(1, 4)]
    assert description.operators == (("LOGISTIC", 2),)


def test_an_operator_newer_than_the_schema_has_its_number_for_a_name(make_network, write_model):
    network = make_network()
    network.graph.outputs = [network.logistic(network.input([1, 4]))]
    network.model.operatorCodes[0].builtinCode = 9999
    assert describe(write_model(network)).operators == (("BUILTIN_9999", 1),)
