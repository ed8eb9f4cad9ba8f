"""Every kind of pixels that Pillow opens becomes 8-bit RGB by its meaning; held against OpenCV and plain arithmetic."""

import colorsys
import io

import numpy as np
import pytest
from PIL import Image

from harness.accuracy.image_files import UnreadableImageError, read_image
from harness.accuracy.pixel_modes import UnknownPixelsError, to_rgb

RED = (200, 30, 90)
GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)
COLORS = np.stack([GRADIENT, GRADIENT[::-1], GRADIENT.T], axis=-1)


def array(image):
    return np.asarray(to_rgb(image)).astype(int)


def gray(values):
    return np.repeat(np.asarray(values)[..., None], 3, axis=-1).astype(int)


def saved(path, image, **settings):
    image.save(path, **settings)
    return np.asarray(read_image(path)).astype(int)


def opencv(path):
    cv2 = pytest.importorskip("cv2")
    return cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1].astype(int)


def test_black_and_white_are_the_ends():
    assert array(Image.fromarray(GRADIENT > 127)).tolist() == gray((GRADIENT > 127) * 255).tolist()


def test_gray_stands_in_all_three_channels():
    assert array(Image.fromarray(GRADIENT)).tolist() == gray(GRADIENT).tolist()


@pytest.mark.parametrize(("mode", "n"), [("LA", 1), ("RGBA", 3)])
def test_transparency_is_left_out_as_opencv_does(tmp_path, mode, n):
    alpha = GRADIENT[:, ::-1]
    planes = [COLORS[..., k] for k in range(n)] + [alpha]
    image = Image.merge(mode, [Image.fromarray(plane.copy()) for plane in planes])
    expected = COLORS.astype(int) if n == 3 else gray(GRADIENT)
    assert saved(tmp_path / "a.png", image).tolist() == expected.tolist()
    assert opencv(tmp_path / "a.png").tolist() == expected.tolist()


@pytest.mark.parametrize("transparency", [None, 0, bytes(range(4))])
def test_a_palette_gives_its_colors_transparent_or_not(tmp_path, transparency):
    image = Image.fromarray((GRADIENT % 4).astype(np.uint8), "P")
    palette = [(0, 0, 0), RED, (1, 2, 3), (255, 255, 255)]
    image.putpalette([value for color in palette for value in color])
    settings = {} if transparency is None else {"transparency": transparency}
    found = saved(tmp_path / "p.png", image, **settings)
    assert found.tolist() == np.array(palette)[GRADIENT % 4].tolist()
    assert opencv(tmp_path / "p.png").tolist() == found.tolist()


def test_a_palette_with_alpha_gives_its_colors():
    image = Image.fromarray(np.zeros((2, 2), np.uint8), "P")
    image.putpalette([*RED] + [0] * 765)
    assert array(image.convert("PA"))[0, 0].tolist() == list(RED)


def test_a_color_that_stands_for_transparency_is_a_color(tmp_path):
    image = Image.new("RGB", (4, 4), RED)
    assert saved(tmp_path / "t.png", image, transparency=RED)[0, 0].tolist() == list(RED)


@pytest.mark.parametrize(("mode", "pixel", "color"), [
    ("RGBX", (200, 30, 90, 7), RED),
    ("RGBa", (100, 15, 45, 128), (199, 29, 89)),
    ("La", (100, 128), (199, 199, 199)),
    ("CMYK", (55, 225, 165, 0), (200, 30, 90)),
    ("CMYK", (0, 0, 0, 55), (200, 200, 200)),
])  # fmt: skip
def test_other_color_modes_give_the_color_that_they_mean(mode, pixel, color):
    assert np.abs(array(Image.new(mode, (2, 2), pixel)) - color).max() <= 1


def test_ycbcr_is_itu_601_over_the_full_range():
    y, cb, cr = 120, 90, 180
    expected = [
        y + 1.402 * (cr - 128),
        y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
        y + 1.772 * (cb - 128),
    ]
    assert np.abs(array(Image.new("YCbCr", (2, 2), (y, cb, cr)))[0, 0] - expected).max() <= 1


def test_hsv_is_that_of_colorsys():
    for pixel in ((0, 255, 255), (100, 130, 200), (230, 60, 90)):
        expected = np.array(colorsys.hsv_to_rgb(*(value / 255 for value in pixel))) * 255
        assert np.abs(array(Image.new("HSV", (1, 1), pixel))[0, 0] - expected).max() <= 2


def test_lab_is_cie_lab_of_the_white_d50(tmp_path):
    lightness, a, b = 60.0, 40.0, -25.0
    fy = (lightness + 16) / 116
    f = np.array([fy + a / 500, fy, fy - b / 200])
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * [0.9642, 1.0, 0.8249]
    to_linear = [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ]  # XYZ of D50 to sRGB (Bradford), B. Lindbloom
    linear = np.array(to_linear) @ xyz
    expected = 255 * np.where(linear > 0.0031308, 1.055 * np.abs(linear) ** (1 / 2.4) - 0.055, 12.92 * linear)
    image = Image.new("LAB", (2, 2), (round(lightness * 2.55), int(a) + 128, int(b) + 128))
    assert np.abs(array(image)[0, 0] - expected).max() <= 3
    assert np.abs(saved(tmp_path / "lab.tif", image)[0, 0] - expected).max() <= 3


def test_the_cmyk_of_a_jpeg_is_read_as_opencv_reads_it(tmp_path):
    image = Image.new("CMYK", (16, 16), (20, 200, 90, 10))
    found = saved(tmp_path / "c.jpg", image, quality=100)
    assert np.abs(found - opencv(tmp_path / "c.jpg")).max() <= 4
    assert np.abs(found[0, 0] - [235 * 245 / 255, 55 * 245 / 255, 165 * 245 / 255]).max() <= 4


@pytest.mark.parametrize("name", ["w.png", "w.tif", "w.pgm"])
def test_sixteen_bits_are_257_times_eight(tmp_path, name):
    values = np.arange(0, 65536, 97, dtype=np.uint16)[:640].reshape(20, 32)
    if name == "w.pgm":
        (tmp_path / name).write_bytes(b"P5 32 20 65535\n" + values.astype(">u2").tobytes())
    else:
        Image.fromarray(values).save(tmp_path / name)
    found = np.asarray(read_image(tmp_path / name)).astype(int)
    assert np.abs(found - gray(np.rint(values / 257))).max() == 0
    assert np.abs(found - opencv(tmp_path / name)).max() <= 1  # it takes the upper byte


def test_sixteen_bits_in_the_other_byte_order(tmp_path):
    image = Image.frombytes("I;16B", (2, 1), np.array([257 * 9, 65535], ">u2").tobytes())
    assert array(image).tolist() == [[[9] * 3, [255] * 3]]


def test_sixteen_bits_whose_white_is_zero(tmp_path):
    image = Image.fromarray(np.array([[0, 65535, 257]], np.uint16))
    image.save(tmp_path / "w.tif", tiffinfo={262: 0})
    assert np.asarray(read_image(tmp_path / "w.tif"))[0, :, 0].tolist() == [255, 0, 254]


def test_whole_numbers_of_sixteen_bits_in_memory():
    assert array(Image.fromarray(np.array([[0, 65535]], np.int32)))[0, :, 0].tolist() == [0, 255]
    with pytest.raises(UnknownPixelsError, match=r"-5…70000, expected 0…65535"):
        to_rgb(Image.fromarray(np.array([[-5, 70000]], np.int32)))


def test_thirty_two_bits_mean_nothing_by_themselves(tmp_path):
    Image.fromarray(np.array([[1, 2]], np.int32)).save(tmp_path / "i.tif")
    with pytest.raises(
        UnreadableImageError, match=r"i\.tif: .*32 bits, and nothing says which of them is white"
    ):
        read_image(tmp_path / "i.tif")


def test_floating_point_pixels_are_shares_of_white(tmp_path):
    image = Image.fromarray(np.array([[0, 0.5, 1]], np.float32))
    assert saved(tmp_path / "f.tif", image)[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize("value", [2.0, -0.5, np.nan, np.inf])
def test_other_floating_point_pixels_are_unreadable(tmp_path, value):
    Image.fromarray(np.array([[0, value]], np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(UnreadableImageError, match="floating-point pixels"):
        read_image(tmp_path / "f.tif")


def test_every_mode_of_pillow_is_turned_or_refused():
    for mode in Image.MODES:
        found = to_rgb(Image.new(mode, (3, 2)))
        assert (found.mode, found.size) == ("RGB", (3, 2)), mode


def test_an_rgb_image_is_itself():
    image = Image.fromarray(COLORS)
    assert to_rgb(image) is image


def test_webp_and_gif_are_read(tmp_path):
    for name in ("a.webp", "a.gif", "a.bmp"):
        image = Image.new("RGBA", (8, 8), (*RED, 255)) if name == "a.webp" else Image.new("RGB", (8, 8), RED)
        buffer = io.BytesIO()
        image.save(buffer, name[2:].upper(), **({"lossless": True} if name == "a.webp" else {}))
        (tmp_path / name).write_bytes(buffer.getvalue())
        assert np.asarray(read_image(tmp_path / name))[0, 0].tolist() == list(RED)
