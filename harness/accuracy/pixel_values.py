"""Pixels → the values of a model's input, bit for bit those of a table of all 256 levels.

Looking up a million bytes takes several times as long as computing with them. So where a computation gives all levels
of the table to the last bit, it is done instead: a difference and a quotient in single precision for floats, an
exclusive or for integers that are the pixels with their highest bit turned round.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.uint8]
Table = npt.NDArray[np.generic]
Values = npt.NDArray[np.generic]
_LEVELS: Pixels = np.arange(256, dtype=np.uint8)
_ROWS = 32
"""Looked up at once: NumPy makes a place of eight bytes of each pixel, and so few stay in the processor's cache."""


def values_by(
    table: Table, mean: Sequence[float] | None, std: Sequence[float] | None
) -> Callable[[Pixels], Values]:
    """Return what turns pixels [H, W, 3] into their values, [H, W, 3] of the table's type.

    Args:
        table: [256], or [3, 256] where the channels differ.
        mean: What the table was made with, one number a channel; None where it holds the pixels, or shifted ones.
        std: Likewise.
    """
    if table.dtype == np.float32 and mean is not None and std is not None:
        shift, scale = np.array(mean, np.float32), np.array(std, np.float32)
        if table.ndim == 1:
            shift, scale = shift[:1], scale[:1]
        if _same_bits(_normalized(_LEVELS[:, None], shift, scale).T.reshape(table.shape), table):
            return lambda pixels: _by_rows(pixels, shift, scale)
    if table.ndim == 1 and table.dtype.itemsize == 1:
        mask = table.view(np.uint8)[0]
        if _same_bits((_LEVELS ^ mask).view(table.dtype), table):
            return lambda pixels: np.bitwise_xor(pixels, mask).view(table.dtype)
    return lambda pixels: _looked_up(table, pixels)


def _same_bits(values: Values, table: Table) -> bool:
    return values.astype(table.dtype).tobytes() == table.tobytes()


def _normalized(pixels: Pixels, shift: npt.NDArray[np.float32], scale: npt.NDArray[np.float32]) -> Any:
    """Compute in place: memory that is asked for anew costs as much as the numbers."""
    if not shift.any():
        return np.divide(pixels, scale, dtype=np.float32)
    values = np.subtract(pixels, shift, dtype=np.float32)
    return np.divide(values, scale, out=values)


def _by_rows(pixels: Pixels, shift: npt.NDArray[np.float32], scale: npt.NDArray[np.float32]) -> Values:
    """Compute with whole rows of an image, along which the three channels take turns."""
    height, width, channels = pixels.shape
    if len(shift) > 1:
        shift, scale = np.tile(shift, width), np.tile(scale, width)
    rows = np.ascontiguousarray(pixels).reshape(height, width * channels)
    values: Values = _normalized(rows, shift, scale).reshape(pixels.shape)
    return values


def _looked_up(table: Table, pixels: Pixels) -> Values:
    values = np.empty(pixels.shape, table.dtype)
    for top in range(0, len(pixels), _ROWS):
        rows, found = pixels[top : top + _ROWS], values[top : top + _ROWS]
        if table.ndim == 1:
            found[...] = table.take(rows)
        else:
            for channel, levels in enumerate(table):
                found[..., channel] = levels.take(rows[..., channel])
    return values
