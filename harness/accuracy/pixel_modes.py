"""Pixels of any kind as 8-bit RGB, by what they mean; never clipped.

Transparency is left out, and colors under it count as they are stored: so do OpenCV's `imread`, TensorFlow's
`decode_image` with three channels and Pillow's `convert("RGB")`, with which detectors are trained. Color profiles are
not applied, for the same reason.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

WHITE_16 = 65535
_PHOTOMETRIC, _BITS = 262, 258
_WHITE_IS_ZERO = 0
_PREMULTIPLIED = {"RGBa": "RGBA", "La": "LA"}
_WIDE = frozenset({"PNG", "PPM", "JPEG2000"})
"""Formats whose whole numbers beyond 8 bits Pillow gives as 0…65535 in mode I."""


class UnknownPixelsError(ValueError):
    """Pixels of which nothing says how bright they are."""


def to_rgb(image: Image.Image) -> Image.Image:
    """Return a decoded image as 8-bit RGB: itself where it is that.

    Raises:
        UnknownPixelsError: Nothing says which brightness its numbers mean.
    """
    mode = image.mode
    if mode == "RGB":
        return image
    if mode == "F":
        return _from_shares(image)
    if mode == "I" or mode.startswith("I;16"):
        return _from_whole_numbers(image)
    if mode in {"P", "PA"}:
        return image.convert("RGBA").convert("RGB")
    if mode in _PREMULTIPLIED:
        return image.convert(_PREMULTIPLIED[mode]).convert("RGB")
    return image.convert("RGB")


def _from_whole_numbers(image: Image.Image) -> Image.Image:
    white = _white(image)
    values = np.asarray(image).astype(np.int64)
    if values.size and (values.min() < 0 or values.max() > white):
        raise UnknownPixelsError(
            f"its pixels are {values.min()}…{values.max()}, expected 0…{white}: save it with 8 or 16 bits a channel"
        )
    if _tag(image, _PHOTOMETRIC) == _WHITE_IS_ZERO:
        values = white - values
    return _gray((values * 255 + white // 2) // white)


def _white(image: Image.Image) -> int:
    """Return the number that stands for white; 16 bits are 257 times 8 bits."""
    bits = _tag(image, _BITS)
    if image.mode == "I" and image.format not in _WIDE and image.format is not None:
        raise UnknownPixelsError(
            "its pixels are whole numbers of 32 bits, and nothing says which of them is white: save it with 8 or 16 "
            "bits a channel"
        )
    return (1 << bits) - 1 if isinstance(bits, int) and 8 < bits < 16 else WHITE_16


def _tag(image: Image.Image, number: int) -> Any:
    """Return a TIFF tag; None where there is none."""
    tags = getattr(image, "tag_v2", None)
    found = None if tags is None else tags.get(number)
    return found[0] if isinstance(found, tuple) and len(found) == 1 else found


def _from_shares(image: Image.Image) -> Image.Image:
    """Floating-point pixels are shares of white (PFM, TIFF's SampleFormat 3 as image libraries write it)."""
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all() or (values.size and (values.min() < 0 or values.max() > 1)):
        raise UnknownPixelsError(
            f"its floating-point pixels are {np.nanmin(values):.3g}…{np.nanmax(values):.3g}, expected 0…1: save it "
            "with 8 or 16 bits a channel"
        )
    return _gray(np.rint(values * 255))


def _gray(values: npt.NDArray[Any]) -> Image.Image:
    return Image.fromarray(values.astype(np.uint8), "L").convert("RGB")
