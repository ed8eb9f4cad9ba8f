"""`quantized_input_stats`: expected values are those that TensorFlow's documentation and published models state."""

import pytest

from harness.cards import InputSpec
from harness.errors import ModelError
from harness.quantization import stats
from harness.quantization.stats import InputStats
from harness.tflite.tensor_info import TensorInfo
from harness.tflite.values import input_stats


def spec(mean, std):
    return InputSpec(width=300, height=300, mean=mean, std=std)


def uint8(scale, zero_point, dtype="uint8"):
    return TensorInfo("image", (1, 300, 300, 3), dtype, scale, zero_point)


def test_128_128_is_scale_one_hundred_and_twenty_eighth_and_zero_point_128():
    wanted = InputStats(128.0, 128.0)
    assert (wanted.scale, wanted.zero_point(), wanted.zero_point("int8")) == (0.0078125, 128, 0)


def test_the_published_ssd_mobilenet_v1_has_the_stats_128_128(shared_data):
    from harness.tflite.model import describe

    info = describe(shared_data / "models" / "ssd_mobilenet_v1_coco_quant.tflite").inputs[0]
    assert input_stats(info.dtype, info.scale, info.zero_point) == (128.0, 128.0)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (spec((127.5,) * 3, (127.5,) * 3), InputStats(127.5, 127.5)),
        (spec((0.0,) * 3, (255.0,) * 3), InputStats(0.0, 255.0)),
        (InputSpec(width=1, height=1), InputStats(0.0, 1.0)),
        (spec((123.7, 116.8, 103.9), (1.0,) * 3), None),
    ],
)
def test_a_cards_preparation_gives_the_stats(given, wanted):
    assert stats.from_spec(given) == wanted


@pytest.mark.parametrize("info", [uint8(1 / 127.5, 127), uint8(1 / 127.5, 128), uint8(1 / 127.5, -1, "int8")])
def test_a_scale_that_fits_the_preparation_passes(info):
    assert stats.compare(InputStats(127.5, 127.5), info) is None


@pytest.mark.parametrize("info", [uint8(1 / 255, 0), uint8(1.0, 0), uint8(1 / 127.5, 0)])
def test_a_scale_of_other_stats_is_refused_with_both_pairs(info):
    with pytest.raises(ModelError, match=r"scale .* zero point .* need scale 0.00784314 and zero point 128"):
        stats.check(InputStats(127.5, 127.5), info)


def test_a_float_input_has_no_stats():
    info = TensorInfo("image", (1, 2, 2, 3), "float32")
    assert input_stats(info.dtype, info.scale, info.zero_point) is None
    assert stats.compare(InputStats(0, 1), info) is None
