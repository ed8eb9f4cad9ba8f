"""Outputs without the rows that cannot matter give the same detections, to the last digit."""

from dataclasses import replace

import numpy as np
import pytest

from harness.bench.engines.native_worker.cut import plan_cut
from harness.cards import DecoderSpec, InputSpec, ModelCard, NmsSpec, Source
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.errors import MeasurementError
from harness.native.protocol import Outputs
from harness.tflite.tensor_info import TensorInfo

SIDE = 64
N = SIDE * SIDE // 64 + SIDE * SIDE // 256 + SIDE * SIDE // 1024
"""Cells of the strides 8, 16 and 32."""


def card(**decoder):
    return ModelCard(
        name="m",
        source=Source(path="m.tflite"),
        input=InputSpec(width=SIDE, height=SIDE),
        decoder=DecoderSpec(**decoder),
    )


def scores(generator, shape):
    """Most near nothing, some around the threshold, few high."""
    values = generator.choice(
        [1e-5, 1e-3, 0.0009999, 0.0010001, 0.3, 0.9], shape, p=[0.6, 0.1, 0.1, 0.1, 0.06, 0.04]
    )
    return (values * generator.uniform(0.9999, 1.0001, shape)).astype(np.float32)


def table(generator, name, unit, n=N, classes=3):
    first = 5 if name == "yolov5" else 4
    values = np.zeros((1, n, first + classes), np.float32)
    values[0, :, :2] = generator.uniform(0, unit, (n, 2))
    values[0, :, 2:4] = generator.uniform(0.05, 0.5, (n, 2)) * unit
    values[0, :, 4:] = scores(generator, (n, first + classes - 4))
    return values


def cut_by_worker(cut, whole, places):
    """What the worker sends of whole outputs."""
    command = cut.command
    by_place = dict(zip(places, whole, strict=True))
    decider = by_place[command.decider]
    rows = np.moveaxis(decider, command.axis, 0).reshape(decider.shape[command.axis], -1)
    kept = np.flatnonzero((rows[:, command.first : command.last] >= command.threshold).any(axis=1))
    tensors = dict(by_place)
    for output, axis in ((command.decider, command.axis), *command.followers):
        value = by_place[output]
        tensors[output] = np.moveaxis(value, axis, 0).reshape(value.shape[axis], -1)[kept]
    return Outputs(0, 0, tensors, kept.astype(np.uint32)), len(kept)


def quantized(values, scale, zero_point):
    q = np.clip(np.rint(values / scale) + zero_point, -128, 127).astype(np.int8)
    return q, TensorInfo("t", q.shape, "int8", scale, zero_point)


def assert_same(chosen, infos, images, places):
    """Detections of all images, cut and whole; return the share of rows that was sent."""
    decoder = make_decoder(chosen.decoder, infos, ModelContext(SIDE, SIDE))
    cut = plan_cut(chosen, decoder, infos, places, images[:2])
    assert cut is not None
    sent = 0
    for whole in images:
        outputs, n_rows = cut_by_worker(cut, whole, places)
        sent += n_rows
        ours, theirs = decoder(cut.restore(outputs)), decoder(whole)
        for name in ("boxes", "scores", "classes"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
    assert len(theirs.scores)
    return sent / len(images)


@pytest.mark.parametrize("unit", [1.0, SIDE], ids=["shares", "pixels"])
@pytest.mark.parametrize("kind", ["class-aware", "fast", "none"])
@pytest.mark.parametrize("turned", [False, True], ids=["rows", "columns"])
@pytest.mark.parametrize("name", ["yolov5", "yolov8"])
def test_a_yolo_table_gives_the_same_detections_cut_as_whole(name, turned, kind, unit):
    generator = np.random.default_rng(1)
    images = [[table(generator, name, unit)] for _ in range(4)]
    if turned:
        images = [[np.ascontiguousarray(value.transpose(0, 2, 1)) for value in image] for image in images]
    infos = (TensorInfo("t", images[0][0].shape, "float32"),)
    assert assert_same(card(name=name, nms=NmsSpec(kind=kind)), infos, images, (0,)) < N


@pytest.mark.parametrize("name", ["yolov5", "yolov8"])
def test_a_table_of_integers_gives_the_same_detections_cut_as_whole(name):
    generator = np.random.default_rng(2)
    found = [quantized(table(generator, name, 1.0), 1 / 200, -100) for _ in range(4)]
    images = [[values] for values, _ in found]
    assert assert_same(card(name=name), (found[0][1],), images, (0,)) < N


def test_a_table_of_logits_gives_the_same_detections_cut_as_whole():
    generator = np.random.default_rng(3)
    images = []
    for _ in range(4):
        one = table(generator, "yolov5", 1.0)
        one[0, :, 4:] = np.log(one[0, :, 4:] / (1 - one[0, :, 4:]))
        images.append([one])
    infos = (TensorInfo("t", images[0][0].shape, "float32"),)
    assert assert_same(card(name="yolov5", activation="sigmoid"), infos, images, (0,)) < N


def test_boxes_beside_scores_are_cut_alike_whatever_order_litert_has_them_in():
    generator = np.random.default_rng(4)
    images = []
    for _ in range(4):
        low = generator.uniform(0, 0.5, (1, 40, 2))
        boxes = np.concatenate([low, low + generator.uniform(0.1, 0.5, (1, 40, 2))], axis=2).astype(
            np.float32
        )
        images.append([boxes, scores(generator, (1, 40, 7))])
    infos = (TensorInfo("b", (1, 40, 4), "float32"), TensorInfo("s", (1, 40, 7), "float32"))
    assert assert_same(card(name="boxes-scores"), infos, images, (1, 0)) < 40


def test_what_cannot_be_cut_safely_is_sent_whole():
    generator = np.random.default_rng(5)
    images = [[table(generator, "yolov5", 1.0)]]
    infos = (TensorInfo("t", images[0][0].shape, "float32"),)
    context = ModelContext(SIDE, SIDE)

    def plan(chosen, images=images, infos=infos):
        return plan_cut(chosen, make_decoder(chosen.decoder, infos, context), infos, (0,), images)

    assert plan(card(name="yolov5")) is not None
    assert plan(card(name="yolov5", activation="softmax")) is None
    assert plan(card(name="yolov5", nms=NmsSpec(score_threshold=0.0))) is None
    above = [[images[0][0] * np.float32(3)]]
    assert plan(card(name="yolov5"), above) is None, "class scores above 1: objectness bounds nothing"
    assert plan(card(name="yolov5"), infos=(replace(infos[0], dtype="float16"),)) is None


def test_a_class_score_above_1_that_comes_later_is_an_error_and_no_wrong_figure():
    generator = np.random.default_rng(6)
    images = [[table(generator, "yolov5", 1.0)]]
    infos = (TensorInfo("t", images[0][0].shape, "float32"),)
    chosen = card(name="yolov5")
    cut = plan_cut(chosen, make_decoder(chosen.decoder, infos, ModelContext(SIDE, SIDE)), infos, (0,), images)
    later = images[0][0].copy()
    later[0, 3, 4:] = 1.5
    outputs, _ = cut_by_worker(cut, [later], (0,))
    with pytest.raises(MeasurementError, match="above 1"):
        cut.restore(outputs)


def test_the_threshold_is_lowered_a_little_and_never_raised():
    generator = np.random.default_rng(7)
    images = [[table(generator, "yolov8", 1.0)]]
    infos = (TensorInfo("t", images[0][0].shape, "float32"),)
    chosen = card(name="yolov8")
    cut = plan_cut(chosen, make_decoder(chosen.decoder, infos, ModelContext(SIDE, SIDE)), infos, (0,), images)
    assert 0.00099 < cut.command.threshold < np.float32(0.001)
