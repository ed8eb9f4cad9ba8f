"""Prepare images for the example's detector exactly as its cards say: RGB, stretched, Pillow bilinear."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def resized(encoded: bytes, side: int) -> NDArray[np.uint8]:
    """Decode an image file and stretch it to [side, side, 3] uint8."""
    with Image.open(io.BytesIO(encoded)) as image:
        return np.asarray(image.convert("RGB").resize((side, side), Image.Resampling.BILINEAR))


def normalized(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Turn pixels into the network's floats in [-1, 1]."""
    return (image.astype(np.float32) - np.float32(127.5)) / np.float32(127.5)
