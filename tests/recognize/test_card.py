"""The card of a bare .tflite: right for models whose facts are known, honest where nothing is known."""

import numpy as np
import pytest
from msgspec.structs import replace

from harness.cards import load_card
from harness.detectors.registry import DECODERS, make_decoder
from harness.errors import ModelError
from harness.names import safe_name
from harness.recognize.card import infer_card
from harness.recognize.family import class_names, contiguous_labels, ssd_labels
from harness.tflite.metadata import Metadata
from harness.tflite.model import describe

litert = pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")

UINT8, INT8 = 3, 9


def evidence_of(model, start):
    return next(sentence for sentence in model.evidence if sentence.startswith(start))


def test_the_card_of_the_known_ssd(shared_data):
    model = infer_card(shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite")
    card = model.card
    assert card.name == "ssd_mobilenet_v1_coco_quant"
    assert card.source.path == "ssd_mobilenet_v1_coco_quant.tflite"
    assert card.source.sha256 == "e4b118e5e4531945de2e659742c7c590f7536f8d0ed26d135abcfe83b4779d13"
    assert (card.input.width, card.input.height, card.input.resize) == (300, 300, "stretch")
    assert (card.input.channels, card.input.mean, card.input.std) == ("rgb", None, None)
    assert (card.decoder.name, card.decoder.order) == ("ssd-postprocess", "tf1")
    assert (card.labels.offset, card.labels.map) == (1, None)
    assert model.available


def test_the_bundled_models_get_the_entries_of_their_written_cards(repository):
    written = [
        model
        for path in (repository / "models").glob("*.toml")
        if (model := load_card(path)).card.source.path
    ]
    for model in written:
        inferred, card = infer_card(model.file).card, model.card
        assert inferred.source.sha256 == card.source.sha256
        # what the operator does inside the file is read from it, and needs no word in a written card
        assert replace(inferred.decoder, nms=card.decoder.nms) == card.decoder
        assert (inferred.labels.offset, inferred.labels.map) == (card.labels.offset, card.labels.map)
        sizes = [(c.input.width, c.input.height, c.input.resize) for c in (inferred, card)]
        assert sizes[0] == sizes[1]
        if describe(model.file).inputs[0].dtype == "float32":
            assert (inferred.input.mean, inferred.input.std) == (card.input.mean, card.input.std)


def test_every_inferred_entry_has_its_evidence(shared_data):
    model = infer_card(shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite")
    for entry in (
        "input:",
        "input.resize:",
        "input.mean, input.std:",
        "decoder:",
        "decoder.order:",
        "labels:",
    ):
        assert evidence_of(model, entry).endswith(".")


def test_every_inferred_card_names_a_decoder_that_exists_or_none(shared_models):
    for path in shared_models:
        card = infer_card(path).card
        assert card.decoder.name in {*DECODERS, "none"}


@pytest.mark.parametrize(("order", "name"), [((0, 1, 2, 3), "tf1"), ((2, 0, 3, 1), "tf2")])
def test_the_order_is_read_from_the_graph_and_the_decoder_takes_it(make_detector, write_model, order, name):
    path = write_model(make_detector(n_classes=3, order=order))
    model = infer_card(path)
    assert model.card.decoder.order == name
    decode = make_decoder(model.card.decoder, describe(path).outputs)
    runtime = litert.Interpreter(str(path))
    runtime.allocate_tensors()
    runtime.set_tensor(runtime.get_input_details()[0]["index"], np.zeros((1, 32, 48, 3), np.float32))
    runtime.invoke()
    detections = decode([runtime.get_tensor(output["index"]) for output in runtime.get_output_details()])
    assert detections.boxes.shape == (len(detections.scores), 4)
    assert set(detections.classes.tolist()) <= {0, 1, 2}


def test_the_order_survives_a_quantizer_that_quantizes_the_results(make_detector, write_model, quantize):
    source = write_model(make_detector(order=(2, 0, 3, 1)), "float.tflite")
    model = infer_card(write_model(quantize(source, "static_wi8_ai8"), "quantized.tflite"))
    assert model.card.decoder.order == "tf2"
    assert "quantized after TFLite_Detection_PostProcess" in evidence_of(model, "warning:")


def test_any_other_order_of_the_operators_outputs_is_spelt_out(make_detector, write_model):
    path = write_model(make_detector(order=(3, 2, 1, 0)))
    decoder = infer_card(path).card.decoder
    assert (decoder.name, decoder.order) == ("ssd-postprocess", "count,scores,classes,boxes")
    make_decoder(decoder, describe(path).outputs)


def test_outputs_of_no_known_family_are_shown_and_can_still_be_timed(make_network, write_model):
    network = make_network()
    network.graph.outputs = [network.logistic(network.input([1, 7, 9, 3]))]
    model = infer_card(write_model(network))
    assert model.card.decoder.name == "none"
    assert (model.card.input.width, model.card.input.height) == (9, 7)
    assert "a segmenter; its latency can be measured with --no-accuracy" in evidence_of(model, "decoder:")
    assert "logistic [1, 7, 9, 3]" in evidence_of(model, "outputs:")


@pytest.mark.parametrize(
    ("shape", "size"),
    [([1, 3, 20, 30], (30, 20)), ([1, 16], (16, 1)), ([], (1, 1)), ([1, 40, 50, 1], (50, 40)), ([8], (8, 1))],
)
def test_any_input_gives_a_width_and_a_height(make_network, write_model, shape, size):
    network = make_network()
    network.graph.outputs = [network.logistic(network.input(shape))]
    card = infer_card(write_model(network)).card
    assert (card.input.width, card.input.height) == size


def test_a_model_without_inputs_still_gets_a_card(make_network, write_model):
    network = make_network()
    constant = network.constant("c", np.zeros(4, np.float32))
    network.graph.outputs = [network.logistic(constant)]
    assert "found no input" in evidence_of(infer_card(write_model(network)), "input:")


def test_a_dynamic_size_is_said_to_need_a_card(make_network, write_model):
    network = make_network()
    source = network.input([1, 1, 1, 3])
    network.graph.tensors[source].shapeSignature = [1, -1, -1, 3]
    network.graph.outputs = [network.logistic(source)]
    assert "dynamic" in evidence_of(infer_card(write_model(network)), "input:")


def normalization(model):
    mean, std = model.card.input.mean, model.card.input.std
    return None if mean is None else (mean[0], std[0])


def test_a_float_ssd_takes_the_habit_of_its_family(make_detector, write_model):
    assert normalization(infer_card(write_model(make_detector()))) == (127.5, 127.5)


def test_metadata_is_preferred_to_habit(make_detector, write_model, metadata_buffer):
    network = make_detector()
    network.metadata("TFLITE_METADATA", metadata_buffer([1.0, 2.0, 3.0], [4.0, 5.0, 6.0]))
    card = infer_card(write_model(network)).card
    assert (card.input.mean, card.input.std) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


@pytest.mark.parametrize(
    ("mean", "std"), [([1.0], [0.0]), ([float("nan")], [1.0]), ([1.0, 2.0], [1.0]), ([], [])]
)
def test_unusable_metadata_is_not_used(make_detector, write_model, metadata_buffer, mean, std):
    network = make_detector()
    network.metadata("TFLITE_METADATA", metadata_buffer(mean, std))
    assert normalization(infer_card(write_model(network))) == (127.5, 127.5)


@pytest.mark.parametrize("first", [("MUL", 1 / 255), ("DIV", 255.0), ("SUB", 127.5)])
def test_a_graph_that_normalizes_itself_takes_pixels(make_detector, write_model, first):
    assert normalization(infer_card(write_model(make_detector(first=first)))) == (0, 1)


def test_a_scaling_that_is_no_normalization_changes_nothing(make_detector, write_model):
    assert normalization(infer_card(write_model(make_detector(first=("MUL", 2.0))))) == (127.5, 127.5)


@pytest.mark.parametrize(
    ("scale", "zero_point", "expected"),
    [(1 / 255, -128, (0, 255)), (2 / 255, -1, (127.5, 127.5)), (1.0, -128, (0, 1)), (0.1, 3, None)],
)
def test_a_quantized_float_input_tells_its_range(make_network, write_model, scale, zero_point, expected):
    network = make_network()
    source = network.input([1, 8, 8, 3])
    quantized = network.tensor("q", [1, 8, 8, 3], INT8, scale=scale, zero_point=zero_point)
    network.graph.outputs = [network.operator("QUANTIZE", [source], [quantized])]
    assert normalization(infer_card(write_model(network))) == expected


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [(UINT8, 1 / 128, 128), (UINT8, 1 / 255, 0), (UINT8, 1.0, 0), (INT8, 1 / 255, -128), (INT8, 2 / 255, -1)],
)
def test_integer_inputs_of_the_usual_ranges_take_pixels(make_network, write_model, dtype, scale, zero_point):
    network = make_network()
    source = network.input([1, 8, 8, 3], dtype, scale=scale, zero_point=zero_point)
    network.graph.outputs = [network.logistic(source)]
    model = infer_card(write_model(network))
    assert normalization(model) is None
    assert "takes pixels" in evidence_of(model, "input.mean")


def test_an_integer_input_of_an_unusual_range_uses_the_metadata_or_says_so(
    make_network, write_model, metadata_buffer
):
    network = make_network()
    source = network.input([1, 8, 8, 3], INT8, scale=0.0187, zero_point=-14)
    network.graph.outputs = [network.logistic(source)]
    assert "a card should state it" in evidence_of(infer_card(write_model(network)), "input.mean")
    network.metadata("TFLITE_METADATA", metadata_buffer([123.7, 116.3, 103.5], [58.4, 57.1, 57.4]))
    assert infer_card(write_model(network)).card.input.mean == pytest.approx((123.7, 116.3, 103.5))


@pytest.mark.parametrize(("n", "offset", "mapping"), [(90, 1, None), (80, 0, "coco80"), (5, 1, None)])
def test_ssd_classes_get_their_ids(n, offset, mapping):
    labels, sentence = ssd_labels(n, Metadata())
    assert (labels.offset, labels.map, labels.names) == (offset, mapping, None)
    assert str(n) in sentence


@pytest.mark.parametrize(("n", "mapping"), [(80, "coco80"), (5, None)])
def test_contiguous_classes_get_their_ids(n, mapping):
    labels, _ = contiguous_labels(n, Metadata())
    assert (labels.offset, labels.map) == (0, mapping)


@pytest.mark.parametrize("background", ["???", "background", "__background__"])
def test_a_background_line_is_no_class(background):
    names, source = class_names(2, Metadata(labels=(background, "cat", "dog"), label_file="l.txt"))
    assert names == ("cat", "dog")
    assert "l.txt" in source


def test_names_that_do_not_fit_the_number_of_classes_are_not_used():
    assert class_names(2, Metadata(labels=("a", "b", "c"))) == (None, "")


@pytest.mark.parametrize(
    ("stem", "name"),
    [("a b/c", "a-b-c"), ("modèle é", "mod-le"), ("..", "model"), ("x.y_z-1", "x.y_z-1"), ("", "model")],
)
def test_names_are_made_safe(stem, name):
    assert safe_name(stem) == name


def test_a_file_that_is_no_model_is_refused(write_model):
    with pytest.raises(ModelError):
        infer_card(write_model(b"not a model at all"))


@pytest.mark.parametrize("name", ["e2e_pixels", "e2e_normalized"])
def test_outputs_that_are_the_same_for_every_picture_say_nothing_against_the_usual_box(name, shared_cases):
    card = infer_card(shared_cases / "end2end" / f"{name}.tflite").card
    assert (card.decoder.name, card.decoder.box_format, card.decoder.order) == ("end2end", None, None)
