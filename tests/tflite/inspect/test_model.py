"""What `inspect` says, against hand counts, the interpreter and hand-made files."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.errors import ModelError
from harness.tflite import reader
from harness.tflite.costs import Cost, costs, total
from harness.tflite.inspect.difference import difference
from harness.tflite.inspect.model import COLUMNS, inspect
from harness.tflite.nodes import read_nodes
from tests.example_training.network import Network, anchors
from tests.support.paths import SHARED_MODELS

AT_HAND = {
    "ssd_mobilenet_v1_coco_quant": "qat-uint8",
    "ssd_mobilenet_v2_fpnlite_10_256_int8": "full-integer",
    "yolov5n-fp16": "float16",
    "yolov5n-int8": "full-integer",
    "shapes_float32": "float32",
    "shapes_float16": "float16",
    "shapes_dynamic_range": "dynamic-range",
    "shapes_full_integer": "full-integer",
}
BUNDLED = [name for name in AT_HAND if name.startswith("shapes")]


@pytest.fixture
def find(request, repository):
    """Returns the file of a model at hand."""

    def found(name):
        if name in BUNDLED:
            return repository / "models" / "shapes" / f"{name}.tflite"
        return request.getfixturevalue("shared_data") / "models" / f"{name}.tflite"

    return found


def nodes_of(path):
    data = reader.read_bytes(path)
    return read_nodes(reader.read_graph(data, path), data, path)


def test_every_model_at_hand_is_on_the_list(repository):
    bundled = {file.stem for file in (repository / "models").rglob("*.tflite")}
    assert {*bundled, *SHARED_MODELS} == set(AT_HAND)


@pytest.mark.parametrize("name", AT_HAND)
def test_every_model_at_hand_is_named_correctly_and_its_object_has_the_promised_keys(find, name):
    found = inspect(find(name))
    assert tuple(found) == COLUMNS
    assert found["quantization"] == AT_HAND[name]
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def mobilenet_v1_ssd(depth=0.75, classes=91):
    """Count MobileNet v1 SSD 300×300 by hand.

    Howard et al. 2017 (arXiv:1704.04861), table 1, with width multiplier `depth`, at 300×300 (sides 150, 75, 38, 19,
    10); Liu et al. 2016's four extra layers halved in width by the Object Detection API (feature maps 5, 3, 2, 1),
    1×1 predictors with 3 anchors a place on the first map and 6 on the others. Returns (MACs, parameters).
    """
    macs = parameters = 0

    def layer(side, kernel, source, channels, depthwise=False):
        nonlocal macs, parameters
        weights = kernel * kernel * source * (1 if depthwise else channels)
        macs += side * side * weights
        parameters += weights + channels

    widths = [int(depth * w) for w in (32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024)]
    sides = [150, 75, 75, 38, 38, 19, 19, 19, 19, 19, 19, 10, 10]
    layer(150, 3, 3, widths[0])
    for side, source, channels in zip(sides, widths[:-1], widths[1:], strict=True):
        layer(side, 3, source, source, depthwise=True)
        layer(side, 1, source, channels)
    maps = [(19, widths[11]), (10, widths[13])]
    for side, channels in ((5, 512), (3, 256), (2, 256), (1, 128)):
        before, source = maps[-1]
        channels = int(depth * channels)
        layer(before, 1, source, channels // 2)
        layer(side, 3, channels // 2, channels)
        maps.append((side, channels))
    n_anchors = 0
    for number, (side, source) in enumerate(maps):
        per_place = 3 if number == 0 else 6
        n_anchors += side * side * per_place
        layer(side, 1, source, per_place * 4)
        layer(side, 1, source, per_place * classes)
    assert n_anchors == 1917
    return macs, parameters + 4 * n_anchors


def test_mobilenet_v1_ssd_has_the_macs_and_parameters_of_its_published_architecture(find):
    found = inspect(find("ssd_mobilenet_v1_coco_quant"))
    assert (found["macs"], found["parameters"]) == mobilenet_v1_ssd() == (728_036_496, 4_108_899)


def shapes_by_hand():
    """Count the bundled example from `tests.example_training.network`: returns (MACs, parameters)."""
    network = Network()
    side, source, macs, parameters, taps = -(-network.side // 2), 16, 0, 0, []
    macs += side * side * 27 * source
    parameters += 27 * source + source
    for number, (channels, stride) in enumerate(network.body):
        side = -(-side // stride)
        macs += side * side * (9 * source + source * channels)
        parameters += 9 * source + source + source * channels + channels
        source = channels
        if number in network.taps:
            taps.append((side, source))
    for side, source in taps:
        for columns in (4, 1 + network.classes):
            macs += side * side * (9 * source + source * 4 * columns)
            parameters += 9 * source + source + source * 4 * columns + 4 * columns
    return macs, parameters + anchors(network).size


@pytest.mark.parametrize("name", BUNDLED)
def test_the_example_has_the_macs_and_parameters_of_its_network_in_every_quantization(find, name):
    found = inspect(find(name))
    assert (found["macs"], found["parameters"]) == shapes_by_hand() == (11_309_520, 78_952)


def test_yolov5n_has_the_published_multiply_adds(find):
    # Ultralytics' table: 4.5 GFLOPs at 640×640, two a multiply-add, and 1.9 million parameters
    found = inspect(find("yolov5n-fp16"))
    assert round(2 * found["macs"] / 1e9, 1) == 4.5
    assert round(found["parameters"] / 1e6, 1) == 1.9


@pytest.mark.parametrize("name", AT_HAND)
def test_the_parameters_of_the_operators_are_those_of_the_model(find, name):
    found = inspect(find(name))
    mine = sum(row["parameters"] for row in found["operators"])
    unused = {"ssd_mobilenet_v2_fpnlite_10_256_int8", "yolov5n-fp16", "yolov5n-int8"}
    assert mine <= found["parameters"] and (mine == found["parameters"] or name in unused)
    assert sum(row["macs"] or 0 for row in found["operators"]) == found["macs"]


def test_an_input_has_its_real_range_and_the_stats_of_the_converter(find):
    (row,) = inspect(find("ssd_mobilenet_v1_coco_quant"))["inputs"]
    assert (row["dtype"], row["shape"], row["scale"], row["zero_point"]) == (
        "uint8",
        [1, 300, 300, 3],
        0.0078125,
        128,
    )
    assert (row["real_low"], row["real_high"]) == (-1.0, 0.9921875)
    assert row["quantized_input_stats"] == [128.0, 128.0]


def test_int8_inputs_have_the_stats_of_the_pixels_that_they_stand_for(make_detector, write_model):
    network = make_detector()
    tensor = network.graph.tensors[network.graph.inputs[0]]
    quantized = network.tensor("q", [1], 9, None, 1 / 127.5, -1)
    tensor.type, tensor.quantization = 9, network.graph.tensors[quantized].quantization
    (row,) = inspect(write_model(network))["inputs"]
    assert row["quantized_input_stats"] == pytest.approx([127, 127.5])
    assert (row["real_low"], row["real_high"]) == pytest.approx((-127 / 127.5, 128 / 127.5))


def test_a_float_tensor_has_no_range(find):
    for row in inspect(find("shapes_float32"))["outputs"]:
        assert row["real_low"] is None and row["quantized_input_stats"] is None


def test_post_processing_is_the_only_float_island_of_a_quantized_detector(find):
    for name in ("ssd_mobilenet_v1_coco_quant", "shapes_full_integer"):
        islands = inspect(find(name))["float_islands"]
        assert islands["operators"] == {"TFLite_Detection_PostProcess": 1} and islands["macs_share"] == 0
        assert islands["by_design"] == ["TFLite_Detection_PostProcess"]
    assert inspect(find("shapes_float32"))["float_islands"] is None
    assert inspect(find("shapes_dynamic_range"))["float_islands"] is None


def test_two_layers_left_in_float_are_two_islands_with_their_share_of_the_macs(
    make_detector, write_model, quantize
):
    path = write_model(
        quantize(write_model(make_detector(), "float.tflite"), "two_layers_static"), "mixed.tflite"
    )
    found = inspect(path)
    islands, rows = found["float_islands"], {row["name"]: row for row in found["operators"]}
    heads = islands["operators"]["CONV_2D"]
    assert heads == 2
    assert 0 < islands["macs_share"] < 1
    assert islands["macs"] < rows["CONV_2D"]["macs"] + rows["DEPTHWISE_CONV_2D"]["macs"]
    assert sum(map(len, islands["islands"])) == islands["n_operators"]


def test_weights_are_by_tensor_or_by_channel(find):
    def scales(name):
        return {row["name"]: row["weight_scales"] for row in inspect(find(name))["operators"]}

    assert scales("ssd_mobilenet_v1_coco_quant")["CONV_2D"] == {"per-tensor": 34}
    assert scales("shapes_full_integer")["CONV_2D"] == {"per-channel": 20}
    assert scales("shapes_float32")["CONV_2D"] == {"none": 20}


def test_sparsity_is_the_share_of_zeros(make_network, write_model):
    network = make_network()
    conv = network.conv(network.input([1, 8, 8, 3]), 4, name="c")
    network.graph.outputs = [conv]
    buffer = next(b for b in network.model.buffers if b.data is not None)
    values = buffer.data.view(np.float32).copy()
    values[:27] = 0
    buffer.data = values.view(np.uint8)
    (row,) = inspect(write_model(network))["operators"]
    assert row["zero_share"] == 27 / 108


def test_a_quantized_zero_is_the_zero_point(find):
    rows = {row["name"]: row for row in inspect(find("ssd_mobilenet_v1_coco_quant"))["operators"]}
    assert 0.04 < rows["CONV_2D"]["zero_share"] < 0.08


def test_nms_settings_are_those_in_the_file(find):
    nms = inspect(find("shapes_float32"))["nms"]
    assert nms["use_regular_nms"] is False and nms["max_detections"] == 50 and nms["num_classes"] == 6
    assert nms["nms_iou_threshold"] == pytest.approx(0.55) and nms["y_scale"] == 10
    assert inspect(find("yolov5n-fp16"))["nms"] is None


def test_labels_and_normalization_come_from_the_metadata(
    make_detector, write_model, metadata_buffer, with_archive
):
    network = make_detector(n_classes=2)
    network.metadata("TFLITE_METADATA", metadata_buffer([127.5], [127.5], "labels.txt"))
    path = write_model(with_archive(network.bytes(), labels__txt="cat\ndog\n"))
    found = inspect(path)["metadata"]
    assert (found["mean"], found["std"], found["labels"]) == ([127.5], [127.5], ["cat", "dog"])
    assert found["label_file"] == "labels.txt" and found["damaged"] is None


def test_what_steers_a_terminal_is_taken_out_of_every_text(make_network, write_model):
    network = make_network()
    source = network.input([1, 4, 4, 3], name="image\x1b[31m\nred")
    network.operator("evil\x1b]0;title\x07op", [source], [network.tensor("out\x9b", [1])])
    network.graph.outputs = [1]
    text = json.dumps(inspect(write_model(network)), ensure_ascii=False)
    assert "imagered" in text.replace(" ", "") and "evilop" in text
    assert not set(text) & {chr(code) for code in (*range(32), *range(0x7F, 0xA0))}


def test_a_compiled_model_runs_on_the_edge_tpu_only(make_network, write_model):
    network = make_network()
    source = network.input([1, 8, 8, 3], dtype=3, scale=1 / 128, zero_point=128)
    network.graph.outputs = [
        network.operator("edgetpu-custom-op", [source], [network.tensor("out", [1, 4], 3, None, 0.1, 0)])
    ]
    found = inspect(write_model(network))
    rows = {(row["delegate"], row["condition"]): row for row in found["delegates"]}
    taken = {delegate for (delegate, _), row in rows.items() if row["delegated_nodes_low"]}
    assert taken == {"edgetpu"} and found["macs"] is None
    assert [row["compiled"] for row in found["delegates"] if row["delegate"] == "edgetpu"] == [True]


def test_a_file_without_known_shapes_has_unknown_macs(make_network, write_model):
    network = make_network()
    source = network.input([1, 8, 8, 3])
    conv = network.conv(source, 4, name="c")
    network.graph.tensors[conv].shape = []
    network.graph.outputs = [conv]
    assert inspect(write_model(network))["macs"] is None


@pytest.mark.parametrize(
    ("name", "shapes", "expected"),
    [
        ("TRANSPOSE_CONV", ([4], [8, 2, 2, 3], [1, 5, 5, 3], [1, 10, 10, 8]), 5 * 5 * 3 * 2 * 2 * 8),
        ("FULLY_CONNECTED", ([2, 7], [5, 7], [5], [2, 5]), 2 * 5 * 7),
        ("BATCH_MATMUL", ([3, 4, 6], [3, 6, 5], None, [3, 4, 5]), 3 * 4 * 5 * 6),
        ("CONV_3D", ([1, 4, 4, 4, 2], [3, 3, 3, 2, 6], None, [1, 4, 4, 4, 6]), 4**3 * 6 * 27 * 2),
        ("RESHAPE", ([2, 7], [1], None, [14]), 0),
        ("WHILE", ([2, 7], [1], None, [14]), None),
    ],
)
def test_macs_of_other_layers_are_those_of_their_formula(make_network, write_model, name, shapes, expected):
    network = make_network()
    *inputs, output = shapes
    tensors = [network.tensor(f"t{k}", shape) for k, shape in enumerate(inputs) if shape]
    network.graph.inputs = tensors
    network.graph.outputs = [network.operator(name, tensors, [network.tensor("out", output)])]
    assert total(costs(nodes_of(write_model(network)))).macs == expected


def test_unknown_costs_stay_unknown_in_a_sum():
    assert Cost(3, 1, 2, 4) + Cost(None, 1, 1, 1) == Cost(None, 2, 3, 5)


def test_the_difference_of_a_model_with_itself_is_empty_and_else_names_what_differs(find):
    first, second = inspect(find("shapes_float32")), inspect(find("shapes_full_integer"))
    assert difference(first, first) == []
    rows = {row["key"]: (row["first"], row["second"]) for row in difference(first, second)}
    assert rows["quantization"] == ("float32", "full-integer")
    assert rows["inputs.0.dtype"] == ("float32", "uint8")
    assert rows["operators.QUANTIZE.count"] == (None, 1)
    assert "macs" not in rows and "operators.CONV_2D.macs" not in rows


def test_a_damaged_file_is_a_model_error(tmp_path):
    path = tmp_path / "x.tflite"
    path.write_bytes(b"\x1c\x00\x00\x00TFL3" + bytes(40))
    with pytest.raises(ModelError, match=r"x\.tflite"):
        inspect(path)
    with pytest.raises(ModelError, match="no such model file"):
        inspect(Path(tmp_path / "none.tflite"))
