"""OpenCV's `resize` with `INTER_LINEAR`, in NumPy: what YOLO's published figures rest on.

It does not antialias. Each output pixel is the bilinear mean of four, taken at half-pixel centres with the edge
repeated; weights are whole 2048ths, and the sums are rounded as `VResizeLinear` for `uchar` does
(`modules/imgproc/src/resize.cpp`). Halving both sides is the mean of 2 × 2 pixels there too.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int32]
_ONE = 2048


def resize(pixels: Pixels, width: int, height: int) -> Pixels:
    """Resize an image [H, W, C] of uint8 as OpenCV does, to ±1 level.

    Example:
        >>> resize(np.zeros((2, 4, 3), np.uint8), 8, 8).shape
        (8, 8, 3)
    """
    rows, columns, depth = pixels.shape
    if (rows, columns) == (height, width):
        return pixels
    left, right, weights = _taps(columns, width)
    top, bottom, shares = _taps(rows, height)
    # Rows first are taken as they are needed: an enlarged image has fewer rows than its result.
    flat = pixels.astype(np.int32)
    wide = flat[:, left] * (_ONE - weights)[:, None] + flat[:, right] * weights[:, None]
    wide = (wide >> 4).reshape(rows, width * depth)
    upper, lower = shares[:, None], (_ONE - shares)[:, None]
    sums = ((wide[top] * lower) >> 16) + ((wide[bottom] * upper) >> 16)
    return ((sums + 2) >> 2).astype(np.uint8).reshape(height, width, depth)


@lru_cache(maxsize=64)
def _taps(size: int, wanted: int) -> tuple[Ints, Ints, Ints]:
    """Return the two neighbours of each output place, and the second one's weight in 2048ths."""
    places = ((np.arange(wanted) + 0.5) * (size / wanted) - 0.5).astype(np.float32)
    first = np.floor(places).astype(np.int32)
    weights = np.rint((places - first) * np.float32(_ONE)).astype(np.int32)
    weights[(first < 0) | (first >= size - 1)] = 0
    first = np.clip(first, 0, size - 1)
    return first, np.minimum(first + 1, size - 1), weights
