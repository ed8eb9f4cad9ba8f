"""YOLO tables of boxes: each family's numbers, computed by hand."""

import numpy as np
import pytest

from harness.cards import DecoderSpec, NmsSpec
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.detectors.yolo import columns_first, grid, grid_sizes
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

CONTEXT = ModelContext(64, 32)
CELLS = (8 * 4) + (4 * 2) + (2 * 1)
NMS = NmsSpec(score_threshold=0.2)


def table(n, columns, rows):
    """Return a table [n, columns] of zeros, but for the rows given; centres cover the image as in real ones."""
    values = np.zeros((n, columns), np.float32)
    for row, numbers in rows.items():
        values[row] = numbers
    return values


def decode(name, tensor, context=CONTEXT, infos=None, **settings):
    spec = DecoderSpec(name=name, nms=NMS, **settings)
    return make_decoder(spec, infos or [TensorInfo("out", tensor.shape, "float32")], context)([tensor])


def test_yolov5_multiplies_objectness_and_class_and_keeps_the_best_of_overlapping_boxes():
    rows = {
        3: [0.5, 0.5, 0.2, 0.4, 0.8, 0.5, 0.9],
        4: [0.5, 0.5, 0.2, 0.4, 0.8, 0.1, 0.7],
        9: [0.2, 0.2, 0.2, 0.2, 0.3, 0, 0.9],
    }
    found = decode("yolov5", table(3 * CELLS, 7, rows)[None])
    assert found.classes.tolist() == [1, 0, 1]
    np.testing.assert_allclose(found.scores, [0.72, 0.4, 0.27], rtol=1e-6)
    np.testing.assert_allclose(found.boxes[0], [0.4, 0.3, 0.6, 0.7], rtol=1e-6)


@pytest.mark.parametrize("name", ["yolov8", "yolo11"])
@pytest.mark.parametrize("turned", [False, True])
def test_yolov8_comes_either_way_round(name, turned):
    tensor = table(CELLS, 6, {7: [0.5, 0.5, 0.2, 0.4, 0.1, 0.6]})[None]
    found = decode(name, tensor.transpose(0, 2, 1).copy() if turned else tensor)
    assert (found.classes.tolist(), found.scores.tolist()) == ([1], [pytest.approx(0.6)])
    np.testing.assert_allclose(found.boxes, [[0.4, 0.3, 0.6, 0.7]], rtol=1e-6)


def test_pixels_are_seen_from_the_values_or_told_by_the_card():
    shares = table(CELLS, 6, {7: [0.5, 0.5, 0.25, 0.5, 0.1, 0.6], 8: [0.99, 0.5, 0.01, 0.01, 0, 0]})[None]
    pixels = shares * np.array([64, 32, 64, 32, 1, 1], np.float32)
    for tensor, settings in ((shares, {}), (pixels, {}), (pixels, {"box_units": "pixels"})):
        np.testing.assert_allclose(decode("yolov8", tensor, **settings).boxes, [[0.375, 0.25, 0.625, 0.75]])
    with pytest.raises(ModelError, match="size of the model's input"):
        decode("yolov8", pixels, ModelContext())


@pytest.mark.parametrize(
    ("box_format", "numbers"), [("xyxy", [0.1, 0.2, 0.3, 0.4]), ("yxyx", [0.2, 0.1, 0.4, 0.3])]
)
def test_corners_are_taken_as_they_are(box_format, numbers):
    found = decode("yolov8", table(CELLS, 6, {0: [*numbers, 0.9, 0]})[None], box_format=box_format)
    np.testing.assert_allclose(found.boxes, [[0.1, 0.2, 0.3, 0.4]], rtol=1e-6)


def test_yolox_boxes_are_relative_to_their_cells():
    # Row 32 + 5 is stride 16, row 1, column 1 of a grid of 4 × 2.
    numbers = [0.5, 0.25, np.log(2.0), 0.0, 0.9, 0.0, 0.8]
    found = decode("yolox", table(CELLS, 7, {32 + 5: numbers})[None])
    x, y, width, height = 1.5 * 16, 1.25 * 16, 2 * 16, 16
    expected = [(x - width / 2) / 64, (y - height / 2) / 32, (x + width / 2) / 64, (y + height / 2) / 32]
    np.testing.assert_allclose(found.boxes, [expected], rtol=1e-6)
    np.testing.assert_allclose(found.scores, [0.72], rtol=1e-6)


def test_the_grid_goes_row_by_row_and_stride_by_stride():
    cells, steps = grid((8, 32), 64, 32)
    assert cells[:9].tolist() == [*([x, 0] for x in range(8)), [0, 1]]
    assert steps[:, 0].tolist() == [8] * 32 + [32] * 2


def test_yolox_with_other_strides_than_the_models_is_refused():
    with pytest.raises(ModelError, match=r"decoder\.strides"):
        decode("yolox", np.zeros((1, CELLS + 1, 7), np.float32))


def test_a_quantized_table_is_dequantized_with_its_scale():
    real = table(CELLS, 6, {7: [0.5, 0.5, 0.2, 0.4, 0.1, 0.6]})
    raw = (np.rint(real / 0.005) - 100).astype(np.int8)
    info = TensorInfo("out", (1, CELLS, 6), "int8", 0.005, -100)
    found = decode("yolov8", raw[None], infos=[info])
    np.testing.assert_allclose(found.boxes, [[0.4, 0.3, 0.6, 0.7]], atol=1e-6)


def test_raw_scores_get_their_sigmoid():
    tensor = table(CELLS, 6, {7: [0.5, 0.5, 0.2, 0.4, 0.0, np.log(3.0)]})[None]
    tensor[0, :7, 4:] = tensor[0, 8:, 4:][:7] = -20
    tensor[0, 8:, 4:] = -20
    found = decode("yolov8", tensor, activation="sigmoid")
    np.testing.assert_allclose(found.scores, [0.75, 0.5], rtol=1e-6)


@pytest.mark.parametrize(
    ("shape", "context", "expected"),
    [
        ((1, 84, 8400), ModelContext(640, 640), True),
        ((1, 8400, 84), ModelContext(640, 640), False),
        ((1, 84, 21), ModelContext(32, 32), True),
        ((1, 21, 84), ModelContext(32, 32), False),
        ((1, 84, 100), ModelContext(), True),
    ],
)
def test_the_side_of_the_boxes_is_the_one_that_the_grid_has(shape, context, expected):
    assert columns_first(shape, context) is expected


def test_the_usual_numbers_of_cells_are_known():
    assert grid_sizes(640, 640)[8400] == (8, 16, 32)
    assert grid_sizes(416, 416)[3549] == (8, 16, 32)
    assert grid_sizes(0, 0) == {}


@pytest.mark.parametrize("shape", [(1, 3, 4), (1, 80, 80, 255), (7,)])
def test_outputs_without_a_table_are_refused(shape):
    with pytest.raises(ModelError, match="no table"):
        decode("yolov5", np.zeros(shape, np.float32))
