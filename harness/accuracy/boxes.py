"""Overlap of boxes, in COCO's arithmetic."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def overlaps(detected: Floats, annotated: Floats, crowd: npt.NDArray[np.bool_]) -> Floats:
    """Compute the IoU of pairs of boxes.

    Args:
        detected: float64 [..., 4], x, y, width, height.
        annotated: float64 [..., 4], broadcast against `detected`.
        crowd: bool [...], where the annotation is a crowd: then the overlap is the share of the detection
            that lies in it.

    Returns:
        float64 [...], 0…1.

    Source: `bbIou` in pycocotools' maskApi.c, operation by operation, so that thresholds are met alike.
    """
    first = np.maximum(detected[..., :2], annotated[..., :2])
    last = np.minimum(detected[..., 2:] + detected[..., :2], annotated[..., 2:] + annotated[..., :2])
    sides = last - first
    shared = sides[..., 0] * sides[..., 1]
    area = detected[..., 2] * detected[..., 3]
    union = np.where(crowd, area, area + annotated[..., 2] * annotated[..., 3] - shared)
    touching = (sides > 0).all(axis=-1)
    # Boxes of negative sides can have a union of 0 while they touch; C then divides by it, as NumPy would.
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(touching, shared / union, 0.0)


def pairwise_overlaps(first: Floats, second: Floats) -> Floats:
    """Return the IoU [N, M] of every pair of boxes, x, y, width, height, none of them a crowd."""
    return overlaps(first[:, None], second[None], np.zeros((1, 1), np.bool_))
