"""Which detection found which annotation: COCO's matching, for all images and thresholds at once.

Equal to `COCOeval.evaluateImg` of pycocotools. There, each image, category and threshold is a loop over
detections and annotations. Here, the detections are matched in rounds: the first detection (by score) of every
image and category, then the second of each, so that one round is a few array operations.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.boxes import overlaps
from harness.accuracy.detections import DetectionTable

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10)
"""IoU thresholds, as pycocotools makes them."""
ALL_AREAS = (0.0, 1e10)
"""px²; the range `all` of pycocotools."""
_NEVER_ABOVE = 1 - 1e-10
_BLOCK = 1 << 15
"""Detections whose overlaps are computed at a time, so that memory is bounded."""


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
class _Detected:
    """Detections of the evaluated images and categories by (category, image, falling score)."""

    rows: Ints
    images: Ints
    categories: Ints
    keys: Ints


@dataclass(frozen=True)
class _Annotated:
    """Annotations by (category, image, those to ignore last)."""

    rows: Ints
    images: Ints
    categories: Ints
    keys: Ints
    ignored: Bools


@dataclass(frozen=True)
class _Pairs:
    """A detection and an annotation that overlap enough, best annotation of a detection first."""

    detections: Ints
    annotations: Ints
    overlaps: Floats


def match(
    truth: GroundTruth,
    table: DetectionTable,
    image_ids: Sequence[int] | None = None,
    area: tuple[float, float] = ALL_AREAS,
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
    known = [row.id for row in truth.images] if image_ids is None else list(image_ids)
    images, categories = np.unique(np.asarray(known, np.int64)), np.array(list(truth.categories), np.int64)
    annotated = _annotated(truth, images, categories, area)
    detected = _detected(table, images, categories, limit)
    pairs = _pairs(truth, table, detected, annotated)
    found, ignored = _outcomes(truth, annotated, _assign(truth, annotated, detected, pairs))
    ignored |= (found < 0) & _outside(table.boxes[detected.rows, 2:].prod(axis=1), area)
    order = np.lexsort((-table.scores[detected.rows], detected.categories))
    wanted = ~annotated.ignored
    return Matches(
        image_ids=images,
        category_ids=categories,
        first=np.searchsorted(detected.categories, np.arange(len(categories) + 1)),
        rows=detected.rows[order],
        images=detected.images[order],
        found=found[:, order],
        ignored=ignored[:, order],
        truth_rows=annotated.rows[wanted],
        truth_images=annotated.images[wanted],
        truth_first=np.searchsorted(annotated.categories[wanted], np.arange(len(categories) + 1)),
    )


def _outcomes(
    truth: GroundTruth, annotated: _Annotated, found: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], Bools]:
    """Turn positions in `annotated` into rows of the ground truth, and tell which detections to ignore."""
    rows = np.append(annotated.rows, -1).astype(np.int32)[found]  # -1, nothing found, is the last of them
    ignored = np.append(annotated.ignored, False)[found]
    # pycocotools keeps the annotation's id as the mark of a match, so that the id 0 is none.
    rows[np.append(truth.ids, 1)[rows] == 0] = -1
    return rows, ignored


def _outside(areas: Floats, area: tuple[float, float]) -> Bools:
    return np.asarray((areas < area[0]) | (areas > area[1]))


def _annotated(truth: GroundTruth, images: Ints, categories: Ints, area: tuple[float, float]) -> _Annotated:
    rows = np.flatnonzero(np.isin(truth.image_ids, images))
    at = np.searchsorted(images, truth.image_ids[rows])
    of = np.searchsorted(categories, truth.category_ids[rows])
    keys = of * len(images) + at
    ignored = truth.crowd[rows] | _outside(truth.areas[rows], area)
    order = np.lexsort((ignored, keys))
    return _Annotated(rows[order], at[order], of[order], keys[order], ignored[order])


def _detected(table: DetectionTable, images: Ints, categories: Ints, limit: int) -> _Detected:
    chosen = np.isin(table.image_ids, images) & np.isin(table.category_ids, categories)
    rows = np.flatnonzero(chosen)
    at = np.searchsorted(images, table.image_ids[rows])
    of = np.searchsorted(categories, table.category_ids[rows])
    keys = of * len(images) + at
    order = np.lexsort((-table.scores[rows], keys))
    keys = keys[order]
    best = np.arange(len(keys)) - np.searchsorted(keys, keys) < limit
    order = order[best]
    return _Detected(rows[order], at[order], of[order], keys[best])


def _pairs(truth: GroundTruth, table: DetectionTable, detected: _Detected, annotated: _Annotated) -> _Pairs:
    blocks = list(_pair_blocks(truth, table, detected, annotated))
    if not blocks:
        return _Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    of, by, overlap = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
    order = np.lexsort((-by, -overlap, annotated.ignored[by], of))
    return _Pairs(of[order], by[order], overlap[order])


def _pair_blocks(
    truth: GroundTruth, table: DetectionTable, detected: _Detected, annotated: _Annotated
) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Yield detections, annotations and overlaps of at least the lowest threshold, block by block."""
    boxes, crowd = truth.boxes[annotated.rows], truth.crowd[annotated.rows]
    for begin in range(0, len(detected.rows), _BLOCK):
        keys = detected.keys[begin : begin + _BLOCK]
        low, high = (np.searchsorted(annotated.keys, keys, side) for side in ("left", "right"))
        counts = high - low
        of = np.repeat(np.arange(len(keys)), counts)
        by = np.arange(len(of)) + np.repeat(low - np.cumsum(counts) + counts, counts)
        overlap = overlaps(table.boxes[detected.rows[begin + of]], boxes[by], crowd[by])
        enough = overlap >= THRESHOLDS[0]
        yield begin + of[enough], by[enough], overlap[enough]


def _assign(
    truth: GroundTruth, annotated: _Annotated, detected: _Detected, pairs: _Pairs
) -> npt.NDArray[np.int32]:
    """Give each detection, in the order of scores, its best annotation that is still free: int32 [T, D]."""
    found = np.full((len(THRESHOLDS), len(detected.rows)), -1, np.int32)
    free = np.ones((len(THRESHOLDS), len(annotated.rows)), np.bool_)
    crowd = truth.crowd[annotated.rows]
    thresholds = np.minimum(THRESHOLDS, _NEVER_ABOVE)[:, None]
    for members in _rounds(detected.keys, pairs.detections):
        of, by = pairs.detections[members], pairs.annotations[members]
        begins = np.flatnonzero(np.diff(of, prepend=-1))
        possible = (pairs.overlaps[members] >= thresholds) & (free[:, by] | crowd[by])
        place = np.where(possible, np.arange(len(of)), len(of))
        best = np.minimum.reduceat(place, begins, axis=1)
        at, which = np.nonzero(best < len(of))
        chosen = by[best[at, which]]
        found[at, of[begins[which]]] = chosen
        free[at, chosen] = False
    return found


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
