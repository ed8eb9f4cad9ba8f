"""Parts of a loss on pairs of which is known what differs."""

from dataclasses import replace as new

import numpy as np
import pytest
from msgspec.structs import replace

from harness.accuracy.annotations import read_annotations
from harness.accuracy.dataset import find_dataset
from harness.diagnosis.loss import attribution, loss
from harness.diagnosis.loss.candidates import open_heads
from harness.diagnosis.runs.model_pair import ModelPair, load_model
from harness.diagnosis.runs.runs import Runs
from harness.edit.cut import cut
from harness.recognize.find import find_model
from harness.workspace import find_workspace

N = 16


@pytest.fixture(scope="module")
def runs(repository):
    dataset = find_dataset(repository / "models/shapes/dataset").limited(N)
    return Runs(dataset, read_annotations(dataset.annotations))


@pytest.fixture(scope="module")
def heads(repository, tmp_path_factory):
    """The bundled float model without its suppression, and a card for it."""
    model = find_model("shapes-float32", find_workspace(str(repository)))
    made = cut(model.file.read_bytes(), model.file)
    folder = tmp_path_factory.mktemp("heads")
    (folder / "heads.tflite").write_bytes(made.data)
    np.save(folder / "anchors.npy", made.anchors)
    source = replace(model.card.source, sha256=None, path="heads.tflite")
    card = replace(model.card, source=source, decoder=made.decoder(str(folder / "anchors.npy")))
    return new(model, card=card, file=folder / "heads.tflite")


def measured(first, second, runs):
    pair = ModelPair(load_model("float", first), load_model("quantized", second))
    bad = loss.measure_loss(pair, runs)
    with open_heads(pair, runs) as opened:
        return attribution.attribute_loss(pair, runs, bad, opened), bad


def with_decoder(model, **changes):
    return new(model, card=replace(model.card, decoder=replace(model.card.decoder, **changes)))


def shares(found):
    return {part.name: part.loss for part in found.parts}


@pytest.mark.parametrize("name", ["shapes-full-integer", "shapes-dynamic-range"])
def test_the_parts_of_real_pairs_add_up_to_the_loss(repository, runs, name):
    workspace = find_workspace(str(repository))
    found, bad = measured(find_model("shapes-float32", workspace), find_model(name, workspace), runs)
    assert found.method == "raw heads"
    assert sum(shares(found).values()) == pytest.approx(-bad.difference.difference, abs=1e-12)
    assert found.total == -bad.difference.difference
    unexplained = found.part("unexplained")
    assert unexplained.low <= unexplained.loss <= unexplained.high and abs(unexplained.loss) < 0.01


def test_boxes_that_are_decoded_too_large_are_a_loss_of_boxes_alone(heads, runs):
    found, _ = measured(heads, with_decoder(heads, scales=(10.0, 10.0, 2.5, 2.5)), runs)
    expected = {"scores": 0, "labels": 0, "missed": 0, "unexplained": 0, "boxes": found.total}
    assert shares(found) == pytest.approx(expected, abs=1e-12) and found.total > 0.2
    boxes = found.part("boxes")
    assert boxes.alone == pytest.approx(found.total) and boxes.low > 0


def test_another_number_for_each_class_is_a_matter_of_settings(heads, runs):
    other = new(heads, card=replace(heads.card, labels=replace(heads.card.labels, offset=2)))
    found, _ = measured(heads, other, runs)
    expected = {"scores": 0, "labels": 0, "missed": 0, "unexplained": 0, "boxes": 0, "settings": found.total}
    assert shares(found) == pytest.approx(expected, abs=1e-12) and found.total > 0.4


def test_other_nms_settings_are_a_matter_of_settings(heads, runs):
    nms = replace(heads.card.decoder.nms, score_threshold=0.9)
    found, _ = measured(heads, with_decoder(heads, nms=nms), runs)
    assert found.part("settings").loss == pytest.approx(found.total) and found.total > 0.05


def test_scores_without_their_sigmoid_are_a_loss_of_scores_and_labels_not_of_boxes(heads, runs):
    """A second sigmoid lifts every class to 0.5 or more: boxes stay, what is said of them does not."""
    found, _ = measured(heads, with_decoder(heads, activation="sigmoid"), runs)
    parts = shares(found)
    assert abs(parts["boxes"]) < 1e-12 and abs(parts["unexplained"]) < 1e-12


def test_where_the_image_is_placed_differently_detections_are_swapped_and_parts_add_up(heads, runs):
    prepared = replace(heads.card.input, resize="letterbox")
    found, bad = measured(heads, new(heads, card=replace(heads.card, input=prepared)), runs)
    assert found.method == "matched detections" and "place the image differently" in found.reason
    assert sum(shares(found).values()) == pytest.approx(-bad.difference.difference, abs=1e-12)
    assert found.part("unexplained").loss == pytest.approx(0, abs=1e-12)


def test_a_pair_of_one_and_the_same_has_nothing_to_share(heads, runs):
    found, _ = measured(heads, heads, runs)
    assert set(shares(found).values()) == {0.0} and (found.lost, found.gained) == (0, 0)


def test_without_a_float_side_there_is_nothing_to_share(heads, runs):
    pair = ModelPair(None, load_model("quantized", heads))
    bad = loss.measure_loss(pair, runs)
    with open_heads(pair, runs) as opened:
        assert attribution.attribute_loss(pair, runs, bad, opened) is None and bad.difference is None


def test_objects_lost_are_those_that_only_the_float_side_finds(heads, runs):
    """A model that detects nothing above 0.9 finds fewer; nothing it finds is new."""
    nms = replace(heads.card.decoder.nms, score_threshold=0.9)
    found, _ = measured(heads, with_decoder(heads, nms=nms), runs)
    assert found.lost > 0 and found.gained == 0
    counted = sum(
        1 for one, crowd in zip(runs.truth.image_ids, runs.truth.crowd, strict=True)
        if one in runs.dataset.image_ids and not crowd
    )  # fmt: skip
    assert found.n_objects == counted
