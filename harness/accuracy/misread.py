"""The ways in which boxes are usually misread, each with what puts it right.

A function takes boxes, float64 [N, 4], x, y, width, height in pixels, and the sizes of their images, float64 [N, 2],
and returns the boxes that are meant. Detections of a right reading fit worse after every one of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Remedy = Callable[[Floats, Floats], Floats]

FORMAT = "the card's [decoder] box_format"
PREPARATION = "the images' orientation, and that they are the annotated files"
SIZE = "the images' size against the annotated one"
CODING = "the card's [decoder] scales and box_coding"
UNITS = "the card's [decoder] box_units"
PADDING = "the card's [input] resize and pad_position"


@dataclass(frozen=True)
class Misreading:
    """A way to misread boxes.

    Attributes:
        words: How they fit once it is undone.
        undo: Does so.
        look_at: Where the mistake usually is.
    """

    words: str
    undo: Remedy
    look_at: str


def swapped(boxes: Floats, sizes: Floats) -> Floats:
    """Take x for y: they are shares of the width and the height, each of the other."""
    return boxes[:, [1, 0, 3, 2]] / sizes[:, [1, 0, 1, 0]] * sizes[:, [0, 1, 0, 1]]


def swapped_pixels(boxes: Floats, sizes: Floats) -> Floats:
    """Take x for y: both are pixels."""
    return boxes[:, [1, 0, 3, 2]]


def corners(boxes: Floats, sizes: Floats) -> Floats:
    """Take the sizes for the far corner."""
    return np.hstack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]])


def sizes_as_corners(boxes: Floats, sizes: Floats) -> Floats:
    """Take the distance of the corners for a corner less a size."""
    return np.hstack([boxes[:, :2], boxes[:, 2:] + boxes[:, :2]])


def centers(boxes: Floats, sizes: Floats) -> Floats:
    """Take the near corner for the center."""
    return np.hstack([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]])


def not_centers(boxes: Floats, sizes: Floats) -> Floats:
    """Take the center for the near corner."""
    return np.hstack([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]])


def scaled(factor: float) -> Remedy:
    """Multiply all coordinates, as where images are of another size than annotated."""
    return lambda boxes, sizes: boxes * factor


def resized(factor: float) -> Remedy:
    """Multiply width and height around the center."""
    return lambda boxes, sizes: np.hstack(
        [boxes[:, :2] + boxes[:, 2:] * (1 - factor) / 2, boxes[:, 2:] * factor]
    )


def shares(boxes: Floats, sizes: Floats) -> Floats:
    """Take pixels for shares of the image."""
    return boxes * np.tile(sizes, 2)


def mirrored(boxes: Floats, sizes: Floats) -> Floats:
    """Take left for right."""
    return np.column_stack([sizes[:, 0] - boxes[:, 0] - boxes[:, 2], boxes[:, 1:]])


def upside_down(boxes: Floats, sizes: Floats) -> Floats:
    """Take top for bottom."""
    return np.column_stack([boxes[:, 0], sizes[:, 1] - boxes[:, 1] - boxes[:, 3], boxes[:, 2:]])


def half_turn(boxes: Floats, sizes: Floats) -> Floats:
    """Turn by 180°."""
    return upside_down(mirrored(boxes, sizes), sizes)


def left_turn(boxes: Floats, sizes: Floats) -> Floats:
    """Turn by 90°, the sides stretched to the image's."""
    return upside_down(swapped(boxes, sizes), sizes)


def right_turn(boxes: Floats, sizes: Floats) -> Floats:
    """Turn by 90° the other way."""
    return mirrored(swapped(boxes, sizes), sizes)


def padded(share: float) -> Remedy:
    """Take shares of the image for shares of the padded square, with `share` of the padding before the image."""

    def remedy(boxes: Floats, sizes: Floats) -> Floats:
        side = sizes.max(axis=1, keepdims=True)
        stretched = boxes / np.tile(sizes, 2) * side
        return np.hstack([stretched[:, :2] - (side - sizes) * share, stretched[:, 2:]])

    return remedy


def not_padded(share: float) -> Remedy:
    """Take shares of the padded square for shares of the image."""

    def remedy(boxes: Floats, sizes: Floats) -> Floats:
        side = sizes.max(axis=1, keepdims=True)
        begins = boxes[:, :2] + (side - sizes) * share
        meant: Floats = np.hstack([begins, boxes[:, 2:]]) / side * np.tile(sizes, 2)
        return meant

    return remedy


# fmt: off
MISREADINGS = (
    Misreading("with x and y swapped",                                     swapped,          FORMAT),
    Misreading("with x and y swapped, in pixels",                          swapped_pixels,   FORMAT),
    Misreading("as corners x_min, y_min, x_max, y_max",                    corners,          FORMAT),
    Misreading("with the sizes taken less the near corner",                sizes_as_corners, FORMAT),
    Misreading("as center and size",                                       centers,          FORMAT),
    Misreading("with the near corner where the center is now",             not_centers,      FORMAT),
    Misreading("as shares of the image (0…1)",                             shares,           UNITS),
    Misreading("at twice the coordinates",                                 scaled(2.0),      SIZE),
    Misreading("at half the coordinates",                                  scaled(0.5),      SIZE),
    Misreading("at twice the width and height",                            resized(2.0),     CODING),
    Misreading("at half the width and height",                             resized(0.5),     CODING),
    Misreading("mirrored left to right",                                   mirrored,         PREPARATION),
    Misreading("upside down",                                              upside_down,      PREPARATION),
    Misreading("turned by 180°",                                           half_turn,        PREPARATION),
    Misreading("turned by 90° to the left",                                left_turn,        PREPARATION),
    Misreading("turned by 90° to the right",                               right_turn,       PREPARATION),
    Misreading("as those of a letterboxed image, padded on both sides",    padded(0.5),      PADDING),
    Misreading("as those of a letterboxed image, padded at the end",       padded(0.0),      PADDING),
    Misreading("as those of a stretched image (not padded on both sides)", not_padded(0.5),  PADDING),
    Misreading("as those of a stretched image (not padded at the end)",    not_padded(0.0),  PADDING),
)
"""The usual ones; a right reading fits worse after every one of them."""
# fmt: on
