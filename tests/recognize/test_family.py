"""Families of detectors that are recognised by their outputs: networks made for it, and real models' accuracy."""

import numpy as np
import pytest

from harness.cards import AnchorSpec
from harness.detectors.anchors import side_file
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.recognize.card import infer_card
from harness.recognize.ssd_raw import layout_of
from harness.tflite.model import describe

CELLS = 144 + 36 + 9


def evidence_of(model, start):
    return next(sentence for sentence in model.evidence if sentence.startswith(start))


def inferred(write_model, network, name="model.tflite"):
    """Infer the card and check that its decoder takes the model's outputs."""
    path = write_model(network, name)
    model = infer_card(path)
    context = ModelContext(model.card.input.width, model.card.input.height, path)
    if model.card.decoder.name != "none":
        make_decoder(model.card.decoder, describe(path).outputs, context)
    return model


@pytest.fixture
def table(make_network):
    """Makes a network whose output is a table put together from parts, each ended by an operator."""

    def make(n, parts, *, image=(1, 96, 96, 3), turned=False, extra=(), quantized=None):
        network = make_network()
        source = network.input(image)
        body = network.conv(source, 8) if image[3] == 3 else source
        pieces = []
        for k, (columns, ends) in enumerate(parts):
            shape = [1, columns, n] if turned else [1, n, columns]
            raw = network.tensor(f"raw{k}", shape)
            network.operator("CONV_2D", [body], [raw])
            piece = network.reshape(raw, shape, f"flat{k}")
            for end in ends:
                other = (
                    [network.constant(f"c{k}{end}", np.ones(1, np.float32))] if end in {"MUL", "ADD"} else []
                )
                piece = network.operator(end, [piece, *other], [network.tensor(f"{end}{k}", shape)])
            pieces.append(piece)
        total = sum(columns for columns, _ in parts)
        output = pieces[0]
        if len(pieces) > 1:
            joined = network.tensor("joined", [1, total, n] if turned else [1, n, total], **(quantized or {}))
            output = network.operator("CONCATENATION", pieces, [joined])
        network.graph.outputs = [
            output,
            *(network.tensor(f"extra{k}", shape) for k, shape in enumerate(extra)),
        ]
        return network

    return make


@pytest.mark.parametrize("image", [(1, 96, 96, 3), (1, 3, 96, 96)])
@pytest.mark.parametrize("turned", [True, False])
def test_yolov8_in_either_layout_and_with_either_input(table, write_model, image, turned):
    parts = [(4, ["MUL"]), (80, ["LOGISTIC"])]
    model = inferred(write_model, table(CELLS, parts, image=image, turned=turned))
    card = model.card
    assert (card.decoder.name, card.decoder.activation) == ("yolov8", "none")
    assert (card.labels.map, card.input.resize, card.input.pad_position) == ("coco80", "letterbox", "center")
    assert card.input.mean == (0, 0, 0)
    assert card.input.std == (255, 255, 255)
    assert evidence_of(model, "decoder:")


def test_scores_straight_from_a_convolution_get_a_sigmoid(table, write_model):
    card = inferred(write_model, table(CELLS, [(4, ["MUL"]), (80, [])])).card
    assert (card.decoder.name, card.decoder.activation) == ("yolov8", "sigmoid")


def test_three_boxes_a_cell_are_yolov5(table, write_model):
    card = inferred(write_model, table(3 * CELLS, [(4, ["MUL"]), (81, ["LOGISTIC"])])).card
    assert (card.decoder.name, card.labels.map) == ("yolov5", "coco80")


@pytest.mark.parametrize("n_classes", [80, 3])
def test_boxes_straight_from_a_convolution_are_yolox_on_its_grid(table, write_model, n_classes):
    parts = [(4, []), (1, ["LOGISTIC"]), (n_classes, ["LOGISTIC"])]
    model = inferred(write_model, table(CELLS, parts))
    card = model.card
    assert (card.decoder.name, card.decoder.strides) == ("yolox", (8, 16, 32))
    assert (card.input.channels, card.input.pad_position, card.input.std) == ("bgr", "corner", (1, 1, 1))
    assert card.labels.map == ("coco80" if n_classes == 80 else None)


def test_yolox_that_decodes_inside_is_known_by_its_exponential(table, write_model):
    card = inferred(write_model, table(CELLS, [(2, ["ADD"]), (2, ["EXP"]), (81, ["LOGISTIC"])])).card
    assert (card.decoder.name, card.decoder.box_format, card.input.channels) == ("yolox", "xywh", "bgr")


def test_decoded_boxes_with_objectness_and_no_exponential_are_read_like_yolov5(table, write_model):
    card = inferred(write_model, table(CELLS, [(4, ["MUL"]), (1, ["LOGISTIC"]), (80, ["LOGISTIC"])])).card
    assert (card.decoder.name, card.decoder.box_format, card.input.channels) == ("yolov5", None, "rgb")


def test_any_input_size_has_its_own_grid(table, write_model):
    n = 52 * 30 + 26 * 15 + 13 * 7
    image = (1, 240, 416, 3)
    assert (
        inferred(write_model, table(n, [(4, ["MUL"]), (5, ["LOGISTIC"])], image=image)).card.decoder.name
        == "yolov8"
    )
    parts = [(4, []), (1, ["LOGISTIC"]), (5, ["LOGISTIC"])]
    assert inferred(write_model, table(n, parts, image=image)).card.decoder.name == "yolox"


def test_the_models_own_names_settle_the_number_of_columns(table, write_model, with_archive):
    network = table(CELLS, [(9, ["LOGISTIC"])])
    data = with_archive(network.bytes(), metadata__json='{"names": {"0": "a", "1": "b", "2": "c", "3": "d"}}')
    card = inferred(write_model, data).card
    assert card.labels.names == ("a", "b", "c", "d")
    assert card.decoder.name in {"yolov5", "yolox"}


@pytest.mark.parametrize(
    ("n_columns", "offset", "mapping", "background"),
    [
        (91, 1, None, True),
        (90, 1, None, False),
        (81, 0, "coco80", True),
        (80, 0, "coco80", False),
        (7, 1, None, True),
    ],
)
def test_raw_ssd_heads_with_anchors_in_a_side_file(
    make_detector, write_model, tmp_path, n_columns, offset, mapping, background
):
    network = make_detector(n_classes=n_columns - 1, postprocess=False)
    n = network.shape(network.graph.outputs[0])[1]
    np.save(side_file(tmp_path / "model.tflite"), np.ones((n, 4), np.float32))
    model = inferred(write_model, network)
    card = model.card
    assert (card.decoder.name, card.decoder.order) == ("ssd-raw", "boxes,scores")
    assert (card.decoder.activation, card.decoder.background) == ("none", background)
    assert card.decoder.anchors == AnchorSpec(source="file", file="model.anchors.npy")
    assert (card.labels.offset, card.labels.map) == (offset, mapping)


def test_raw_ssd_heads_whose_scores_are_logits(make_network, write_model):
    network = make_network()
    body = network.conv(network.input([1, 300, 300, 3]), 8)
    boxes = network.reshape(network.conv(body, 12, name="b"), [1, 1917, 4], "boxes")
    scores = network.reshape(network.conv(body, 91, name="s"), [1, 1917, 91], "scores")
    network.graph.outputs = [scores, boxes]
    model = inferred(write_model, network)
    decoder = model.card.decoder
    assert (decoder.order, decoder.activation) == ("scores,boxes", "sigmoid")
    assert decoder.anchors.source == "ssd"
    assert "300×300" in evidence_of(model, "decoder.anchors:")


def test_anchors_that_are_a_constant_of_the_file_are_taken(make_network, write_model):
    network = make_network()
    body = network.conv(network.input([1, 30, 30, 3]), 8)
    boxes = network.reshape(network.conv(body, 4, name="b"), [1, 77, 4], "boxes")
    scores = network.reshape(network.conv(body, 6, name="s"), [1, 77, 6], "scores")
    network.constant("my_anchors", np.ones((77, 4), np.float32))
    network.graph.outputs = [boxes, scores]
    assert inferred(write_model, network).card.decoder.anchors == AnchorSpec(source="model")


def test_heads_without_any_anchors_are_of_no_known_family(make_network, write_model):
    network = make_network()
    body = network.conv(network.input([1, 30, 30, 3]), 8)
    network.graph.outputs = [
        network.reshape(network.conv(body, 4, name="b"), [1, 77, 4], "boxes"),
        network.reshape(network.conv(body, 6, name="s"), [1, 77, 6], "scores"),
    ]
    assert inferred(write_model, network).card.decoder.name == "none"


@pytest.mark.parametrize("x_first", [True, False])
@pytest.mark.parametrize("corners", [True, False])
def test_the_layout_of_anchors_is_read_from_their_values(x_first, corners):
    y, x = np.meshgrid((np.arange(6) + 0.5) / 6, (np.arange(9) + 0.5) / 9, indexing="ij")
    first, second = (x, y) if x_first else (y, x)
    centers = np.stack([first, second], axis=-1).reshape(-1, 1, 2).repeat(3, axis=1)
    sizes = np.broadcast_to([[[0.1, 0.1], [0.2, 0.1], [0.1, 0.3]]], centers.shape)
    parts = [centers - sizes / 2, centers + sizes / 2] if corners else [centers, sizes]
    found = layout_of(np.concatenate(parts, axis=-1).reshape(-1, 4).astype(np.float32), "anchors")
    assert (found.x_first, found.corners) == (x_first, corners)


def test_centernet_maps_are_told_apart_by_their_shapes_and_names(make_network, write_model):
    network = make_network()
    body = network.conv(network.input([1, 64, 64, 3]), 8)
    names = {"heat": 80, "offset": 2, "size": 2}
    heads = [network.conv(body, depth, name=name) for name, depth in names.items()]
    network.graph.outputs = heads
    card = inferred(write_model, network).card
    assert (card.decoder.name, card.decoder.order) == ("centernet", "heatmap,offsets,sizes")
    assert card.decoder.activation == "none" or card.decoder.activation == "sigmoid"


def test_four_outputs_without_the_operator_are_known_by_their_names(make_network, write_model):
    network = make_network()
    network.input([1, 64, 64, 3])
    shapes = {
        "detection_classes": [1, 25],
        "num_detections": [1],
        "detection_boxes": [1, 25, 4],
        "detection_scores": [1, 25],
    }
    network.graph.outputs = [network.tensor(name, shape) for name, shape in shapes.items()]
    model = inferred(write_model, network)
    assert model.card.decoder.order == "classes,count,boxes,scores"
    assert "harness models probe" in evidence_of(model, "labels:")


def test_the_operators_classes_can_include_the_background(make_detector, write_model):
    network = make_detector(n_classes=91)
    scores = network.graph.tensors[network.graph.operators[-1].inputs[1]]
    scores.shape = [*scores.shape[:2], 91]
    assert inferred(write_model, network).card.labels.offset == 0


TARGETS = {
    "ssd_mobilenet_v1_coco_quant": (0.193, 0.326),
    "ssd_mobilenet_v2_fpnlite_10_256_int8": (0.163, 0.303),
    "yolov5n-fp16": (0.369, 0.553),
    "yolov5n-int8": (0.325, 0.529),
}


@pytest.mark.shared_data
@pytest.mark.parametrize("name", TARGETS)
def test_a_bare_model_reaches_its_known_accuracy_by_automatic_mapping_alone(shared_data, name):
    from harness.accuracy.coco import evaluate
    from harness.accuracy.dataset import find_dataset
    from harness.accuracy.interpreters import InterpreterEngine
    from harness.accuracy.pipeline import Recipe, detect
    from harness.accuracy.prepare import Preparation
    from harness.runtime import load_runtime, make_interpreter
    from harness.worker.tensors import input_infos, output_infos

    dataset = find_dataset(shared_data / "coco50")
    path = shared_data / "models" / f"{name}.tflite"
    card = infer_card(path).card
    interpreters = [make_interpreter(load_runtime(), str(path), "cpu", 1) for _ in range(2)]
    context = ModelContext(card.input.width, card.input.height, path)
    recipe = Recipe(
        Preparation(card.input, input_infos(interpreters[0])[0]),
        make_decoder(card.decoder, output_infos(interpreters[0]), context),
        card.labels,
    )
    engines = [InterpreterEngine(interpreter) for interpreter in interpreters]
    found = detect([(image.id, image.path) for image in dataset.images], recipe, engines, 2)
    rows = [
        np.column_stack([np.full(len(f.scores), f.image_id), f.boxes, f.scores, f.categories]) for f in found
    ]
    figures = evaluate(dataset.annotations, np.concatenate(rows), dataset.image_ids).figures
    assert (figures.map, figures.ap50) == pytest.approx(TARGETS[name], abs=0.004)
