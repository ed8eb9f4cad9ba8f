"""The four outputs of TFLite_Detection_PostProcess, in either order."""

import numpy as np
import pytest

from harness.cards import DecoderSpec, NmsSpec
from harness.detectors.base import ModelContext
from harness.detectors.registry import DECODERS, make_decoder
from harness.detectors.roles import ORDERS as USUAL
from harness.detectors.roles import order_by_names
from harness.errors import ModelError, UnknownNameError, UsageError
from harness.tflite.tensor_info import TensorInfo

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


@pytest.mark.parametrize(
    "order", ["count,scores,classes,boxes", "classes,boxes,count,scores", "-,boxes,classes,scores"]
)
def test_any_order_can_be_spelt_out(order):
    roles = {
        "boxes": BOXES,
        "classes": CLASSES,
        "scores": SCORES,
        "count": COUNT,
        "-": np.zeros((1, 7), np.float32),
    }
    tensors = [roles[role] for role in order.split(",")]
    found = make_decoder(DecoderSpec(name="ssd-postprocess", order=order), infos(tensors))(tensors)
    n = 2 if "count" in order else 3
    assert found.classes.tolist() == [0, 17, 5][:n]


@pytest.mark.parametrize("order", ["boxes,boxes,scores,count", "boxes,classes,scores,colours"])
def test_an_order_that_makes_no_sense_is_refused(order):
    with pytest.raises(UsageError, match="at most once"):
        make_decoder(DecoderSpec(name="ssd-postprocess", order=order), infos(ORDERS["tf1"]))


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["TFLite_Detection_PostProcess:2", "TFLite_Detection_PostProcess"], ["scores", "boxes"]),
        (["StatefulPartitionedCall:3", "StatefulPartitionedCall:0"], ["boxes", "count"]),
        (["detection_classes", "num_detections"], ["classes", "count"]),
        (["detection_boxes", "detection_scores"], ["boxes", "scores"]),
    ],
)
def test_names_tell_the_order(names, roles):
    all_names = {
        "TFLite": ["TFLite_Detection_PostProcess" + end for end in ("", ":1", ":2", ":3")],
        "Stateful": [f"StatefulPartitionedCall:{k}" for k in (3, 2, 1, 0)],
        "detection": ["detection_boxes", "detection_classes", "detection_scores", "num_detections"],
    }
    family = next(found for start, found in all_names.items() if names[0].startswith(start))
    order = [family.index(name) for name in [*names, *(n for n in family if n not in names)]]
    tensors = [ORDERS["tf1"][k] for k in order]
    named = [TensorInfo(family[k], ORDERS["tf1"][k].shape, "float32") for k in order]
    found, reason = order_by_names(named)
    assert [(found if "," in found else ",".join(USUAL[found])).split(",")[k] for k in (0, 1)] == roles
    assert names[0] in reason
    assert make_decoder(DecoderSpec(name="ssd-postprocess"), named)(tensors).classes.tolist() == [0, 17]


def test_names_that_contradict_the_shapes_are_not_believed():
    names = [
        "detection_scores",
        "detection_boxes",
        "num_detections",
        "detection_classes",
    ]  # of tf2 on tensors of tf1
    named = [TensorInfo(name, t.shape, "float32") for name, t in zip(names, ORDERS["tf1"], strict=True)]
    found = order_by_names(named)
    assert found is not None
    assert found[0] == "tf1"


def test_each_counted_box_has_as_many_rows_as_the_operator_gives_classes():
    boxes = np.repeat(BOXES, 2, axis=1)
    tensors = [boxes, np.repeat(CLASSES, 2, axis=1), np.repeat(SCORES, 2, axis=1), np.array([2], np.float32)]
    spec = DecoderSpec(name="ssd-postprocess", nms=NmsSpec(classes_per_detection=2))
    assert make_decoder(spec, infos(tensors))(tensors).classes.tolist() == [0, 0, 17, 17]


def test_boxes_in_pixels_become_shares():
    tensors = [BOXES * 10, CLASSES, SCORES, COUNT]
    spec = DecoderSpec(name="ssd-postprocess", box_units="pixels", box_format="xyxy")
    found = make_decoder(spec, infos(tensors), ModelContext(20, 10))(tensors)
    np.testing.assert_allclose(found.boxes[0], [0.05, 0.2, 0.15, 0.4], rtol=1e-6)
    with pytest.raises(ModelError, match="size"):
        make_decoder(spec, infos(tensors))
