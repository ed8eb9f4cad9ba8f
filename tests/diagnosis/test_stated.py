"""What two files and two cards state otherwise, without running them."""

import numpy as np
import pytest

from harness.cards import load_card
from harness.diagnosis.causes.wrong_pair import is_other_network
from harness.diagnosis.layers.stored_scales import wrong_scales
from harness.diagnosis.stated import rows
from harness.tflite.model import load
from tests.support.faults.graph import edited


@pytest.fixture
def models(repository):
    return repository / "models"


@pytest.fixture
def changed(models, tmp_path):
    """Return the int8 file after a change."""

    def make(change):
        path = tmp_path / "changed.tflite"
        path.write_bytes(edited((models / "shapes" / "shapes_full_integer.tflite").read_bytes(), change))
        return path

    return make


def _keys(models, file):
    reference = models / "shapes" / "shapes_float32.tflite"
    return {row["key"]: (row["first"], row["second"]) for row in rows(None, None, (reference, file))}


@pytest.mark.parametrize("name", ["full_integer", "float16", "dynamic_range"])
def test_of_healthy_files_nothing_is_told(models, name):
    assert not _keys(models, models / "shapes" / f"shapes_{name}.tflite")


def test_anchors_that_differ_are_told(models, changed):
    def change(net):
        index = net.first("TFLite_Detection_PostProcess").inputs[2]
        net.set_values(index, net.values(index) * np.float32(0.5))

    assert "constants.anchors.anchors" in _keys(models, changed(change))


def test_a_stride_of_another_file_is_told_with_both_values(models, changed):
    def change(net):
        net.all("CONV_2D")[2].builtinOptions.dilationWFactor = 2

    (found,) = _keys(models, changed(change)).values()
    assert found == ("1", "2")


def test_a_scale_that_its_operator_cannot_have_is_told(models, changed):
    def change(net):
        net.quantized(net.first("LOGISTIC").outputs[0], 1 / 512, -128)

    path = changed(change)
    assert _keys(models, path)["scale.Sigmoid.LOGISTIC"][0] == "should be 0.003906, -128"
    (wrong,) = wrong_scales(load(path)[1])
    assert (wrong.kind, wrong.right.scale) == ("fixed", 1 / 256)


def test_entries_of_cards_that_say_how_images_are_fed_are_told(models):
    cards = [load_card(models / f"shapes-{name}.toml") for name in ("float32", "full-integer")]
    keys = {row["key"] for row in rows(*cards, (cards[0].file, cards[1].file))}
    assert keys == {"card.input.mean", "card.input.std"}


@pytest.mark.parametrize(
    ("before", "after", "matched", "other"),
    [(60, 60, 60, False), (60, 60, 31, False), (39, 20, 20, True), (39, 38, 36, False), (60, 60, 20, True)],
)
def test_two_networks_are_told_from_one_that_was_converted(before, after, matched, other):
    assert is_other_network(before, after, matched) == other
