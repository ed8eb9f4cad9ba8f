"""Whether a model finds clearly more in images that are prepared in another way than its card says.

A wrong mean, order of channels or way to resize leaves a plausible mAP that is only lower than it could be. On a few
images an mAP is too uncertain to show that; how surely each object is found is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.bootstrap import paired_difference
from harness.accuracy.boxes import overlaps
from harness.accuracy.detections import DetectionTable
from harness.accuracy.scene import THRESHOLDS
from harness.statistics.distributions import t_two_sided

Floats = npt.NDArray[np.float64]

CLEARLY = 0.01
"""p of no gain below which another preparation is worth a word."""
CERTAINLY = 1e-4
LEAST_GAIN, CERTAIN_GAIN = 1.05, 1.5
"""How many times as surely objects must be found for a word, and to be certain."""
LEAST_MAP = 0.05
"""mAP of the other preparation below which something else is wrong in the first place."""
WRONG_WEIGHT = 0.5
"""Of a wrong detection's score against that of a right one."""
MORE_WRONG = 2
"""Wrong detections that count in an image, beside one an object."""


@dataclass(frozen=True)
class Gain:
    """How much more another preparation finds.

    Attributes:
        way: Its place among the alternatives.
        found: Mean score with which an object is found as the card says, 0 where it is not.
        found_otherwise: The same, prepared in the other way.
        map: The mAP on these images as the card says.
        map_otherwise: The same, prepared in the other way.
        certain: Whether nothing else can explain it.
    """

    way: int
    found: float
    found_otherwise: float
    map: float
    map_otherwise: float
    certain: bool


def best_gain(
    truth: GroundTruth, image_ids: Sequence[int], card: DetectionTable, others: Sequence[DetectionTable]
) -> Gain | None:
    """Return the alternative that finds clearly more than the card's preparation, and the most; None for none.

    Args:
        truth: The annotations of the categories that are evaluated.
        image_ids: The images, all with objects.
        card: Detections of images that are prepared as the card says.
        others: Detections of the same images, prepared in other ways.
    """
    before = _found(truth, card, image_ids)
    after = [_found(truth, table, image_ids) for table in others]
    clear = [way for way, found in enumerate(after) if _is_clear(before, found)]
    clear.sort(key=lambda way: float(after[way][:, 0].mean()), reverse=True)
    gains = (_gain(truth, image_ids, (card, others[way]), (before, after[way]), way) for way in clear)
    return next((gain for gain in gains if gain is not None), None)


def _gain(
    truth: GroundTruth,
    image_ids: Sequence[int],
    tables: tuple[DetectionTable, DetectionTable],
    found: tuple[Floats, Floats],
    way: int,
) -> Gain | None:
    change = paired_difference(truth, *tables, image_ids)
    if (change.second or 0) < LEAST_MAP or (change.high or 0) <= 0:
        return None
    first, second = (float(one[:, 0].mean()) for one in found)
    certain = (
        second >= CERTAIN_GAIN * first
        and _p(found[1][:, 0] - found[0][:, 0]) < CERTAINLY
        and (change.low or 0) > 0
    )
    return Gain(way, first, second, change.first or 0.0, change.second or 0.0, certain)


def _is_clear(before: Floats, after: Floats) -> bool:
    """Whether objects are found more surely, and that is no chance; a rise of all scores alike does not count."""
    first, second = before.mean(axis=0), after.mean(axis=0)
    large = second >= first + (LEAST_GAIN - 1) * np.abs(first)
    clear = [_p(gains) < CLEARLY for gains in (after - before).T]
    return bool((second > first).all() and (large & clear).any())


def _p(gains: Floats) -> float:
    """Return the two-sided p of no gain, of paired values."""
    error = float(gains.std(ddof=1)) / len(gains) ** 0.5
    return t_two_sided(float(gains.mean()) / error, len(gains) - 1) if error > 0 else 1.0


def _found(truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> Floats:
    """Return for each image how surely its objects are found, alone and less the wrong detections: [N, 2]."""
    return np.array([_found_in(truth, table, image_id) for image_id in image_ids], np.float64)


def _found_in(truth: GroundTruth, table: DetectionTable, image_id: int) -> tuple[float, float]:
    rows = np.flatnonzero(table.image_ids == image_id)
    objects = np.flatnonzero((truth.image_ids == image_id) & ~truth.crowd)
    scores = np.clip(table.scores[rows], 0.0, 1.0)
    on = np.zeros((len(objects), len(rows)), np.bool_)
    for place, row in enumerate(objects if len(rows) else ()):
        boxes = np.broadcast_to(truth.boxes[row], (len(rows), 4))
        near = overlaps(table.boxes[rows], boxes, np.zeros(len(rows), np.bool_)) >= THRESHOLDS[0]
        on[place] = near & (table.category_ids[rows] == truth.category_ids[row])
    right = np.where(on, scores, 0.0).max(axis=1, initial=0.0)
    wrong = np.sort(scores[~on.any(axis=0)])[::-1][: len(objects) + MORE_WRONG]
    n = max(len(objects), 1)
    return float(right.sum()) / n, float(right.sum() - WRONG_WEIGHT * wrong.sum()) / n
