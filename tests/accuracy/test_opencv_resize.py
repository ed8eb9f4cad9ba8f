"""The resizing of YOLO's published figures, held against OpenCV itself."""

import numpy as np
import pytest
from PIL import Image

from harness.accuracy.opencv_resize import resize
from harness.accuracy.prepare import Preparation
from harness.cards import InputSpec
from harness.tflite.tensor_info import TensorInfo

cv2 = pytest.importorskip("cv2", reason="opencv-python-headless is not installed")

SIZES = [(640, 480), (333, 500), (1, 7), (97, 61), (1280, 853)]
WANTED = [(320, 320), (640, 479), (416, 233), (3, 2), (160, 120), (64, 640)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("wanted", WANTED)
def test_every_pixel_is_opencvs_to_one_level(size, wanted):
    pixels = np.random.default_rng(3).integers(0, 256, (size[1], size[0], 3), np.uint8)
    theirs = cv2.resize(pixels, wanted, interpolation=cv2.INTER_LINEAR)
    difference = np.abs(resize(pixels, *wanted).astype(int) - theirs)
    assert difference.max() <= 1
    assert difference.mean() < 0.02


@pytest.mark.parametrize("way", ["stretch", "letterbox"])
def test_a_card_asks_for_it_by_name(way):
    image = Image.fromarray(np.random.default_rng(4).integers(0, 256, (50, 70, 3), np.uint8))
    spec = InputSpec(width=32, height=32, resize=way, method="opencv-bilinear")
    tensor, geometry = Preparation(spec, TensorInfo("image", (1, 32, 32, 3), "uint8")).prepare(image)
    width, height = round(70 * geometry.scale_x), round(50 * geometry.scale_y)
    left, top = int(geometry.offset_x), int(geometry.offset_y)
    theirs = cv2.resize(np.asarray(image), (width, height), interpolation=cv2.INTER_LINEAR)
    ours = tensor[0, top : top + height, left : left + width]
    assert np.abs(ours.astype(int) - theirs).max() <= 1
