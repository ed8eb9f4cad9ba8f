"""COCO's precision and recall with NumPy, from matches of all images at once.

Equal to `COCOeval.accumulate` of pycocotools to the last bit. There, each category, area and threshold counts its right
and wrong detections one by one. Only right ones change the recall or can raise the precision, and nearly all
detections are wrong at every threshold: so counts are taken at the right ones alone, from one running count of all
detections and a running correction for those that are matched.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.detections import DetectionTable
from harness.accuracy.matches import Assigned, assign
from harness.accuracy.ordering import Floats, Ints, Numbers
from harness.accuracy.scene import AREAS, THRESHOLDS, Bools, Scene, arrange, outside

RECALLS: Floats = np.linspace(0.0, 1.0, 101)
"""As pycocotools makes them."""
LIMITS = (1, 10, 100)
"""Detections of an image and category that count for recall; for precision, the last."""
_UNKNOWN = -1.0


def compute(truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> tuple[Floats, Floats]:
    """Compute precision [T, R, K, A] and recall [T, K, A, M], -1 where there is no ground truth.

    Args:
        truth: The ground truth.
        table: The detections.
        image_ids: The images to evaluate.

    Returns:
        10 IoU thresholds, 101 recalls, categories by id, 4 areas, 3 limits of detections per image.
    """
    scene = arrange(truth, table, image_ids, LIMITS[-1])
    n_categories = len(scene.category_ids)
    shape = len(THRESHOLDS), n_categories, len(AREAS)
    precision = np.full((shape[0], len(RECALLS), *shape[1:]), _UNKNOWN)
    recall = np.full((*shape, len(LIMITS)), _UNKNOWN)
    by_place = _Sorted.of(scene)
    for number, (area, assigned) in enumerate(
        zip(AREAS.values(), assign(scene, AREAS.values()), strict=True)
    ):
        ignored = scene.annotated.ignored(area)
        wanted = np.bincount(scene.annotated.categories[~ignored], minlength=n_categories)
        hits = _hits(scene, by_place, assigned, ignored, area)
        known = wanted > 0
        precision[:, :, known, number] = _precision(hits, wanted)[:, known].transpose(0, 2, 1)
        recall[:, known, number] = _recall(hits, wanted)[:, known]
    return precision, recall


@dataclass(frozen=True)
class _Sorted:
    """Detections in COCO's order: where each category begins, int64 [K + 1], and the areas, float64 [D]."""

    first: Ints
    areas: Floats

    @classmethod
    def of(cls, scene: Scene) -> _Sorted:
        counts = np.bincount(scene.detected.categories, minlength=len(scene.category_ids))
        areas = np.empty(len(scene.detected))
        areas[scene.detected.places] = scene.detected.edges.area
        return cls(np.concatenate([[0], np.cumsum(counts)]), areas)


@dataclass(frozen=True)
class _Hits:
    """Right detections by threshold and category, in COCO's order.

    Attributes:
        precision: float64 [H + 1], at each of them; the last entry is 0.
        ranks: int32 [H], place of each in its image and category.
        groups: int64 [H], threshold × K + category.
        counts: int64 [T × K], how many there are of each.
    """

    precision: Floats
    ranks: Numbers
    groups: Ints
    counts: Ints

    @property
    def first(self) -> Ints:
        """Where each group begins, int64 [T × K]."""
        return _before(self.counts)


def _before(counts: Ints) -> Ints:
    return np.cumsum(counts) - counts


def _hits(
    scene: Scene, by_place: _Sorted, assigned: Assigned, ignored: Bools, area: tuple[float, float]
) -> _Hits:
    detected = scene.detected
    of, by = assigned.detections, assigned.annotations
    # pycocotools keeps the annotation's id as the mark of a match, so that the id 0 is none.
    right = ~ignored[by] & (scene.annotated.ids[by] != 0)
    n_categories = len(scene.category_ids)
    groups = assigned.thresholds * n_categories + detected.categories[of]
    other = outside(by_place.areas, area)
    counted = np.concatenate([[0], np.cumsum(~other)])
    # What a match changes: outside the area a right one counts too, inside it one on something ignored does not.
    places = detected.places[of]
    change = np.where(right, other[places], 0) - np.where(ignored[by], ~other[places], 0)
    changes = np.concatenate([[0], np.cumsum(change)])
    n_groups = len(THRESHOLDS) * n_categories
    begins = changes[_before(np.bincount(groups, minlength=n_groups))]
    members = np.flatnonzero(right)
    places, groups = places[members], groups[members]
    counts = np.bincount(groups, minlength=n_groups)
    number = np.arange(1, len(members) + 1) - _before(counts)[groups]
    judged = counted[places + 1] - counted[by_place.first[groups % n_categories]]
    judged += changes[members + 1] - begins[groups]
    precision = np.append(number / (judged + np.spacing(1)), 0.0)
    return _Hits(precision, detected.ranks[of[members]], groups, counts)


def _precision(hits: _Hits, wanted: Ints) -> npt.NDArray[np.float64]:
    """Return the precision at each recall, the best at this recall or a higher one: float64 [T, K, R]."""
    needed = np.tile(_needed(wanted), (len(THRESHOLDS), 1))
    reached = needed <= hits.counts[:, None]
    at = hits.first[:, None] + np.where(reached, needed - 1, hits.counts[:, None])
    best = np.maximum.reduceat(hits.precision, at.ravel()).reshape(at.shape)
    best[~reached] = 0.0
    best = np.maximum.accumulate(best[:, ::-1], axis=1)[:, ::-1]
    return best.reshape(len(THRESHOLDS), len(wanted), len(RECALLS))


def _needed(wanted: Ints) -> Ints:
    """Return how many right detections reach each recall, in the arithmetic of pycocotools: int64 [K, R], from 1."""
    of = np.maximum(wanted, 1)[:, None]
    needed = np.ceil(RECALLS * of).astype(np.int64)
    needed -= (needed - 1) / of >= RECALLS
    needed += needed / of < RECALLS
    return np.maximum(needed, 1)


def _recall(hits: _Hits, wanted: Ints) -> npt.NDArray[np.float64]:
    """Return the recall for each limit of detections: float64 [T, K, M]."""
    n_groups = len(hits.counts)
    counts = [np.bincount(hits.groups[hits.ranks < limit], minlength=n_groups) for limit in LIMITS]
    return np.stack(counts, axis=-1).reshape(len(THRESHOLDS), len(wanted), len(LIMITS)) / np.maximum(
        wanted, 1
    ).reshape(1, -1, 1)
