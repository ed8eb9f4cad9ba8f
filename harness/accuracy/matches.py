"""Which detection found which annotation: COCO's matching, for all images and thresholds at once.

Equal to `COCOeval.evaluateImg` of pycocotools. There, each image, category and threshold is a loop over detections and
annotations. Nearly all detections overlap with one annotation at most: then the first by score that overlaps enough
finds it, whatever the area, which needs no loop. Where one of an image and category has a choice, its detections are
matched in rounds: the first of every image and category, then the second of each, so that one round is a few array
operations.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.detections import DetectionTable
from harness.accuracy.ordering import Ints, Numbers, stable_order
from harness.accuracy.scene import (
    AREAS,
    THRESHOLDS,
    Annotated,
    Bools,
    Detected,
    Pairs,
    Scene,
    arrange,
    outside,
)

_NEVER_ABOVE = 1 - 1e-10
_ENOUGH = np.minimum(THRESHOLDS, _NEVER_ABOVE)


@dataclass(frozen=True)
class Matches:
    """What each detection found, sorted by category, then by falling score, then by image.

    Attributes:
        image_ids: int64 [I], the evaluated images, sorted.
        category_ids: int64 [K], sorted.
        first: int64 [K + 1], where each category's detections begin; the last entry is D.
        rows: int64 [D], row of each detection in its table; the best 100 of an image and category.
        images: int64 [D], index of the detection's image in `image_ids`.
        found: int32 [T, D], the annotation's row in the ground truth, or -1: 10 IoU thresholds.
        ignored: bool [T, D], whether the detection counts for nothing (it is on a crowd).
        truth_rows: int64 [G], rows of the annotations that are to be found, sorted by category.
        truth_images: int64 [G], index of their image.
        truth_first: int64 [K + 1], where each category's annotations begin.
    """

    image_ids: Ints
    category_ids: Ints
    first: Ints
    rows: Ints
    images: Ints
    found: npt.NDArray[np.int32]
    ignored: Bools
    truth_rows: Ints
    truth_images: Ints
    truth_first: Ints


@dataclass(frozen=True)
class Assigned:
    """Annotations given to detections, by threshold, then in COCO's order of detections.

    Attributes:
        thresholds: int64 [M], index of the IoU threshold.
        detections: int64 [M], index in the scene's detections.
        annotations: int64 [M], index in the scene's annotations.
    """

    thresholds: Ints
    detections: Ints
    annotations: Ints


def match(
    truth: GroundTruth,
    table: DetectionTable,
    image_ids: Sequence[int] | None = None,
    area: tuple[float, float] = AREAS["all"],
    limit: int = 100,
) -> Matches:
    """Match detections with annotations at the 10 IoU thresholds.

    Args:
        truth: The ground truth.
        table: The detections; those of other images and categories are left out.
        image_ids: The images to evaluate, all for None.
        area: Annotations of another area in px² are to be ignored, and unmatched detections of another area.
        limit: Detections of an image and category that count, the best first.

    Source: pycocotools `COCOeval.evaluateImg` and the order of `COCOeval.accumulate`.
    """
    known = [row.id for row in truth.images] if image_ids is None else image_ids
    scene = arrange(truth, table, known, limit)
    detected, annotated = scene.detected, scene.annotated
    (assigned,) = assign(scene, [area])
    found, ignored = _outcomes(scene, assigned, area)
    order, wanted = _inverse(detected.places), ~annotated.ignored(area)
    numbers = np.arange(len(scene.category_ids) + 1)
    return Matches(
        image_ids=scene.image_ids,
        category_ids=scene.category_ids,
        first=np.searchsorted(detected.categories, numbers),
        rows=detected.rows[order],
        images=detected.images[order].astype(np.int64),
        found=found,
        ignored=ignored,
        truth_rows=annotated.rows[wanted],
        truth_images=annotated.images[wanted].astype(np.int64),
        truth_first=np.searchsorted(annotated.categories[wanted], numbers),
    )


def _inverse(places: Numbers) -> Ints:
    order = np.empty(len(places), np.int64)
    order[places] = np.arange(len(places))
    return order


def _outcomes(
    scene: Scene, assigned: Assigned, area: tuple[float, float]
) -> tuple[npt.NDArray[np.int32], Bools]:
    """Return which row of the ground truth each detection found, and which detections to ignore, in COCO's order."""
    detected, annotated = scene.detected, scene.annotated
    at = assigned.thresholds, detected.places[assigned.detections]
    found = np.full((len(THRESHOLDS), len(detected)), -1, np.int32)
    # pycocotools keeps the annotation's id as the mark of a match, so that the id 0 is none.
    found[at] = np.where(annotated.ids == 0, -1, annotated.rows)[assigned.annotations]
    others = np.empty(len(detected), np.bool_)
    others[detected.places] = outside(detected.edges.area, area)
    ignored = (found < 0) & others
    ignored[at] |= annotated.ignored(area)[assigned.annotations]
    return found, ignored


def assign(scene: Scene, areas: Iterable[tuple[float, float]]) -> Iterator[Assigned]:
    """Give each detection, in the order of scores, its best annotation that is still free.

    Args:
        scene: Detections and annotations.
        areas: Ranges in px²: annotations of other areas are taken where no other is free.

    Yields:
        What was assigned, for each of the areas.
    """
    contested = _contested(scene)
    alone = _first_by_score(scene.pairs.some(np.flatnonzero(~contested)))
    pairs = scene.pairs.some(np.flatnonzero(contested))
    for area in areas:
        chosen = _in_rounds(scene.detected, scene.annotated, pairs, scene.annotated.ignored(area))
        yield _in_order(scene.detected, (np.concatenate(parts) for parts in zip(alone, chosen, strict=True)))


def _in_order(detected: Detected, columns: Iterable[Ints]) -> Assigned:
    thresholds, detections, annotations = columns
    order = stable_order(thresholds * len(detected) + detected.places[detections])
    return Assigned(thresholds[order], detections[order], annotations[order])


def _contested(scene: Scene) -> Bools:
    """Tell of each pair whether in its image and category a detection has a choice, or may be on a crowd."""
    pairs = scene.pairs
    if not len(pairs.detections):
        return np.empty(0, np.bool_)
    again = np.diff(pairs.detections, prepend=-1) == 0
    choice = again | np.append(again[1:], False) | scene.annotated.crowd[pairs.annotations]
    keys = scene.detected.keys[pairs.detections]
    begins = np.flatnonzero(np.diff(keys, prepend=-1))
    return np.repeat(np.logical_or.reduceat(choice, begins), np.diff(begins, append=len(keys)))


def _first_by_score(pairs: Pairs) -> tuple[Ints, Ints, Ints]:
    """Give each annotation to the first detection that overlaps enough: thresholds, detections, annotations."""
    pairs = pairs.some(stable_order(pairs.annotations))
    chosen = []
    for enough in _ENOUGH:
        members = np.flatnonzero(pairs.overlaps >= enough)
        chosen.append(members[np.diff(pairs.annotations[members], prepend=-1) > 0])
    thresholds = np.repeat(np.arange(len(_ENOUGH)), [len(members) for members in chosen])
    members = np.concatenate(chosen)
    return thresholds, pairs.detections[members], pairs.annotations[members]


def _in_rounds(
    detected: Detected, annotated: Annotated, pairs: Pairs, ignored: Bools
) -> tuple[Ints, Ints, Ints]:
    """Match detections that have a choice: thresholds, detections, annotations."""
    by, at = np.unique(pairs.annotations, return_inverse=True)
    order = np.lexsort((-at, -pairs.overlaps, ignored[pairs.annotations], pairs.detections))
    pairs, at = pairs.some(order), at[order]
    free, crowd = np.ones((len(_ENOUGH), len(by)), np.bool_), annotated.crowd[by]
    empty = np.empty(0, np.int64)
    parts = [(empty, empty, empty)]
    for members in _rounds(detected.keys, pairs.detections):
        of, places = pairs.detections[members], at[members]
        begins = np.flatnonzero(np.diff(of, prepend=-1))
        possible = (pairs.overlaps[members] >= _ENOUGH[:, None]) & (free[:, places] | crowd[places])
        place = np.where(possible, np.arange(len(of)), len(of))
        best = np.minimum.reduceat(place, begins, axis=1)
        thresholds, which = np.nonzero(best < len(of))
        chosen = places[best[thresholds, which]]
        free[thresholds, chosen] = False
        parts.append((thresholds, of[begins[which]], by[chosen]))
    thresholds, detections, annotations = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    return thresholds, detections, annotations


def _rounds(keys: Ints, detections: Ints) -> Iterator[Ints]:
    """Yield the pairs of the first detection of every image and category, then of the second, and so on.

    Args:
        keys: int64 [D], image and category of each detection.
        detections: int64 [P], sorted, the detection of each pair.
    """
    if not len(detections):
        return
    begins = np.diff(detections, prepend=-1) > 0
    candidates = detections[begins]
    groups = keys[candidates]
    turn = np.arange(len(groups)) - np.searchsorted(groups, groups)
    turns = turn[np.cumsum(begins) - 1]
    order = np.argsort(turns, kind="stable")
    yield from np.split(order, np.cumsum(np.bincount(turns))[:-1])
