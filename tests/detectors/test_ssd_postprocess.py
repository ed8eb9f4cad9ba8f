"""The four outputs of TFLite_Detection_PostProcess, in either order."""

import numpy as np
import pytest

from harness.cards import DecoderSpec
from harness.detectors.base import TensorInfo
from harness.detectors.registry import DECODERS, make_decoder
from harness.errors import ModelError, UnknownNameError

BOXES = np.array([[[0.1, 0.2, 0.3, 0.4], [0.5, 0.6, 0.7, 0.8], [0, 0, 0, 0]]], np.float32)
CLASSES = np.array([[0, 17, 5]], np.float32)
SCORES = np.array([[0.9, 0.8, 0.0]], np.float32)
COUNT = np.array([2], np.float32)
ORDERS = {"tf1": [BOXES, CLASSES, SCORES, COUNT], "tf2": [SCORES, BOXES, COUNT, CLASSES]}


def infos(tensors):
    return [TensorInfo(f"out:{k}", tensor.shape, "float32") for k, tensor in enumerate(tensors)]


@pytest.mark.parametrize("order", ORDERS)
def test_boxes_turn_from_y_x_to_x_y_and_the_count_cuts_the_rest(order):
    tensors = ORDERS[order]
    found = make_decoder(DecoderSpec(name="ssd-postprocess", order=order), infos(tensors))(tensors)
    np.testing.assert_allclose(found.boxes, [[0.2, 0.1, 0.4, 0.3], [0.6, 0.5, 0.8, 0.7]])
    assert found.classes.tolist() == [0, 17]
    np.testing.assert_allclose(found.scores, [0.9, 0.8])


@pytest.mark.parametrize("count", [-3.0, 0.0])
def test_a_count_below_one_means_no_detections(count):
    tensors = [BOXES, CLASSES, SCORES, np.array([count], np.float32)]
    found = make_decoder(DecoderSpec(name="ssd-postprocess"), infos(tensors))(tensors)
    assert found.boxes.shape == (0, 4) and found.scores.size == 0 and found.classes.size == 0


def test_a_count_beyond_the_slots_is_cut_to_them():
    tensors = [BOXES, CLASSES, SCORES, np.array([99], np.float32)]
    assert make_decoder(DecoderSpec(name="ssd-postprocess"), infos(tensors))(tensors).scores.size == 3


def test_the_wrong_order_is_refused_with_the_shapes():
    with pytest.raises(ModelError, match="try another order"):
        make_decoder(DecoderSpec(name="ssd-postprocess", order="tf1"), infos(ORDERS["tf2"]))


def test_an_unknown_order_lists_the_known_ones():
    with pytest.raises(UnknownNameError, match=r"tf1.*tf2"):
        make_decoder(DecoderSpec(name="ssd-postprocess", order="tf3x"), infos(ORDERS["tf1"]))


def test_a_model_with_other_outputs_is_refused():
    with pytest.raises(ModelError, match="found 1 outputs"):
        make_decoder(DecoderSpec(name="ssd-postprocess"), [TensorInfo("x", (1, 25200, 85), "float32")])


def test_an_unknown_decoder_lists_near_misses():
    with pytest.raises(UnknownNameError, match="ssd-postprocess"):
        make_decoder(DecoderSpec(name="ssd-post-process"), [])


@pytest.mark.parametrize("name", DECODERS)
def test_every_row_of_the_table_can_be_imported(name):
    from importlib import import_module

    module, _, factory = DECODERS[name].partition(":")
    assert callable(getattr(import_module(module), factory))
