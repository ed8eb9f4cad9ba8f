"""How well boxes fit whatever their classes: AP at an overlap of 0.5, all categories taken for one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.accuracy import curves
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.array_curves import RECALLS
from harness.accuracy.boxes import edges, overlaps_of_edges
from harness.accuracy.coco import mean
from harness.accuracy.detections import DetectionTable
from harness.accuracy.scene import AREAS, THRESHOLDS, outside

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Index = npt.NDArray[np.intp]

MOST_IMAGES = 100
"""Images that are looked at; wrong readings show on a few dozen."""
ONE = 1
"""Stands for every category."""
_SLACK = 1e-9
"""Of what is rounded."""


@dataclass(frozen=True)
class Sample:
    """Objects and detections of some images.

    Attributes:
        truth: Annotations of these images only; crowds are left in, as COCO ignores them.
        table: Detections of these images.
        image_ids: Those with objects and detections, at most `MOST_IMAGES`.
        sizes: float64 [N, 2], width and height of each detection's image; NaN where unknown.
    """

    truth: GroundTruth
    table: DetectionTable
    image_ids: tuple[int, ...]
    sizes: Floats

    @property
    def n_objects(self) -> int:
        """How many objects are to be found."""
        return int((~self.truth.crowd).sum())

    @cached_property
    def pairs(self) -> tuple[Index, Index]:
        """Each detection with each object of its image: their numbers, [P] each; crowds are no objects."""
        objects = np.flatnonzero(self.to_be_found)
        objects = objects[np.argsort(self.truth.image_ids[objects], kind="stable")]
        images = self.truth.image_ids[objects]
        first, last = (np.searchsorted(images, self.table.image_ids, side) for side in ("left", "right"))
        counts = last - first
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(np.arange(len(counts)), counts), objects[np.repeat(first, counts) + within]

    @property
    def to_be_found(self) -> Bools:
        """Whether an annotation is an object of those that COCO counts, bool [M]."""
        found: Bools = ~(self.truth.crowd | outside(self.truth.areas, AREAS["all"]))
        return found


def sample(truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> Sample:
    """Take images with objects and detections, evenly over the evaluated ones."""
    both = np.intersect1d(truth.image_ids[~truth.crowd], table.image_ids)
    both = np.intersect1d(np.asarray(image_ids, np.int64), both)
    chosen = both[:: max(1, -(-len(both) // MOST_IMAGES))]
    rows = table.rows[np.isin(table.image_ids, chosen)]
    kept = DetectionTable(rows)
    return Sample(
        truth.of_rows(np.isin(truth.image_ids, chosen)),
        kept,
        tuple(chosen.tolist()),
        image_sizes(truth, kept.image_ids),
    )


def image_sizes(truth: GroundTruth, image_ids: npt.NDArray[np.int64]) -> Floats:
    """Return width and height of each detection's image, [N, 2]; NaN where unknown."""
    ids = np.array([row.id for row in truth.images], np.int64)
    sizes = np.array([(row.width or np.nan, row.height or np.nan) for row in truth.images], np.float64)
    order = np.argsort(ids)
    place = np.minimum(np.searchsorted(ids, image_ids, sorter=order), len(ids) - 1)
    found = order[place]
    return np.where((ids[found] == image_ids)[:, None], sizes[found], np.nan)


def class_ap50(one: Sample) -> float:
    """Return AP50 with the classes told apart, the mean over those that have objects."""
    return _ap50(one.truth, one.table.rows, one.image_ids)


def agnostic_ap50(one: Sample, boxes: Floats | None = None) -> float:
    """Return AP50 with all categories taken for one.

    Args:
        one: Objects and detections.
        boxes: float64 [N, 4], x, y, width, height: the detections' boxes read in another way; None for as they are.
    """
    rows = _read(one, one.table.boxes if boxes is None else boxes)
    return _ap50(one.truth.as_one_category(ONE), rows[_usable(rows)], one.image_ids)


def highest_ap50(one: Sample, boxes: Floats) -> float:
    """Return what `agnostic_ap50` does not exceed: AP where whatever overlaps enough is right and nothing is wrong.

    It takes a small part of the time. No recall is above the share of objects that a box overlaps enough.
    """
    detections, objects = one.pairs
    usable = _usable(_read(one, boxes))[detections]
    detections, objects = detections[usable], objects[usable]
    pairs = edges(boxes).take(detections), edges(one.truth.boxes).take(objects)
    apart = overlaps_of_edges(*pairs, np.zeros(len(objects), np.bool_)) < THRESHOLDS[0] - _SLACK
    n_found, n_objects = len(np.unique(objects[~apart])), int(one.to_be_found.sum())
    return float((n_found / max(n_objects, 1) + _SLACK >= RECALLS).mean())


def _read(one: Sample, boxes: Floats) -> Floats:
    """Return the detections with these boxes, all of one category."""
    rows = one.table.rows.copy()
    rows[:, 1:5], rows[:, 6] = boxes, ONE
    return rows


def _usable(rows: Floats) -> Bools:
    usable: Bools = np.asarray(np.isfinite(rows).all(axis=1) & (rows[:, 3:5] > 0).all(axis=1))
    return usable


def _ap50(truth: GroundTruth, rows: Floats, image_ids: Sequence[int]) -> float:
    found = curves.run("harness", truth, DetectionTable(rows), image_ids)
    return mean(found.precision[0, :, :, 0]) or 0.0
