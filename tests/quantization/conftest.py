"""The bundled float model, images it was not evaluated on, and folders of images with faults."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.cards import Model, load_card
from tests.example_training.draw import draw_scene, jpeg
from tests.support.paths import MODELS


@pytest.fixture(scope="session")
def shapes() -> Model:
    """The bundled float32 detector with its card."""
    return load_card(MODELS / "shapes-float32.toml")


@pytest.fixture(scope="session")
def training_images(tmp_path_factory) -> Path:
    """A folder of 104 images of the kind that the bundled detector was trained on, none of them evaluated on."""
    folder = tmp_path_factory.mktemp("training")
    for index in range(104):
        (folder / f"{index:03}.jpg").write_bytes(jpeg(draw_scene("calibration", index).image))
    return folder


@pytest.fixture(scope="session")
def real_photographs(shared_data, tmp_path_factory) -> Path:
    """A folder of the 50 images of `coco50`, whatever else lies beside them."""
    source, folder = shared_data / "coco50", tmp_path_factory.mktemp("real")
    listed = json.loads((source / "instances_val2017.json").read_text(encoding="utf-8"))["images"]
    for image in listed:
        (folder / image["file_name"]).symlink_to(source / "val2017" / image["file_name"])
    return folder


def draw_photo(path, random, size, shift, colour, grey):
    """Write smooth coloured noise, warmer than cold (red above blue), as daylight photographs are."""
    small = random.normal(0, colour, (6, 8, 3)) + np.array([140, 120, 95]) + shift
    pixels = np.clip(small if not grey else small[..., :1].repeat(3, axis=2), 0, 255).astype(np.uint8)
    Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).save(path, quality=90)


@pytest.fixture(scope="session")
def drawn_photos(tmp_path_factory) -> Callable[..., Path]:
    """Draws each folder of photographs once; who changes them takes a copy."""

    @cache
    def draw(n, size, gain, shift, grey, seed, noise):
        folder, random = tmp_path_factory.mktemp("photos"), np.random.default_rng(seed)
        for index in range(n):
            draw_photo(folder / f"{index:03}.jpg", random, size, shift, 45 * gain if noise else 0, grey)
        return folder

    return draw


@pytest.fixture
def photos(tmp_path, drawn_photos) -> Callable[..., Path]:
    """Makes a folder of photographs of the test's own."""

    def make(
        n=104, name="photos", size=(160, 120), gain=1.0, shift=0.0, grey=False, seed=0, noise=True
    ) -> Path:
        return shutil.copytree(drawn_photos(n, size, gain, shift, grey, seed, noise), tmp_path / name)

    return make


@pytest.fixture(scope="session")
def quantizer() -> None:
    """Skips where litert-quantizer is not installed."""
    pytest.importorskip("litert_quantizer", reason="litert-quantizer (extra `quantize`) is not installed")
