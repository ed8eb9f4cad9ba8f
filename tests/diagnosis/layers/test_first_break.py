"""Where the error breaks out, and what single layers cost, on models whose fault is known."""

import numpy as np
import pytest

from harness.accuracy.annotations import read_annotations
from harness.accuracy.dataset import find_dataset
from harness.detectors.heads import Candidates
from harness.diagnosis.layers import first_break
from harness.diagnosis.layers.layers import Layer, TensorPair
from harness.diagnosis.layers.sensitivity import disturbance
from harness.diagnosis.runs.model_pair import ModelPair, load_model
from harness.diagnosis.runs.runs import Runs
from harness.recognize.find import find_model
from harness.workspace import find_workspace


def layer(name, snr_db, drop_db, operator="CONV_2D", place=0, not_finite=0.0):
    pair = TensorPair(place, place, name, name, operator, place, "name")
    return Layer(
        pair, (1, 4), "int8", 0.1, 0, snr_db, 0.9, 0.0, -12.8, 12.7, -1.0, 1.0, -1.0, 1.0, 0.1, 0.0, drop_db, not_finite
    )  # fmt: skip


def test_the_first_break_is_the_first_tensor_that_is_broken_by_its_own_layer():
    layers = [
        layer("a", 40, None),
        layer("b", 25, 15),
        layer("c", 9, 4),
        layer("d", -4, 13),
        layer("e", 1, 1),
    ]
    found, rule = first_break.first_break(layers)
    assert found.name == "d" and "10 dB" in rule and "13 dB of it by itself" in rule


def test_an_error_that_grows_slowly_breaks_nowhere():
    found, rule = first_break.first_break([layer("a", 14, 4), layer("b", 9.9, 11), layer("c", 7, 2.9)])
    assert found is None and "grows layer by layer" in rule


def test_a_part_of_a_better_tensor_is_no_break_and_does_not_hide_one():
    part = layer("b", 5, 25, operator="STRIDED_SLICE")
    found, rule = first_break.first_break([layer("a", 30, None), part])
    assert found is None and "parts of tensors" in rule
    assert first_break.first_break([layer("a", 30, None), part, layer("c", 2, 28)])[0].name == "c"


def test_numbers_that_are_no_numbers_are_a_break():
    found, _ = first_break.first_break([layer("a", 30, None), layer("b", 30, None, not_finite=0.1)])
    assert found.name == "b"


def test_healthy_tensors_do_not_break():
    assert first_break.first_break([layer("a", None, None), layer("b", 10, 20)])[0] is None


def candidates(boxes, scores):
    return Candidates(np.array(boxes, np.float32), np.array(scores, np.float32))


def test_disturbance_is_what_boxes_and_scores_move():
    first = candidates([[0, 0, 1, 1], [0, 0, 0.5, 0.5]], [[0.8], [0.4]])
    second = candidates([[0, 0, 1, 1], [0, 0, 0.5, 0.25]], [[0.6], [0.4]])
    # IoU 1 and 0.5: mean of 1 - IoU 0.25; scores move by 0.2 / 0.8 and 0: mean 0.125
    assert disturbance(first, second) == pytest.approx(0.375)
    assert disturbance(first, first) == 0 and disturbance(candidates([[0, 0, 1, 1]], [[0.0]]), first) == 0


BROKEN = "block6_pointwise"


@pytest.fixture(scope="module")
def pair(repository, tmp_path_factory):
    """The bundled float model, and a copy of it in which one layer is stored far too coarsely."""
    from dataclasses import replace as new

    from msgspec.structs import replace

    from harness.diagnosis.layers.matching import activations

    pytest.importorskip("ai_edge_litert.schema_py_generated")
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    source = find_model("shapes-float32", find_workspace(str(repository)))
    model = load_model("float", source)
    place = next(m.place for m in activations(model.graph.primary) if BROKEN in m.name)
    weights = model.graph.primary.operators[place].inputs[1]
    raw = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(model.file.read_bytes()), 0))
    buffer = raw.buffers[raw.subgraphs[0].tensors[weights].buffer]
    values = np.frombuffer(bytes(buffer.data), "<f4")
    step = np.abs(values).max() / 1.2  # three values remain: two bits
    buffer.data = np.frombuffer((np.rint(values / step) * step).astype("<f4").tobytes(), np.uint8)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(raw.Pack(builder), b"TFL3")
    file = tmp_path_factory.mktemp("coarse") / "coarse.tflite"
    file.write_bytes(bytes(builder.Output()))
    card = replace(model.card, name="coarse", source=replace(model.card.source, sha256=None))
    return ModelPair(model, load_model("quantized", new(source, card=card, file=file)))


@pytest.fixture(scope="module")
def runs(repository):
    dataset = find_dataset(repository / "models/shapes/dataset").limited(20)
    return Runs(dataset, read_annotations(dataset.annotations))


def test_the_one_layer_that_was_spoiled_is_where_it_breaks(pair, runs):
    found = first_break.compare_layers(pair, runs, 4)
    broken = next(one for one in found.layers if BROKEN in one.name)
    first = next(one for one in found.layers if one.snr_db is not None)
    assert first.name == broken.name  # everything before it is the same to the last bit
    assert found.first_break is not None and found.first_break.name == broken.name
    assert broken.drop_db is None and found.n_images == 4 and found.unmatched == 0


def test_the_one_layer_that_was_spoiled_costs_what_the_whole_lost(pair, runs):
    from harness.diagnosis.layers import sensitivity
    from harness.diagnosis.loss import loss
    from harness.diagnosis.loss.candidates import open_heads

    with open_heads(pair, runs) as heads:
        found = sensitivity.measure_layer_costs(pair, runs, first_break.compare_layers(pair, runs, 2), heads)
    worst = found.ranked()[0]
    lost = -loss.measure_loss(pair, runs).difference.difference
    assert BROKEN in worst.name and lost > 0.05
    assert worst.loss == pytest.approx(lost, abs=0.01) and worst.loss_low > 0
    assert "quantize-one" in found.method


def test_one_file_under_two_cards_is_compared_from_its_input_on(repository, runs):
    from dataclasses import replace as new

    from msgspec.structs import replace

    model = find_model("shapes-float32", find_workspace(str(repository)))
    wrong = replace(model.card, input=replace(model.card.input, mean=(0.0,) * 3, std=(255.0,) * 3))
    pair = ModelPair(load_model("float", model), load_model("quantized", new(model, card=wrong)))
    found = first_break.compare_layers(pair, runs, 2)
    assert found.first_break is not None and found.first_break.pair.operator == "INPUT"
    assert "not fed the same" in found.rule


def test_what_cannot_differ_is_not_compared(repository, runs):
    model = load_model("float", find_model("shapes-float32", find_workspace(str(repository))))
    assert first_break.compare_layers(ModelPair(model, model), runs, 4) is None
    assert first_break.compare_layers(ModelPair(None, model), runs, 4) is None
