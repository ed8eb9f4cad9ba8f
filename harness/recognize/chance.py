"""Whether a reading of a model says anything of the images.

It must beat its own boxes dealt to other images and, where its classes are taken by number, its own classes exchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.bootstrap import paired_difference
from harness.accuracy.coco import evaluate
from harness.accuracy.detections import DetectionTable
from harness.accuracy.doubts import doubts

LEAST_GAIN = 0.01
"""mAP above that of the dealt boxes which the best of a few dozen readings reaches by chance."""
FEWEST_IMAGES = 5
"""With fewer, Student's t widens the interval of any difference beyond 0."""
_NOTHING = frozenset({"no better than chance", "nothing found"})
"""Doubts about the accuracy that leave nothing of a reading."""
_LABELS = frozenset({"labels read wrongly"})
"""Doubts that leave nothing of numbers taken for classes."""
MOST_EXCHANGES = 12
"""Ways to exchange the classes that are tried."""


def like_chance(truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> str:
    """Say why detections are no better than chance; nothing where they are better.

    Args:
        truth: The annotations.
        table: The detections.
        image_ids: The evaluated images.
    """
    if len(image_ids) > 1:
        doubt = _gain_over(
            truth, _dealt(table, image_ids), table, image_ids, "its boxes dealt to other images"
        )
        if doubt:
            return doubt
    return _certain(truth, table, image_ids, _NOTHING)


def like_other_classes(truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> str:
    """Say why classes that were taken by number can be others as well; nothing where they cannot.

    Args:
        truth: The annotations.
        table: The detections.
        image_ids: The evaluated images.
    """
    others = [
        (evaluate(truth, other.rows, image_ids).figures.map or 0, other) for other in _exchanged(truth, table)
    ]
    if not others:
        return ""
    best = max(others, key=lambda one: one[0])[1]
    doubt = _gain_over(truth, best, table, image_ids, "its class numbers exchanged")
    return doubt or _certain(truth, table, image_ids, _LABELS)


def _gain_over(
    truth: GroundTruth, base: DetectionTable, table: DetectionTable, image_ids: Sequence[int], words: str
) -> str:
    """Say that detections are no better than others; nothing where they are."""
    gain = paired_difference(truth, base, table, image_ids)
    unsure = len(image_ids) >= FEWEST_IMAGES and (gain.low is None or gain.low <= 0)
    if (gain.difference or 0) >= LEAST_GAIN and not unsure:
        return ""
    interval = "" if gain.low is None else f" (95 % interval {gain.low:.3f} … {gain.high:.3f})"
    return (
        f"the best has mAP {gain.second or 0:.3f} on {len(image_ids)} images, and {words} {gain.first or 0:.3f}: the "
        f"difference of {gain.difference or 0:.3f}{interval} can be chance"
    )


def _certain(
    truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int], checks: frozenset[str]
) -> str:
    found = [one.words for one in doubts(truth, table, image_ids) if one.name in checks and one.certain]
    return found[0] if found else ""


def _exchanged(truth: GroundTruth, table: DetectionTable) -> Iterator[DetectionTable]:
    """Yield the detections with their categories moved on by 1, 2, … places among those that have objects."""
    present = np.unique(truth.category_ids)
    for step in range(1, min(len(present), MOST_EXCHANGES + 1)):
        rows = table.rows.copy()
        place = np.searchsorted(present, table.category_ids)
        known = np.isin(table.category_ids, present)
        rows[known, 6] = present[(place[known] + step) % len(present)]
        yield DetectionTable(rows)


def _dealt(table: DetectionTable, image_ids: Sequence[int]) -> DetectionTable:
    """Give each image the detections of the next one."""
    ids = np.sort(np.asarray(image_ids, np.int64))
    rows = table.rows.copy()
    rows[:, 0] = ids[(np.searchsorted(ids, table.image_ids) + 1) % len(ids)]
    return DetectionTable(rows)
