"""Whether two runs of one model on the same inputs gave the same outputs, within a stated tolerance (law 10).

Outputs of `TFLite_Detection_PostProcess` are compared as detections: rounding alone swaps the order of detections of
nearly the same score, which makes raw tensors differ everywhere and changes nothing. Any other output is compared as
numbers. NumPy only: the worker that times a model imports this too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.accuracy.boxes import pairwise_overlaps

Floats = npt.NDArray[Any]


@dataclass(frozen=True)
class Tolerance:
    """How much outputs may differ.

    Attributes:
        min_score: Detections below are not looked at: noise to a user, and the first to come and go with rounding.
        score: Largest difference of two scores that are the same.
        iou: Least overlap of two boxes that are the same.
        unmatched: Largest share of detections without a match: rounding moves a few of them over a threshold.
        rms: For other outputs: root mean square of the difference, against the expected output's own spread
            (standard deviation); an output that has nothing to do with the expected one has 1 or more.
    """

    min_score: float
    score: float
    iou: float
    unmatched: float
    rms: float


OTHER_KERNELS = Tolerance(min_score=0.3, score=0.1, iou=0.7, unmatched=0.2, rms=0.25)
"""Another delegate: float16, other roundings of 8-bit arithmetic. A wrong result moves most detections."""
EMULATED = Tolerance(min_score=0.3, score=0.3, iou=0.5, unmatched=0.5, rms=0.75)
"""A vendor's emulator of an NPU: its arithmetic costs accuracy, and how much is what is measured. Results that have
little to do with the CPU's are wrong all the same."""
SAME_KERNELS = Tolerance(min_score=0.05, score=0.01, iou=0.95, unmatched=0.02, rms=1e-3)
"""The same kernels with more threads, which may add in another order and nothing else."""


@dataclass(frozen=True)
class DetectionSet:
    """The detections of one image.

    Attributes:
        boxes: [N, 4], x, y, width, height in any unit.
        scores: [N].
        categories: [N].
    """

    boxes: Floats
    scores: Floats
    categories: Floats


def from_corners(boxes: Floats, classes: Floats, scores: Floats, count: float) -> DetectionSet:
    """Read the op's outputs: boxes [1, N, 4] (ymin, xmin, ymax, xmax), classes and scores [1, N]; `count` of N hold."""
    n = max(0, min(int(count), scores.size)) if np.isfinite(count) else 0
    ymin, xmin, ymax, xmax = boxes.reshape(-1, 4)[:n].astype(np.float64).T
    sides = np.stack([xmin, ymin, xmax - xmin, ymax - ymin], axis=1)
    return DetectionSet(sides, scores.reshape(-1)[:n], classes.reshape(-1)[:n])


def differing_detections(
    expected: Sequence[DetectionSet], found: Sequence[DetectionSet], tolerance: Tolerance
) -> str | None:
    """Compare detections of the same images.

    Each detection of a score of `min_score` + `score` or more, on either side, needs one of the same category on the
    other side with an IoU of `iou` and a score within `score`.

    Returns:
        What differs, where more than `unmatched` of them have none; None where they agree.
    """
    sides = [(expected, found), (found, expected)]
    looked_at = [sum(int(_sure(image, tolerance).sum()) for image in one) for one, _ in sides]
    matched = [
        sum(_n_matched(a, b, tolerance) for a, b in zip(one, other, strict=True)) for one, other in sides
    ]
    total, unmatched = sum(looked_at), sum(looked_at) - sum(matched)
    if unmatched <= tolerance.unmatched * total:
        return None
    return (
        f"on {len(expected)} images {unmatched} of {total} have no match (same category, IoU {tolerance.iou:g}, score "
        f"within {tolerance.score:g}; allowed {tolerance.unmatched:.0%})"
    )


def differing_values(expected: Floats, found: Floats, tolerance: Tolerance) -> str | None:
    """Compare one output as numbers; None where it agrees, else what differs."""
    wanted, given = expected.astype(np.float64), found.astype(np.float64)
    if wanted.shape != given.shape:
        return f"the shape is {list(given.shape)}, not {list(wanted.shape)}"
    if not wanted.size:
        return None
    spread = max(float(wanted.std()), 1e-6 * float(np.abs(wanted).max()), 1e-12)
    rms = float(np.sqrt(np.mean((given - wanted) ** 2))) / spread
    if rms <= tolerance.rms:
        return None
    return f"the difference is {rms:.2g} of its spread (root mean square; allowed {tolerance.rms:g})"


def _sure(image: DetectionSet, tolerance: Tolerance) -> npt.NDArray[np.bool_]:
    sure: npt.NDArray[np.bool_] = image.scores >= tolerance.min_score + tolerance.score
    return sure


def _n_matched(one: DetectionSet, other: DetectionSet, tolerance: Tolerance) -> int:
    """Count the sure detections of one side that have a match on the other."""
    sure = _sure(one, tolerance)
    if not sure.any() or not len(other.scores):
        return 0
    near = np.abs(one.scores[sure][:, None] - other.scores[None]) <= tolerance.score
    same = one.categories[sure][:, None] == other.categories[None]
    overlap = pairwise_overlaps(one.boxes[sure], other.boxes) >= tolerance.iou
    return int((near & same & overlap).any(axis=1).sum())
