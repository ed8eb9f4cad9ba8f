"""Images become input tensors as the card says."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from harness.accuracy.image_files import UnreadableImageError
from harness.accuracy.prepare import Geometry, Preparation
from harness.cards import InputSpec
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

UINT8 = TensorInfo("image", (1, 8, 8, 3), "uint8", 1 / 128, 128)
INT8 = TensorInfo("image", (1, 8, 8, 3), "int8", 1 / 128, 0)
FLOAT = TensorInfo("image", (1, 8, 8, 3), "float32")


def spec(**changes):
    return InputSpec(**{"width": 8, "height": 8, **changes})


def picture(width=8, height=8, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def test_an_integer_input_without_mean_and_std_takes_the_pixels_themselves():
    image = picture()
    tensor, _ = Preparation(spec(), UINT8).prepare(image)
    assert tensor.dtype == np.uint8 and tensor.shape == (1, 8, 8, 3)
    np.testing.assert_array_equal(tensor[0], np.asarray(image))


def test_an_int8_input_without_mean_and_std_takes_the_pixels_minus_128():
    image = picture()
    tensor, _ = Preparation(spec(), INT8).prepare(image)
    np.testing.assert_array_equal(tensor[0].astype(int), np.asarray(image).astype(int) - 128)


def test_a_float_input_takes_pixel_minus_mean_over_std_for_each_channel():
    image = picture()
    preparation = Preparation(spec(mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 5.0)), FLOAT)
    expected = (np.asarray(image).astype(np.float64) - [10, 20, 30]) / [2, 4, 5]
    np.testing.assert_allclose(preparation.prepare(image)[0][0], expected, rtol=1e-6)


def test_an_integer_input_with_mean_and_std_is_quantized_with_its_own_scale_and_zero_point():
    preparation = Preparation(spec(mean=(127.5,) * 3, std=(127.5,) * 3), UINT8)
    tensor, _ = preparation.prepare(Image.new("RGB", (8, 8), (0, 128, 255)))
    # (0 - 127.5) / 127.5 = -1 → -128 + 128; 0.5 / 127.5 * 128 = 0.502 → 129; 1 → 256, clipped to 255
    assert tensor[0, 0, 0].tolist() == [0, 129, 255]


def test_an_integer_input_without_a_scale_cannot_take_mean_and_std():
    bare = TensorInfo("image", (1, 8, 8, 3), "uint8")
    with pytest.raises(ModelError, match="without a scale"):
        Preparation(spec(mean=(0.0,) * 3, std=(255.0,) * 3), bare)


def test_bgr_turns_the_channels_round_before_they_are_normalized():
    image = Image.new("RGB", (8, 8), (1, 2, 3))
    preparation = Preparation(spec(channels="bgr", mean=(0.0, 0.0, 0.0), std=(1.0, 10.0, 100.0)), FLOAT)
    np.testing.assert_allclose(preparation.prepare(image)[0][0, 0, 0], [3, 0.2, 0.01], rtol=1e-6)


def test_a_channels_first_input_gets_its_channels_first():
    info = TensorInfo("image", (1, 3, 8, 8), "uint8", 1.0, 0)
    image = picture()
    tensor, _ = Preparation(spec(), info).prepare(image)
    np.testing.assert_array_equal(tensor[0].transpose(1, 2, 0), np.asarray(image))
    assert tensor.flags["C_CONTIGUOUS"]


def test_stretch_is_pillows_bilinear_resize():
    image = picture(31, 17)
    tensor, _ = Preparation(spec(), UINT8).prepare(image)
    np.testing.assert_array_equal(tensor[0], np.asarray(image.resize((8, 8), Image.Resampling.BILINEAR)))


def test_tf_bilinear_does_not_antialias():
    """By hand: halving a row of 0, 0, 0, 255 with half-pixel centres samples at 0.5 and 2.5: 0 and 127.5."""
    row = np.repeat(np.array([0, 0, 0, 255], np.uint8)[None, :, None], 3, axis=2)
    image = Image.fromarray(np.repeat(row, 2, axis=0))
    info = TensorInfo("image", (1, 2, 2, 3), "uint8")
    tensor, _ = Preparation(InputSpec(width=2, height=2, method="tf-bilinear"), info).prepare(image)
    assert tensor[0, 0, 0, 0] == 0
    assert tensor[0, 0, 1, 0] in {127, 128}


def test_tf_bilinear_gives_tensorflows_values_to_one_grey_level():
    """Expected: `tf.image.resize(image, (3, 7), method="bilinear")` of TensorFlow 2.21 on these pixels."""
    pixels = [
        [0, 51, 25, 123],
        [44, 95, 69, 167],
        [88, 139, 113, 211],
        [132, 183, 157, 255],
        [176, 227, 201, 43],
    ]
    expected = [
        [14.667, 32.881, 62.024, 52.667, 46.667, 102.667, 137.667],
        [88.0, 106.214, 135.357, 126.0, 120.0, 176.0, 211.0],
        [161.333, 179.548, 208.69, 199.333, 181.143, 139.619, 113.667],
    ]
    image = Image.fromarray(np.repeat(np.array(pixels, np.uint8)[..., None], 3, axis=2))
    info = TensorInfo("image", (1, 3, 7, 3), "uint8")
    tensor, _ = Preparation(InputSpec(width=7, height=3, method="tf-bilinear"), info).prepare(image)
    np.testing.assert_allclose(tensor[0, :, :, 1].astype(float), expected, atol=1.0)


@pytest.mark.parametrize(("position", "top"), [("center", 2), ("corner", 0)])
def test_letterbox_keeps_the_aspect_and_pads_where_the_card_says(position, top):
    preparation = Preparation(spec(resize="letterbox", pad_position=position, pad_value=7), UINT8)
    tensor, geometry = preparation.prepare(Image.new("RGB", (16, 8), (200, 200, 200)))
    rows = tensor[0, :, 0, 0]
    assert rows.tolist() == [200 if top <= y < top + 4 else 7 for y in range(8)]
    assert (geometry.offset_x, geometry.offset_y) == (0, top)


@given(
    width=st.integers(1, 500),
    height=st.integers(1, 500),
    resize=st.sampled_from(["stretch", "letterbox"]),
    position=st.sampled_from(["center", "corner"]),
)
def test_a_box_goes_into_the_input_and_back_to_the_same_pixels(width, height, resize, position):
    preparation = Preparation(spec(resize=resize, pad_position=position), UINT8)
    _, at = preparation.prepare(Image.new("RGB", (width, height)))
    box = np.array([[0.25 * width, 0.5 * height, width, height]])
    scale = np.array([at.scale_x, at.scale_y] * 2)
    offset = np.array([at.offset_x, at.offset_y] * 2)
    np.testing.assert_allclose(at.to_image((box * scale + offset) / 8), box, atol=1e-9 * max(width, height))


def test_boxes_are_clipped_to_the_image():
    at = Geometry(100, 50, 8, 8, 8 / 100, 8 / 50)
    assert at.to_image(np.array([[-1.0, 0.5, 2.0, 3.0]])).tolist() == [[0.0, 25.0, 100.0, 50.0]]


def test_a_card_of_another_size_than_the_model_is_refused():
    with pytest.raises(ModelError, match=r"\[1, 8, 8, 3\].*16×8"):
        Preparation(spec(width=16), UINT8)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0 broken"])
def test_what_pillow_cannot_decode_is_an_unreadable_image(tmp_path: Path, content):
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(UnreadableImageError, match=r"broken\.jpg"):
        Preparation(spec(), UINT8).load(path)


def test_a_truncated_jpeg_is_unreadable_and_not_half_an_image(tmp_path: Path):
    path = tmp_path / "half.jpg"
    picture(200, 200).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(UnreadableImageError):
        Preparation(spec(), UINT8).load(path)


@pytest.mark.parametrize("mode", ["L", "RGBA", "P", "CMYK", "1"])
def test_an_image_of_any_mode_becomes_rgb(tmp_path: Path, mode):
    path = tmp_path / ("image.jpg" if mode == "CMYK" else "image.png")
    picture(8, 8).convert(mode).save(path)
    tensor, _ = Preparation(spec(), UINT8).load(path)
    np.testing.assert_array_equal(tensor[0], np.asarray(Image.open(path).convert("RGB")))
