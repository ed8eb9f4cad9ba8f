"""Raw SSD heads: decoding against the operator, hand computation, and what does not fit."""

import numpy as np
import pytest

from harness.cards import AnchorSpec, DecoderSpec, NmsSpec
from harness.detectors.base import ModelContext
from harness.detectors.nms import NmsSettings
from harness.detectors.registry import make_decoder
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

N = 24


def info(name, shape, dtype="float32", scale=None, zero_point=None):
    return TensorInfo(name, shape, dtype, scale, zero_point)


@pytest.fixture
def heads():
    random = np.random.default_rng(3)
    anchors = np.concatenate([random.uniform(0, 1, (N, 2)), random.uniform(0.1, 0.4, (N, 2))], axis=1)
    encodings, logits = random.normal(0, 2, (1, N, 4)), random.normal(-1, 2, (1, N, 4))
    return [array.astype(np.float32) for array in (encodings, logits, anchors)]


def decoder(tmp_path, anchors, outputs, **settings):
    np.save(tmp_path / "a.npy", anchors)
    spec = DecoderSpec(name="ssd-raw", anchors=AnchorSpec(source="file", file="a.npy"), **settings)
    return make_decoder(spec, outputs, ModelContext(300, 300, tmp_path / "m.tflite"))


@pytest.mark.parametrize("kind", ["regular", "fast"])
@pytest.mark.parametrize("order", ["boxes,scores", "scores,boxes", "-,boxes,scores"])
def test_heads_decode_to_what_the_operator_gives(heads, tmp_path, run_operator, kind, order):
    encodings, logits, anchors = heads
    tensors = {"boxes": encodings, "scores": logits, "-": np.zeros((1, 2), np.float32)}
    given = [tensors[role] for role in order.split(",")]
    decode = decoder(
        tmp_path,
        anchors,
        [info(str(k), tensor.shape) for k, tensor in enumerate(given)],
        order=order,
        activation="sigmoid",
        background=True,
        nms=NmsSpec(kind=kind, score_threshold=0.3),
    )
    found = decode(given)
    scores = 1 / (1 + np.exp(-logits[0]))
    boxes, classes, values = run_operator(
        encodings[0], scores, 3, anchors, NmsSettings(kind, 0.3, 0.6, 100, 100)
    )
    np.testing.assert_allclose(found.boxes, boxes[:, [1, 0, 3, 2]], atol=1e-5)
    np.testing.assert_allclose(found.scores, values, atol=1e-5)
    assert found.classes.tolist() == classes.tolist()


def test_quantized_heads_are_dequantized_with_their_own_scales(heads, tmp_path):
    encodings, logits, anchors = heads
    quantized = np.clip(np.rint(encodings / 0.05) + 3, -128, 127).astype(np.int8)
    scores = np.clip(np.rint(logits / 0.1) + 120, 0, 255).astype(np.uint8)
    real = [
        np.float32(0.05) * (quantized.astype(np.float32) - 3),
        np.float32(0.1) * (scores.astype(np.float32) - 120),
    ]
    settings = {"order": "boxes,scores", "activation": "sigmoid", "background": True}
    outputs = [info("b", (1, N, 4), "int8", 0.05, 3), info("s", (1, N, 4), "uint8", 0.1, 120)]
    found = decoder(tmp_path, anchors, outputs, **settings)([quantized, scores])
    floats = [info("b", (1, N, 4)), info("s", (1, N, 4))]
    expected = decoder(tmp_path, anchors, floats, **settings)(real)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-6)
    np.testing.assert_array_equal(found.classes, expected.classes)


@pytest.mark.parametrize(
    ("box_format", "expected"), [("xyxy", [0.25, 0.5, 0.85, 1.25]), ("yxyx", [0.5, 0.25, 1.25, 0.85])]
)
def test_corner_offsets_are_shares_of_the_anchors_sides(box_format, expected):
    anchors = np.array([[[0.2, 0.4, 0.7, 1.4]] * N], np.float32)
    offsets = np.array([[[0.1, 0.1, 0.3, -0.15]] * N], np.float32)
    scores = np.zeros((1, N, 2), np.float32)
    scores[0, 5, 1] = 0.9
    spec = DecoderSpec(
        name="ssd-raw",
        order="scores,boxes,anchors",
        box_format=box_format,
        box_coding="corner-offsets",
        anchors=AnchorSpec(source="output", format="corners"),
        nms=NmsSpec(score_threshold=0.5),
    )
    given = [scores, offsets, anchors]
    found = make_decoder(spec, [info("", tensor.shape) for tensor in given])(given)
    np.testing.assert_allclose(found.boxes, [expected], rtol=1e-6)
    assert found.classes.tolist() == [1]


def test_softmax_and_the_background_column(tmp_path):
    anchors = np.tile(np.array([[0.5, 0.5, 0.2, 0.2]], np.float32), (N, 1))
    logits = np.tile(np.array([[5.0, 0.0, 0.0]], np.float32), (N, 1))
    logits[2] = [0.0, np.log(2.0), 0.0]
    outputs = [info("b", (1, N, 4)), info("s", (1, N, 3))]
    settings = {"activation": "softmax", "background": True, "nms": NmsSpec(score_threshold=0.3)}
    found = decoder(tmp_path, anchors, outputs, **settings)([np.zeros((1, N, 4), np.float32), logits[None]])
    assert found.classes.tolist() == [0]
    np.testing.assert_allclose(found.scores, [0.5], rtol=1e-6)
    np.testing.assert_allclose(found.boxes, [[0.4, 0.4, 0.6, 0.6]], rtol=1e-6)


@pytest.mark.parametrize("shapes", [[(1, N, 4)], [(1, N, 4), (1, N + 1, 5)], [(1, N, 5), (1, N, 6)]])
def test_outputs_that_are_no_heads_are_refused(shapes):
    with pytest.raises(ModelError, match="ssd-raw"):
        make_decoder(DecoderSpec(name="ssd-raw"), [info("", shape) for shape in shapes])
