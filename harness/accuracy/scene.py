"""Detections and annotations of the images to evaluate, in COCO's orders, and which of them overlap enough to match."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.boxes import Edges, edges, overlaps_of_edges
from harness.accuracy.detections import DetectionTable
from harness.accuracy.ordering import Floats, Ints, Numbers, falling_order, places, stable_order

Bools = npt.NDArray[np.bool_]

THRESHOLDS: Floats = np.linspace(0.5, 0.95, 10)
"""IoU thresholds, as pycocotools makes them."""
AREAS: dict[str, tuple[float, float]] = {
    "all": (0.0, 1e10),
    "small": (0.0, 32.0**2),
    "medium": (32.0**2, 96.0**2),
    "large": (96.0**2, 1e10),
}
"""px², as pycocotools has them; both ends belong to them."""
_BLOCK = 1 << 15
"""Detections whose overlaps are computed at a time, so that memory is bounded."""


@dataclass(frozen=True)
class Detected:
    """The best detections of each image and category, by (category, image, falling score).

    Attributes:
        rows: int64 [D], their rows in the table.
        images: int32 [D], index of the image.
        categories: int32 [D], index of the category.
        keys: int64 [D], category × number of images + image.
        ranks: int32 [D], place in its image and category, from 0.
        places: int32 [D], place in COCO's order of all: category, falling score, image.
        edges: The boxes.
    """

    rows: Ints
    images: Numbers
    categories: Numbers
    keys: Ints
    ranks: Numbers
    places: Numbers
    edges: Edges

    def __len__(self) -> int:
        """Return the number of detections."""
        return len(self.rows)


@dataclass(frozen=True)
class Annotated:
    """Annotations of the images, by (category, image)."""

    rows: Ints
    images: Numbers
    categories: Numbers
    keys: Ints
    ids: Ints
    edges: Edges
    areas: Floats
    crowd: Bools

    def ignored(self, area: tuple[float, float]) -> Bools:
        """Tell which are not to be found: crowds, and those of another area."""
        return self.crowd | outside(self.areas, area)


@dataclass(frozen=True)
class Pairs:
    """Detections and annotations that overlap by the lowest threshold at least, in the order of both."""

    detections: Ints
    annotations: Ints
    overlaps: Floats

    def some(self, which: Ints) -> Pairs:
        """Return some of the pairs."""
        return Pairs(self.detections[which], self.annotations[which], self.overlaps[which])


@dataclass(frozen=True)
class Scene:
    """What is matched.

    Attributes:
        image_ids: int64 [I], the evaluated images, sorted.
        category_ids: int64 [K], sorted.
        detected: The detections.
        annotated: The annotations.
        pairs: Those that may match.
    """

    image_ids: Ints
    category_ids: Ints
    detected: Detected
    annotated: Annotated
    pairs: Pairs


def arrange(truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int], limit: int = 100) -> Scene:
    """Arrange what is to be matched.

    Args:
        truth: The ground truth.
        table: The detections; those of other images and categories are left out.
        image_ids: The images to evaluate.
        limit: Detections of an image and category that count, the best first.
    """
    images = np.array(sorted(set(image_ids)), np.int64)  # `np.unique` would load `numpy.ma`
    categories = np.array(list(truth.categories), np.int64)
    detected = _detected(table, images, categories, limit)
    annotated = _annotated(truth, images, categories)
    return Scene(images, categories, detected, annotated, _pairs(detected, annotated))


def outside(areas: Floats, area: tuple[float, float]) -> Bools:
    """Tell which areas are not in a range."""
    return np.asarray((areas < area[0]) | (areas > area[1]))


def _detected(table: DetectionTable, images: Ints, categories: Ints, limit: int) -> Detected:
    at, of = places(images, table.rows[:, 0]), places(categories, table.rows[:, 6])
    by_score = _by_score(table, at, of)
    keys = of.take(by_score).astype(np.int64)
    numbers = stable_order(keys)  # of positions in `by_score`, as all orders from here on
    keys *= len(images)
    keys += at.take(by_score)
    order = stable_order(keys)
    keys = keys.take(order)
    ranks = _ranks(keys)
    if limit <= ranks.max(initial=0):
        kept = ranks < limit
        order, keys, ranks = order[kept], keys[kept], ranks[kept]
        numbers = numbers[np.isin(numbers, order)]
    rows = by_score.take(order)
    boxes = edges(np.ascontiguousarray(table.boxes)).take(rows)
    return Detected(
        rows=rows,
        images=at.take(rows),
        categories=of.take(rows),
        keys=keys,
        ranks=ranks,
        places=_places(numbers, len(by_score)).take(order),
        edges=boxes,
    )


def _by_score(table: DetectionTable, images: Numbers, categories: Numbers) -> Ints:
    """Return rows of the table by falling score, those of the same score by image."""
    rows = np.flatnonzero((images >= 0) & (categories >= 0))
    of = images if len(rows) == len(images) else images[rows]
    if (of[1:] < of[:-1]).any():
        rows = rows.take(stable_order(of))
    return rows.take(falling_order(table.scores.take(rows)))


def _ranks(keys: Ints) -> npt.NDArray[np.int32]:
    """Return the place of each among those of the same key, which stand together."""
    numbers = np.arange(len(keys), dtype=np.int32)
    begins = np.ones(len(keys), np.bool_)
    np.not_equal(keys[1:], keys[:-1], out=begins[1:])
    first = np.flatnonzero(begins).astype(np.int32)
    return numbers - np.repeat(first, np.diff(first, append=np.int32(len(keys))))


def _places(order: Ints, n: int) -> npt.NDArray[np.int32]:
    """Return where each of n numbers stands in an order of some of them."""
    found = np.empty(n, np.int32)
    found[order] = np.arange(len(order), dtype=np.int32)
    return found


def _annotated(truth: GroundTruth, images: Ints, categories: Ints) -> Annotated:
    at, of = places(images, truth.image_ids), places(categories, truth.category_ids)
    rows = np.flatnonzero((at >= 0) & (of >= 0))
    keys = of[rows].astype(np.int64) * len(images) + at[rows]
    order = stable_order(keys)
    rows = rows[order]
    return Annotated(
        rows=rows,
        images=at[rows],
        categories=of[rows],
        keys=keys[order],
        ids=truth.ids[rows],
        edges=edges(truth.boxes[rows]),
        areas=truth.areas[rows],
        crowd=truth.crowd[rows],
    )


def _pairs(detected: Detected, annotated: Annotated) -> Pairs:
    blocks = list(_pair_blocks(detected, annotated))
    if not blocks:
        return Pairs(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
    return Pairs(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))


def _pair_blocks(detected: Detected, annotated: Annotated) -> Iterator[tuple[Ints, Ints, Floats]]:
    """Yield detections, annotations and overlaps of at least the lowest threshold, block by block."""
    for begin in range(0, len(detected), _BLOCK):
        block = slice(begin, begin + _BLOCK)
        of, by = _same_keys(detected.keys[block], annotated.keys)
        overlap = overlaps_of_edges(
            detected.edges.take(begin + of), annotated.edges.take(by), annotated.crowd.take(by)
        )
        # pycocotools passes over what is less, and takes an overlap that is no number.
        enough = np.flatnonzero(~(overlap < THRESHOLDS[0]))
        yield begin + of[enough], by[enough], np.nan_to_num(overlap[enough], nan=np.inf, posinf=np.inf)


def _same_keys(keys: Ints, others: Ints) -> tuple[Ints, Ints]:
    """Return positions in two sorted lists of keys of all pairs with the same key."""
    begins = np.flatnonzero(np.diff(keys, prepend=keys[0] - 1))
    low, high = (np.searchsorted(others, keys[begins], side) for side in ("left", "right"))
    lengths = np.diff(begins, append=len(keys))
    low, counts = np.repeat(low, lengths), np.repeat(high - low, lengths)
    of = np.repeat(np.arange(len(keys)), counts)
    return of, np.arange(len(of)) + np.repeat(low - np.cumsum(counts) + counts, counts)
