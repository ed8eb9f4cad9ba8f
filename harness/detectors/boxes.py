"""The four numbers of a box in every form that exporters write → corners as shares of the input."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.detectors.base import ModelContext
from harness.errors import ModelError

Floats = npt.NDArray[np.float32]
ToCorners = Callable[[Floats], Floats]

PIXELS_ABOVE = 2.0
"""Shares of the image hardly exceed 1; pixels reach the input's width."""
_YX_TO_XY = [1, 0, 3, 2]


def to_corners(rows: Floats, box_format: str) -> Floats:
    """Turn rows [N, ≥ 4] into x_min, y_min, x_max, y_max [N, 4] in the unit that they are in.

    Args:
        rows: The box stands in the first four columns.
        box_format: `xyxy`, `yxyx`, `xywh` (centre and size) or `ltwh` (left, top and size).
    """
    if box_format == "xyxy":
        return rows[:, :4]
    if box_format == "yxyx":
        return rows[:, _YX_TO_XY]
    # Column after column, which is the faster order for all that follows.
    corners = np.empty((4, len(rows)), np.float32).T
    if box_format == "ltwh":
        corners[:, :2] = rows[:, :2]
        np.add(rows[:, :2], rows[:, 2:4], out=corners[:, 2:])
        return corners
    half = rows[:, 2:4] * np.float32(0.5)
    np.subtract(rows[:, :2], half, out=corners[:, :2])
    np.add(rows[:, :2], half, out=corners[:, 2:])
    return corners


def reader(box_format: str, spec: DecoderSpec, context: ModelContext, columns: int = 4) -> ToCorners:
    """Return the function that turns rows [N, ≥ 4] into corners as shares of the input.

    Args:
        box_format: As for `to_corners`.
        spec: Its `box_units`; `auto` looks at the values of each image.
        context: The size of the input, which boxes in pixels need.
        columns: How many columns `auto` looks at. A table that covers the whole image needs the first only.
    """
    size = np.array([context.width, context.height] * 2, np.float32)

    def read(rows: Floats) -> Floats:
        corners = to_corners(rows, box_format)
        if not _in_pixels(rows[:, :columns], spec.box_units):
            return corners
        if not size.all():
            raise ModelError(f"decoder {spec.name}: boxes in pixels need the size of the model's input")
        scaled: Floats = corners / size
        return scaled

    return read


def _in_pixels(values: Floats, units: str) -> bool:
    if units != "auto":
        return units == "pixels"
    greatest = np.fmax.reduce(values, axis=None, initial=0)
    return bool(greatest > PIXELS_ABOVE)
