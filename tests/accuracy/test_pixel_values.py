"""The values are those of the table to the last bit, by whatever way."""

import numpy as np
import pytest

from harness.accuracy.pixel_values import values_by

LEVELS = np.arange(256)
PIXELS = np.random.default_rng(7).integers(0, 256, (33, 17, 3), np.uint8)
IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))
CASES = {
    "shares of one": ((0.0,) * 3, (255.0,) * 3),
    "from -1 to 1": ((127.5,) * 3, (127.5,) * 3),
    "channels of their own": ((104.0, 117.0, 123.0), (1.0, 2.0, 4.0)),
    "numbers that single precision has not": IMAGENET,
    "one of them alone": ((123.675,) * 3, (58.395,) * 3),
}


def looked_up(table, pixels):
    return (
        table[pixels] if table.ndim == 1 else np.stack([table[c][pixels[..., c]] for c in range(3)], axis=-1)
    )


def assert_same_bits(table, mean, std, pixels):
    found, expected = values_by(table, mean, std)(pixels), looked_up(table, pixels)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    assert np.ascontiguousarray(found).tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("flipped", [False, True])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
def test_normalized_pixels_are_those_of_the_table(dtype, case, flipped):
    mean, std = CASES[case]
    table = ((LEVELS - np.array(mean)[:, None]) / np.array(std)[:, None]).astype(dtype)
    table = table[0] if (table == table[:1]).all() else table
    assert_same_bits(table, mean, std, PIXELS[:, :, ::-1] if flipped else PIXELS)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16])
def test_integers_are_those_of_the_table(dtype):
    for table in (LEVELS - 128, LEVELS, 255 - LEVELS, np.clip(LEVELS - 100, -128, 127)):
        assert_same_bits(table.astype(dtype), None, None, PIXELS)
