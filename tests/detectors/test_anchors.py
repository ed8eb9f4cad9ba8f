"""Anchors: the generators against a published model's own constants and against hand computation."""

import numpy as np
import pytest

from harness.cards import AnchorSpec
from harness.detectors.anchors import load_anchors, side_file
from harness.detectors.base import ModelContext
from harness.errors import ModelError
from harness.tflite.anchors import find_anchors


def test_the_ssd_generator_gives_the_constants_of_a_published_model(shared_data):
    path = shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite"
    constants = find_anchors(path)
    context = ModelContext(300, 300, path)
    assert constants.shape == (1917, 4)
    generated = load_anchors(AnchorSpec(source="ssd"), context, 1917)
    np.testing.assert_allclose(generated, constants, atol=0.006)  # the constants are quantized to 8 bits
    np.testing.assert_array_equal(load_anchors(AnchorSpec(source="model"), context, 1917), constants)


@pytest.mark.parametrize(
    ("spec", "size", "n"),
    [
        (AnchorSpec(source="ssd"), 300, 1917),
        (AnchorSpec(source="ssd"), 320, 2034),
        (AnchorSpec(source="multiscale"), 320, 12804),
        (AnchorSpec(source="multiscale"), 640, 51150),
        (AnchorSpec(source="efficientdet", scales_per_octave=3), 320, 19206),
    ],
)
def test_the_usual_parameters_give_the_usual_numbers(spec, size, n):
    assert load_anchors(spec, ModelContext(size, size), n).shape == (n, 4)


def test_one_cell_of_each_generator_is_that_computed_by_hand():
    one = ModelContext(128, 128)
    ssd = load_anchors(AnchorSpec(source="ssd", feature_maps=(1,), reduce_lowest=False), one, 6)
    np.testing.assert_allclose(ssd[:, :2], 0.5)
    np.testing.assert_allclose(
        ssd[:3, 2:], [[0.2, 0.2], [0.2 / 2**0.5, 0.2 * 2**0.5], [0.2 * 2**0.5, 0.2 / 2**0.5]]
    )
    np.testing.assert_allclose(ssd[5, 2:], (0.2 * 1.0) ** 0.5, rtol=1e-6)
    level = {"min_level": 7, "max_level": 7, "anchor_scale": 1.0}
    retina = load_anchors(AnchorSpec(source="multiscale", scales_per_octave=2, **level), one, 6)
    np.testing.assert_allclose(retina[0], [0.5, 0.5, 1, 1])
    np.testing.assert_allclose(retina[1], [0.5, 0.5, 2**0.5, 2**0.5], rtol=1e-6)  # scales vary before ratios
    efficient = load_anchors(AnchorSpec(source="efficientdet", scales_per_octave=2, **level), one, 6)
    np.testing.assert_allclose(
        efficient[1], [0.5, 0.5, 1 / 2**0.5, 2**0.5], rtol=1e-6
    )  # ratios before scales


def test_a_stride_that_does_not_divide_the_input_has_its_first_centre_at_the_edge():
    level = {"min_level": 7, "max_level": 7}
    anchors = load_anchors(AnchorSpec(source="multiscale", **level), ModelContext(320, 320), 54)
    np.testing.assert_allclose(anchors[0, :2], 0)
    np.testing.assert_allclose(anchors[6, :2], [0, 128 / 320])


def test_a_side_file_is_read(tmp_path):
    model = tmp_path / "cut.tflite"
    np.save(side_file(model), np.ones((20, 4), np.float32))
    spec = AnchorSpec(source="file", file=side_file(model).name)
    assert load_anchors(spec, ModelContext(file=model), 20).shape == (20, 4)
    with pytest.raises(ModelError, match=r"gives \[20, 4\]"):
        load_anchors(spec, ModelContext(file=model), 21)


@pytest.mark.parametrize(
    "spec",
    [
        AnchorSpec(source="model"),
        AnchorSpec(source="file"),
        AnchorSpec(source="file", file="no.npy"),
        AnchorSpec(source="multiscale"),
        AnchorSpec(source="efficientdet"),
    ],
)
def test_anchors_that_are_not_there_are_said_to_be_missing(spec, tmp_path):
    context = ModelContext(file=tmp_path / "m.tflite" if spec.file else None)
    with pytest.raises(ModelError, match=r"anchors"):
        load_anchors(spec, context, 20)
