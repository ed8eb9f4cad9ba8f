"""Detections in the wrong units: corners given as sizes, or shares of the image given as pixels.

COCO's evaluation gives such a file an mAP near 0 without a word.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.accuracy.agnostic import image_sizes
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.detections import DetectionTable
from harness.errors import DatasetError

LEAVES = 1.1
"""A box leaves the image when it ends more than a tenth beyond it; detectors do overshoot a little."""
MOST_LEAVE = 1 / 3
"""Of COCO's boxes none leaves the image as x, y, width, height; 0.67–0.76 do when corners are read so."""
ALL_FIT = 0.95
"""Of COCO's boxes 0.10–0.13 are possible as corners; all corners are."""
NORMALIZED = 1.5


def refuse_wrong_units(truth: GroundTruth, table: DetectionTable) -> None:
    """Refuse boxes that are plainly not x, y, width, height in pixels.

    Detections of images whose size the annotations do not state are not looked at.

    Raises:
        DatasetError: The boxes are normalized, or are corners (x_min, y_min, x_max, y_max).
    """
    sizes = image_sizes(truth, table.image_ids)
    known = np.isfinite(sizes).all(axis=1)
    boxes, sizes = table.boxes[known], sizes[known]
    if not len(boxes):
        return
    greatest = np.abs(boxes).max()
    if greatest <= NORMALIZED < sizes.min():
        raise DatasetError(
            f"no coordinate of the {len(boxes)} boxes is greater than {greatest:.3g}, so they seem to be "
            "normalized (0…1); expected x, y, width, height in pixels: multiply by the image's size"
        )
    leave, fit = _share_leaving(boxes, sizes), _share_of_corners(boxes, sizes)
    if leave >= MOST_LEAVE and fit >= ALL_FIT:
        raise DatasetError(
            f"{leave:.0%} of the boxes leave their image when read as x, y, width, height, and {fit:.0%} "
            "fit as corners x_min, y_min, x_max, y_max; COCO has x, y, width, height: subtract the corners"
        )


def _share_leaving(boxes: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]) -> float:
    return float((boxes[:, :2] + boxes[:, 2:] > sizes * LEAVES).any(axis=1).mean())


def _share_of_corners(boxes: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]) -> float:
    first, second = boxes[:, :2], boxes[:, 2:]
    return float(((second >= first) & (second <= sizes * LEAVES)).all(axis=1).mean())
