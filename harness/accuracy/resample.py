"""COCO's mAP of the same detections under many weightings of the images, from matches made once.

A resample of the images is a whole number for each image: how often it was drawn. All counts of true and false
positives become weighted counts, and nothing is matched or sorted again.

Only true positives can raise the precision at a recall, so the curve is computed at those, and what lies between
them is in one running count for all thresholds. A category's detections behind its last true positive are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import numpy.typing as npt

from harness.accuracy.matches import Ints, Matches

Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.int32]

RECALLS: Floats = np.linspace(0.0, 1.0, 101)
"""As pycocotools makes them."""


@dataclass(frozen=True)
class Category:
    """What one category's mAP depends on.

    Attributes:
        truth_images: int64 [G], image of each annotation that is to be found.
        images: int64 [D], image of each detection, by falling score, up to the last true positive.
        hits: At each IoU threshold int64 [H], places of the true positives among the detections.
        ignored: At each IoU threshold int64 [J], places of the detections that count for nothing.
    """

    truth_images: Ints
    images: Ints
    hits: tuple[Ints, ...]
    ignored: tuple[Ints, ...]


def categories(matches: Matches) -> list[Category]:
    """Return the categories that have something to be found."""
    found = (_category(matches, k) for k in range(len(matches.category_ids)))
    return [category for category in found if len(category.truth_images)]


def _category(matches: Matches, k: int) -> Category:
    members = slice(matches.first[k], matches.first[k + 1])
    ignored = matches.ignored[:, members]
    hits = (matches.found[:, members] >= 0) & ~ignored
    end = int(np.flatnonzero(hits.any(axis=0)).max(initial=-1)) + 1
    return Category(
        truth_images=matches.truth_images[matches.truth_first[k] : matches.truth_first[k + 1]],
        images=matches.images[members][:end],
        hits=tuple(np.flatnonzero(row) for row in hits),
        ignored=tuple(np.flatnonzero(row[:end]) for row in ignored),
    )


def mean_average_precision(found: list[Category], weights: Weights) -> Floats:
    """Compute the mAP of each weighting.

    Args:
        found: The categories.
        weights: int32 [B, I], how often each image counts.

    Returns:
        float64 [B], 0…1; NaN where no image with annotations counts. As in COCO, a category without
        annotations in the images is left out of the mean.
    """
    total, known = np.zeros(len(weights)), np.zeros(len(weights), np.int64)
    for category in found:
        wanted = weights.take(category.truth_images, axis=1).sum(axis=1)
        total += _average_precision(category, weights, wanted)
        known += wanted > 0
    means: Floats = np.divide(total, known, out=np.full(len(weights), np.nan), where=known > 0)
    return means


def _average_precision(category: Category, weights: Weights, wanted: Ints) -> Floats:
    """Return the category's AP over all thresholds, float64 [B]; 0 where nothing is to be found."""
    counts = weights.take(category.images, axis=1)
    seen = np.cumsum(counts, axis=1, dtype=np.int32)
    reached = _recalls_reached(wanted)
    total = np.zeros(len(weights))
    for (hits, ignored), n_alike in _thresholds(category):
        if len(hits):
            right = np.cumsum(counts.take(hits, axis=1), axis=1, dtype=np.int32)
            total += n_alike * _area(right, _judged(seen, counts, hits, ignored), reached)
    total[wanted == 0] = 0.0
    return total / len(category.hits)


def _thresholds(category: Category) -> Iterator[tuple[tuple[Ints, Ints], int]]:
    """Yield hits and ignored places, and at how many thresholds in a row they are the same."""
    pairs = zip(category.hits, category.ignored, strict=True)
    for _, alike in groupby(pairs, key=lambda pair: (pair[0].tobytes(), pair[1].tobytes())):
        same = list(alike)
        yield same[0], len(same)


def _judged(seen: Weights, counts: Weights, hits: Ints, ignored: Ints) -> Weights:
    """Count the detections up to each hit, without the ignored ones: int32 [B, H]."""
    judged = seen.take(hits, axis=1)
    if len(ignored):
        passed = np.zeros((len(counts), len(ignored) + 1), np.int32)
        np.cumsum(counts.take(ignored, axis=1), axis=1, out=passed[:, 1:])
        judged -= passed.take(np.searchsorted(ignored, hits), axis=1)
    return judged


def _area(right: Weights, judged: Weights, reached: npt.NDArray[np.uint8]) -> Floats:
    """Average the precision over the 101 recalls: float64 [B].

    The precision at a recall is the best at this recall or a higher one; each hit brings it for the recalls
    that it is the first to reach.
    """
    precision = np.divide(right, np.maximum(judged, 1, out=judged))
    best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    offsets = np.arange(len(right), dtype=np.int64)[:, None] * reached.shape[1]
    recalls = reached.take(right + offsets).astype(np.float64)
    steps = np.diff(recalls, axis=1, prepend=0.0)
    return np.asarray(np.einsum("bh,bh->b", best, steps) / len(RECALLS))


def _recalls_reached(wanted: Ints) -> npt.NDArray[np.uint8]:
    """How many of the 101 recalls are reached with so many hits: uint8 [B, 1 + greatest number wanted]."""
    recall = np.arange(wanted.max(initial=0) + 1) / np.maximum(wanted, 1)[:, None]
    return np.searchsorted(RECALLS, recall, side="right").astype(np.uint8)
