"""Whether a reading of a model says anything of the images: it must beat its own boxes dealt to other images."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.bootstrap import paired_difference
from harness.accuracy.detections import DetectionTable
from harness.accuracy.doubts import doubts

LEAST_GAIN = 0.01
"""mAP above that of the dealt boxes which the best of a few dozen readings reaches by chance."""
FEWEST_IMAGES = 5
"""With fewer, Student's t widens the interval of any difference beyond 0."""
_NOTHING = frozenset({"no better than chance", "nothing found"})
"""Doubts about the accuracy that leave nothing of a reading."""


def like_chance(truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> str:
    """Say why detections are no better than chance; nothing where they are better.

    Args:
        truth: The annotations.
        table: The detections.
        image_ids: The evaluated images.
    """
    if len(image_ids) > 1:
        gain = paired_difference(truth, _dealt(table, image_ids), table, image_ids)
        unsure = len(image_ids) >= FEWEST_IMAGES and (gain.low is None or gain.low <= 0)
        if (gain.difference or 0) < LEAST_GAIN or unsure:
            interval = "" if gain.low is None else f" (95 % interval {gain.low:.3f} … {gain.high:.3f})"
            return (
                f"the best has mAP {gain.second or 0:.3f} on {len(image_ids)} images, and its boxes dealt to other "
                f"images {gain.first or 0:.3f}: the difference of {gain.difference or 0:.3f}{interval} can be chance"
            )
    found = [one.words for one in doubts(truth, table, image_ids) if one.name in _NOTHING and one.certain]
    return found[0] if found else ""


def _dealt(table: DetectionTable, image_ids: Sequence[int]) -> DetectionTable:
    """Give each image the detections of the next one."""
    ids = np.sort(np.asarray(image_ids, np.int64))
    rows = table.rows.copy()
    rows[:, 0] = ids[(np.searchsorted(ids, table.image_ids) + 1) % len(ids)]
    return DetectionTable(rows)
