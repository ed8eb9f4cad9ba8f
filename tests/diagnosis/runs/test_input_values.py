"""What a network gets for a pixel; figures by the formulas of the card and of affine quantization."""

import pytest

from harness.cards import InputSpec
from harness.diagnosis.runs.input_values import can_store, card_values, prepared_values, storable_range
from harness.tflite.tensor_info import TensorInfo

FLOAT = TensorInfo("image", (1, 8, 8, 3), "float32")
INT8 = TensorInfo("image", (1, 8, 8, 3), "int8", 2 / 255, -1)
UINT8 = TensorInfo("image", (1, 8, 8, 3), "uint8", 1 / 128, 128)
WIDE = TensorInfo("image", (1, 8, 8, 3), "int8", 1.0, -128)
HALF = {"mean": (127.5,) * 3, "std": (127.5,) * 3}


def spec(**more):
    return InputSpec(width=8, height=8, **more)


@pytest.mark.parametrize(
    ("card", "info", "low", "high"),
    [
        (spec(**HALF), FLOAT, -1.0, 1.0),
        (spec(), FLOAT, 0.0, 255.0),
        (spec(), UINT8, -1.0, 127 / 128),  # (0 - 128) / 128 and (255 - 128) / 128
        (spec(**HALF), INT8, -127 * 2 / 255, 128 * 2 / 255),
        (spec(), WIDE, 0.0, 255.0),
        (spec(**HALF), WIDE, 0.0, 1.0),  # -1 is below what it stores, 1 is one step
    ],
)
def test_what_the_network_gets(card, info, low, high):
    found = prepared_values(card, info)
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_red_stands_first_whatever_the_order_of_the_channels():
    """Red gets the mean that stands third in a card of BGR."""
    card = spec(channels="bgr", mean=(100.0, 110.0, 120.0), std=(1.0, 1.0, 1.0))
    assert prepared_values(card, FLOAT).values[0].tolist() == [-120.0, -110.0, -100.0]
    assert card_values(card, FLOAT).values[0].tolist() == [-120.0, -110.0, -100.0]


def test_a_card_without_normalization_asks_a_float_input_for_pixels_and_an_integer_one_for_nothing():
    assert card_values(spec(), FLOAT).high == 255.0
    assert card_values(spec(), INT8) is None


def test_rounding_is_no_difference_and_another_normalization_is():
    assert prepared_values(spec(**HALF), INT8).is_close_to(prepared_values(spec(**HALF), FLOAT))
    assert not prepared_values(spec(mean=(0.0,) * 3, std=(255.0,) * 3), FLOAT).is_close_to(
        prepared_values(spec(**HALF), FLOAT)
    )


def test_what_an_integer_input_can_hold():
    wanted = prepared_values(spec(**HALF), FLOAT)
    assert storable_range(UINT8) == (-1.0, 127 / 128) and storable_range(FLOAT) is None
    assert can_store(UINT8, wanted) is True
    assert can_store(TensorInfo("image", (1, 8, 8, 3), "uint8", 1 / 255, 0), wanted) is False
    assert can_store(FLOAT, wanted) is None
