"""Decoders of final tables, boxes with scores, distributions of distances and raw grids: values by their formulas."""

from itertools import pairwise

import numpy as np
import pytest

from harness.cards import AnchorSpec, DecoderSpec, Labels, NmsSpec, load_card
from harness.detectors.base import ModelContext
from harness.detectors.heads import check_names
from harness.detectors.registry import make_decoder
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo
from tests.support.paths import MODELS

CONTEXT = ModelContext(64, 32)
CELLS = 8 * 4 + 4 * 2 + 2 * 1
BOX = [0.25, 0.5, 0.5, 0.75]


def decode(spec, *tensors, context=CONTEXT, **quantization):
    infos = [TensorInfo(f"out{k}", t.shape, t.dtype.name, **quantization) for k, t in enumerate(tensors)]
    return make_decoder(spec, infos, context)(list(tensors))


def final(*rows, n=9):
    table = np.zeros((1, n, 6), np.float32)
    table[0, : len(rows)] = np.reshape(rows, (-1, 6))
    return table


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("scale", [np.ones(4), np.array([64, 32, 64, 32])])
def test_final_rows_are_box_score_class_and_rows_of_score_0_are_none(scale, turned):
    table = final([*(np.array(BOX) * scale), 0.9, 3], [*(np.array([0, 0, 0.9, 1]) * scale), 0.2, 0])
    found = decode(DecoderSpec(name="end2end"), table.transpose(0, 2, 1).copy() if turned else table)
    assert found.classes.tolist() == [3, 0]
    np.testing.assert_allclose(found.scores, [0.9, 0.2])
    np.testing.assert_allclose(found.boxes, [BOX, [0, 0, 0.9, 1]], rtol=1e-6)


def test_other_columns_are_said_by_the_order():
    table = np.array([[[0, *BOX, 5, 0.75]]], np.float32)
    found = decode(DecoderSpec(name="end2end", order="-,box,class,score"), table)
    assert (found.classes.tolist(), found.scores.tolist()) == ([5], [0.75])


def test_a_table_with_scores_and_classes_exchanged_is_no_detections():
    with pytest.raises(ModelError, match="mean something else"):
        decode(DecoderSpec(name="end2end"), final([*BOX, 7, 0.9]))


def test_a_table_squeezed_into_one_integer_scale_is_refused():
    table = np.zeros((1, 5, 6), np.int8)
    table[0, 0] = [10, 10, 60, 60, 40, 90]
    with pytest.raises(ModelError, match="quantization has destroyed"):
        decode(DecoderSpec(name="end2end"), table, scale=0.0117, zero_point=0)


def test_seven_columns_are_named_as_rotated_boxes():
    with pytest.raises(ModelError, match="rotated boxes"):
        decode(DecoderSpec(name="end2end"), np.zeros((1, 300, 7), np.float32))


def test_final_detections_are_not_suppressed_again():
    with pytest.raises(ModelError, match=r"nms\.kind can only be none"):
        decode(DecoderSpec(name="end2end", nms=NmsSpec(kind="regular")), final())


def test_queries_give_the_best_pairs_of_box_and_class_without_suppression():
    logits = np.full((1, 4, 3), -9, np.float32)
    logits[0, 1] = [0, np.log(3), -9]
    boxes = np.tile(np.array([0.5, 0.5, 0.2, 0.4], np.float32), (1, 4, 1))
    spec = DecoderSpec(
        name="boxes-scores", order="scores,boxes", box_format="xywh", activation="sigmoid",
        nms=NmsSpec(kind="none", score_threshold=0.1),
    )  # fmt: skip
    found = decode(spec, logits, boxes)
    assert found.classes.tolist() == [1, 0]
    np.testing.assert_allclose(found.scores, [0.75, 0.5], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [[0.4, 0.3, 0.6, 0.7]] * 2, rtol=1e-6)


@pytest.mark.parametrize(("background", "expected"), [("first", 1), ("last", 0), ("none", 2)])
def test_the_background_is_a_column_that_is_no_class(background, expected):
    scores = np.array([[[0.1, 0.6, 0.8], [0, 0, 0]]], np.float32)
    scores[0, 0, 0 if background == "last" else 2] = 0.9
    boxes = np.array([[BOX, BOX]], np.float32)
    spec = DecoderSpec(name="boxes-scores", background=background, nms=NmsSpec(score_threshold=0.85))
    assert decode(spec, boxes, scores).classes.tolist() == [expected]


def test_boxes_and_scores_of_four_columns_need_an_order():
    with pytest.raises(ModelError, match=r"decoder\.order"):
        decode(
            DecoderSpec(name="boxes-scores"), np.zeros((1, 9, 4), np.float32), np.zeros((1, 9, 4), np.float32)
        )


@pytest.mark.parametrize("apart", [False, True])
def test_a_distance_is_the_mean_of_its_bins_times_the_stride(apart):
    # Row 32 + 5 is stride 16, row 1, column 1: its point is (1.5, 1.5) × 16.
    row, bins = 32 + 5, 4
    scores = np.zeros((1, CELLS, 3), np.float32)
    scores[0, row, 2] = 0.8
    logits = np.full((1, CELLS, 4, bins), -30, np.float32)
    for side, (first, second) in enumerate(
        [(0, 0), (1, 1), (0, 1), (2, 3)]
    ):  # bins that share the probability
        logits[0, row, side, [first, second]] = 0
    tables = [scores, logits.reshape(1, CELLS, -1)]
    if apart:
        ends = np.cumsum([0, 32, 8, 2])
        tables = [t[:, a:b].copy() for t in tables for a, b in pairwise(ends)]
    else:
        tables = [np.concatenate(tables, axis=2)]
    found = decode(DecoderSpec(name="dfl", bins=bins, nms=NmsSpec(score_threshold=0.5)), *tables)
    left, top, right, bottom = 0, 16, 8, 40
    expected = [(24 - left) / 64, (24 - top) / 32, (24 + right) / 64, (24 + bottom) / 32]
    assert found.classes.tolist() == [2]
    np.testing.assert_allclose(found.boxes, [expected], atol=1e-5)


@pytest.mark.parametrize("layout", ["NHWC", "NHWAC", "NAHWC", "NCHW"])
@pytest.mark.parametrize("coding", ["yolov3", "yolov5"])
def test_raw_grids_are_decoded_against_the_cards_anchors(layout, coding):
    sizes = ((10.0, 14.0), (23.0, 27.0), (37.0, 58.0), (81.0, 82.0))
    grids = []
    for rows, columns in ((4, 8), (2, 4)):
        grids.append(np.full((1, rows, columns, 2, 7), -20, np.float32))
    t = np.array([0.3, -0.4, 0.2, 0.5], np.float32)
    grids[1][0, 1, 2, 1] = [*t, 2.0, -20, 1.0]
    shaped = {
        "NHWC": lambda g: g.reshape(*g.shape[:3], -1),
        "NHWAC": lambda g: g,
        "NAHWC": lambda g: g.transpose(0, 3, 1, 2, 4),
        "NCHW": lambda g: g.transpose(0, 3, 4, 1, 2).reshape(1, 14, *g.shape[1:3]),
    }[layout]
    spec = DecoderSpec(
        name="yolo-levels", box_coding=coding, activation="sigmoid", anchors=AnchorSpec(sizes=sizes),
        nms=NmsSpec(score_threshold=0.3),
    )  # fmt: skip
    found = decode(spec, *(np.ascontiguousarray(shaped(g)) for g in grids))
    s = 1 / (1 + np.exp(-t))
    if coding == "yolov3":
        center, size = (s[:2] + np.array([2, 1])) * 16, np.exp(t[2:]) * [81, 82]
    else:
        center, size = (2 * s[:2] - 0.5 + np.array([2, 1])) * 16, (2 * s[2:]) ** 2 * [81, 82]
    corners = np.concatenate([center - size / 2, center + size / 2]) / [64, 32, 64, 32]
    assert found.classes.tolist() == [1]
    np.testing.assert_allclose(found.boxes, [corners], rtol=1e-5)
    np.testing.assert_allclose(found.scores, [1 / (1 + np.exp(-2.0)) / (1 + np.exp(-1.0))], rtol=1e-5)


def test_raw_grids_without_anchors_are_refused():
    grid = np.zeros((1, 4, 8, 14), np.float32)
    with pytest.raises(ModelError, match="as many anchors"):
        decode(DecoderSpec(name="yolo-levels", box_coding="yolov3"), grid)
    with pytest.raises(ModelError, match="box_coding must be one of"):
        decode(DecoderSpec(name="yolo-levels"), grid)


def test_columns_of_masks_are_no_classes():
    table = np.zeros((1, CELLS, 4 + 2 + 32), np.float32)
    table[0, 7] = [0.5, 0.5, 0.2, 0.4, 0.1, 0.6, *([9] * 32)]
    spec = DecoderSpec(name="yolov8", extra_columns=32, nms=NmsSpec(score_threshold=0.2))
    found = decode(spec, table)
    assert (found.classes.tolist(), found.scores.tolist()) == ([1], [pytest.approx(0.6)])


def test_a_table_of_300_rows_is_no_grid():
    with pytest.raises(ModelError, match="300 rows, which is no grid of an input of 64×32"):
        decode(DecoderSpec(name="yolov8"), np.zeros((1, 300, 6), np.float32))


def test_names_that_are_not_as_many_as_the_columns_are_a_contradiction():
    card = load_card(MODELS / "shapes-float32.toml").card
    info = [TensorInfo("out", (1, CELLS, 4 + 112), "float32")]
    decoder = make_decoder(DecoderSpec(name="yolov8"), info, CONTEXT)
    with pytest.raises(
        ModelError, match=r"112 columns of class scores, but the card's labels\.names names 6"
    ):
        check_names(card, decoder, ())
    assert card.labels != Labels()


@pytest.mark.parametrize(
    ("form", "numbers"),
    [
        ("xyxy", BOX),
        ("yxyx", [0.5, 0.25, 0.75, 0.5]),
        ("xywh", [0.375, 0.625, 0.25, 0.25]),
        ("ltwh", [0.25, 0.5, 0.25, 0.25]),
    ],
)
@pytest.mark.parametrize("units", ["auto", "share", "pixels"])
def test_a_box_comes_in_every_form_and_unit(form, numbers, units):
    sides = np.array([32, 64, 32, 64] if form == "yxyx" else [64, 32, 64, 32])
    box = np.array(numbers) * (sides if units != "share" else 1)
    found = decode(DecoderSpec(name="end2end", box_format=form, box_units=units), final([*box, 0.5, 1]))
    np.testing.assert_allclose(found.boxes, [BOX], rtol=1e-6)
