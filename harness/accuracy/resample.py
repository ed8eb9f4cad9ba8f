"""COCO's mAP of the same detections under many weightings of the images, from matches made once.

A resample of the images is a whole number for each image: how often it was drawn. All counts of true and false
positives become weighted counts, and nothing is matched or sorted again.

Only true positives can raise the precision at a recall, so the curve is computed at those, and what lies between
them is in one running count for all thresholds. A category's detections behind its last true positive are left out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.accuracy.array_curves import RECALLS
from harness.accuracy.matches import Matches
from harness.accuracy.ordering import Ints

Floats = npt.NDArray[np.float64]
Weights = npt.NDArray[np.int32]
Counts = npt.NDArray[np.unsignedinteger[Any]]
_LANES = 8
"""Bytes in a word."""


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

    @property
    def content(self) -> bytes:
        """A hash of all of it: two with the same have the same mAP for every weighting."""
        found = hashlib.sha256()
        for part in (self.truth_images, self.images, *self.hits, *self.ignored):
            found.update(len(part).to_bytes(8, "little"))
            found.update(np.ascontiguousarray(part).data)
        return found.digest()


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
    return mean_of(average_precisions(found, weights), len(weights))


AveragePrecision = tuple[Floats, npt.NDArray[np.bool_]]
"""The AP of each weighting, float64 [B], and whether an image with the category's annotations counts there."""


def average_precisions(found: list[Category], weights: Weights) -> list[AveragePrecision]:
    """Compute the AP of each category for each weighting, int32 [B, I]."""
    by_image, room = _by_image(weights), _Room(int(weights.max(initial=0)))
    several = []
    for category in found:
        wanted = by_image.take(category.truth_images, axis=0).sum(axis=0, dtype=np.int64)[: len(weights)]
        several.append((_average_precision(category, by_image, wanted, room), wanted > 0))
    return several


def mean_of(several: Sequence[AveragePrecision], n_weightings: int) -> Floats:
    """Return the mean over the categories that have annotations, float64 [B]; NaN where none has."""
    total, known = np.zeros(n_weightings), np.zeros(n_weightings, np.int64)
    for precision, is_known in several:
        total += precision
        known += is_known
    means: Floats = np.divide(total, known, out=np.full(n_weightings, np.nan), where=known > 0)
    return means


def _by_image(weights: Weights) -> Counts:
    """Turn the weights round, [I, B + some zeros]: what an image counts is then one row, of whole words of 8 bytes."""
    n_weightings, n_images = weights.shape
    most = int(weights.max(initial=0))
    kind = np.uint8 if most <= np.iinfo(np.uint8).max else np.uint32
    by_image = np.zeros((n_images, -(-n_weightings // _LANES) * _LANES), kind)
    by_image[:, :n_weightings] = weights.T
    return by_image


def _average_precision(category: Category, by_image: Counts, wanted: Ints, room: _Room) -> Floats:
    """Return the category's AP over all thresholds, float64 [B]; 0 where nothing is to be found."""
    n, total = len(wanted), np.zeros(len(wanted))
    places = _distinct(np.concatenate(category.hits))
    if not len(places):
        return total
    counts = by_image.take(category.images, axis=0)
    # As floats, which a quotient is taken of, and 1 at least: all of it once, not for each threshold.
    seen = np.maximum(_seen(counts, places)[:, :n], 1).astype(np.float64)
    reached = _recalls_reached(wanted)
    groups = [(hits, ignored, n_alike) for (hits, ignored), n_alike in _thresholds(category) if len(hits)]
    active = _active([len(hits) for hits, _, _ in groups])
    right, best = room.of(len(active), len(groups), n)
    for number, (hits, _, _) in enumerate(groups):
        right[: len(hits), number] = counts.take(hits, axis=0)[:, :n]
    _add_up(right, active)
    for number, (hits, ignored, _) in enumerate(groups):
        judged = seen.take(np.searchsorted(places, hits), axis=0)
        if len(ignored):
            _leave_out(judged, counts.take(ignored, axis=0)[:, :n], np.searchsorted(hits, ignored))
        own = slice(None, len(hits)), number
        np.divide(right[own], judged, out=best[own])
    _take_best_after(best, active)
    for number, (hits, _, n_alike) in enumerate(groups):
        own = slice(None, len(hits)), number
        total += n_alike * _area(best[own], reached.at(right[own]))
    total[wanted == 0] = 0.0
    return total / len(category.hits)


class _Room:
    """Arrays of one category after another: memory that is asked for anew costs as much as the sums.

    Args:
        most: Greatest weight of an image.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._right: npt.NDArray[np.integer[Any]] = np.empty(0, np.uint16)
        self._best = np.empty(0)

    def of(self, n_rows: int, n_groups: int, n: int) -> tuple[npt.NDArray[np.integer[Any]], Floats]:
        """Return arrays of a shape [rows, groups, B], for whole numbers and for floats, with anything in them."""
        shape, size = (n_rows, n_groups, n), n_rows * n_groups * n
        kind = np.uint16 if n_rows * self._most <= np.iinfo(np.uint16).max else np.int32
        if self._right.size < size or self._right.dtype != kind:
            self._right = np.empty(size, kind)
        if self._best.size < size:
            self._best = np.empty(size)
        return self._right[:size].reshape(shape), self._best[:size].reshape(shape)


def _active(lengths: list[int]) -> Ints:
    """Return for each row how many groups reach so far, those before them counted in: int64 [greatest length].

    Groups get shorter from threshold to threshold; where one does not, the shorter ones before it are taken along.
    """
    covered = np.maximum.accumulate(lengths[::-1])[::-1]
    return np.searchsorted(-covered, -np.arange(1, covered[0] + 1), side="right")


def _add_up(rows: npt.NDArray[np.integer[Any]], active: Ints) -> None:
    """Add up from row to row, for all groups at once: each row is a piece of memory, which makes it fast."""
    for k in range(1, len(rows)):
        row = rows[k, : active[k]]
        np.add(row, rows[k - 1, : active[k]], out=row)


def _take_best_after(rows: Floats, active: Ints) -> None:
    """Replace each row by the greatest of it and those after it, for all groups at once."""
    for k in range(len(rows) - 2, -1, -1):
        row = rows[k, : active[k + 1]]
        np.maximum(row, rows[k + 1, : active[k + 1]], out=row)


def _thresholds(category: Category) -> Iterator[tuple[tuple[Ints, Ints], int]]:
    """Yield hits and ignored places, and at how many thresholds in a row they are the same."""
    pairs = zip(category.hits, category.ignored, strict=True)
    for _, alike in groupby(pairs, key=lambda pair: (pair[0].tobytes(), pair[1].tobytes())):
        same = list(alike)
        yield same[0], len(same)


def _seen(counts: Counts, places: Ints) -> Weights:
    """Count the detections up to each place, itself among them: int32 [P, B].

    Bytes are added eight at a time, as one word, in stretches so short that none of them overflows.
    """
    starts = np.concatenate([[0], places[:-1] + 1])
    if counts.dtype != np.uint8:
        return _running_sums(np.add.reduceat(counts[: places[-1] + 1], starts, axis=0))
    stretch = np.iinfo(np.uint8).max // max(int(counts.max(initial=0)), 1)
    cuts = _distinct(np.concatenate([starts, np.arange(0, places[-1] + 1, stretch)]))
    words = np.add.reduceat(counts[: places[-1] + 1].view(np.uint64), cuts, axis=0)
    return _running_sums(words.view(np.uint8)).take(np.searchsorted(cuts, places + 1) - 1, axis=0)


def _distinct(numbers: Ints) -> Ints:
    """Return whole numbers from 0 on sorted, each once; `np.unique` would load `numpy.ma`."""
    return np.flatnonzero(np.bincount(numbers))


def _running_sums(counts: Counts) -> Weights:
    """Add up from row to row: int32 [N, B]. Row by row, a row at once, which `cumsum` along this axis does not."""
    sums = counts.astype(np.int32)
    for before, row in pairwise(sums):
        np.add(row, before, out=row)
    return sums


def _leave_out(judged: Floats, ignored: Counts, before: Ints) -> None:
    """Take the ignored detections before each hit off the count at it, float64 [H, B]; 1 is left at least.

    Args:
        judged: The counts, changed in place.
        ignored: How often each of the ignored counts, [J, B].
        before: int64 [J], the hit that each of them stands before.
    """
    sums = _running_sums(ignored)
    for begin, end, passed in zip(before, [*before[1:], len(judged)], sums, strict=True):
        if begin < end:
            rows = judged[begin:end]
            np.subtract(rows, passed, out=rows)
            if rows[0].min() < 1:  # of a weighting the counts rise from hit to hit
                np.maximum(rows, 1, out=rows)


def _area(best: Floats, recalls: npt.NDArray[np.uint8]) -> Floats:
    """Average the precision over the 101 recalls: float64 [B].

    The precision at a recall is the best at this recall or a higher one; each hit brings it for the recalls
    that it is the first to reach.

    Args:
        best: float64 [H, B], at each hit.
        recalls: uint8 [H, B], how many recalls are reached with it; never fewer than before.
    """
    steps = recalls.copy()
    np.subtract(recalls[1:], recalls[:-1], out=steps[1:])
    # One column of several groups' is no piece of memory, in which sums are taken in another order.
    best = best if best.shape[1] > 1 else np.ascontiguousarray(best)
    return np.asarray(np.einsum("hb,hb->b", best, steps.astype(np.float64)) / len(RECALLS))


@dataclass(frozen=True)
class _Reached:
    """How many of the 101 recalls are reached with so many hits.

    Attributes:
        table: uint8 [V, 1 + greatest number wanted], for each of the V numbers wanted that occur.
        offsets: int64 [B], where the row of each weighting begins in the table; an index, which is not converted.
    """

    table: npt.NDArray[np.uint8]
    offsets: Ints

    def at(self, right: npt.NDArray[np.integer[Any]]) -> npt.NDArray[np.uint8]:
        """Return the number for hits, int32 [H, B]."""
        return self.table.take(right + self.offsets)


def _recalls_reached(wanted: Ints) -> _Reached:
    numbers = _distinct(wanted)
    rows = np.searchsorted(numbers, wanted)
    recall = np.arange(numbers.max(initial=0) + 1) / np.maximum(numbers, 1)[:, None]
    table = np.searchsorted(RECALLS, recall, side="right").astype(np.uint8)
    return _Reached(table, rows * table.shape[1])
