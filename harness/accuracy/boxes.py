"""Overlap of boxes, in COCO's arithmetic."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Index = npt.NDArray[np.integer[Any]]


class Edges(NamedTuple):
    """Boxes as columns, each float64 [...]: what overlaps are computed from, in one piece of memory each."""

    left: Floats
    top: Floats
    right: Floats
    bottom: Floats
    area: Floats

    def take(self, which: Index) -> Edges:
        """Return some of them."""
        return Edges(*(column.take(which) for column in self))


def edges(boxes: Floats) -> Edges:
    """Return the columns of boxes, float64 [..., 4], x, y, width, height."""
    x, y, width, height = (boxes[..., k] for k in range(4))
    with np.errstate(
        over="ignore"
    ):  # as C does: what a broken model writes may have no area that a float holds
        return Edges(np.ascontiguousarray(x), np.ascontiguousarray(y), x + width, y + height, width * height)


def overlaps(detected: Floats, annotated: Floats, crowd: npt.NDArray[np.bool_]) -> Floats:
    """Compute the IoU of pairs of boxes.

    Args:
        detected: float64 [..., 4], x, y, width, height.
        annotated: float64 [..., 4], broadcast against `detected`.
        crowd: bool [...], where the annotation is a crowd: then the overlap is the share of the detection
            that lies in it.

    Returns:
        float64 [...], 0…1; NaN where no float holds the areas.
    """
    return overlaps_of_edges(edges(detected), edges(annotated), crowd)


def overlaps_of_edges(detected: Edges, annotated: Edges, crowd: npt.NDArray[np.bool_]) -> Floats:
    """Compute the IoU of pairs of boxes as `overlaps` does.

    Source: `bbIou` in pycocotools' maskApi.c, operation by operation, so that thresholds are met alike.
    """
    # Boxes of negative sides can have a union of 0 while they touch, and huge ones an endless one; C computes on.
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        width = np.minimum(detected.right, annotated.right) - np.maximum(detected.left, annotated.left)
        height = np.minimum(detected.bottom, annotated.bottom) - np.maximum(detected.top, annotated.top)
        shared = width * height
        union = np.where(crowd, detected.area, detected.area + annotated.area - shared)
        return np.where((width > 0) & (height > 0), shared / union, 0.0)


def pairwise_overlaps(first: Floats, second: Floats) -> Floats:
    """Return the IoU [N, M] of every pair of boxes, x, y, width, height, none of them a crowd."""
    return overlaps(first[:, None], second[None], np.zeros((1, 1), np.bool_))
