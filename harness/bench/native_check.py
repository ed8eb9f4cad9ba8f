"""The outputs of an accelerator against the same device's CPU, on real images (law 10).

Outputs are compared as detections: rounding alone swaps the order of detections of nearly the same score, which makes
raw tensors differ everywhere and changes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.accuracy.pipeline import ImageDetections
from harness.bench import native_batches
from harness.bench.plan import Cell
from harness.delegates import Delegate

if TYPE_CHECKING:
    from harness.bench.native import NativeEngine

N_IMAGES = 4
MIN_SCORE = 0.3
"""Detections below are noise to a user, and the first to come and go with rounding."""
SCORE_TOLERANCE = 0.1
MIN_IOU = 0.7
MAX_UNMATCHED = 0.2
"""float16 and other roundings move a few detections over a threshold; a wrong result moves most."""


def wrong_outputs(engine: NativeEngine, cell: Cell, scratch: Path) -> tuple[str, ...]:
    """Return why the outputs of a cell's delegate are wrong; nothing where they agree with the CPU's.

    Raises:
        MeasurementError: The delegate did not run on the images, or the tool failed.
        DeviceError: The device went away.
    """
    on_cpu = replace(cell, delegate=Delegate("cpu", threads=1))
    expected, found = (_detections(engine, one, scratch) for one in (on_cpu, cell))
    return compare(expected, found, str(cell.delegate))


def _detections(engine: NativeEngine, cell: Cell, scratch: Path) -> list[ImageDetections]:
    recipe = native_batches.recipe_of(cell)
    found = []
    with native_batches.Folder(engine) as folder:
        for batch in native_batches.batches(cell, recipe.preparation, [], N_IMAGES):
            result = native_batches.run_batch(engine, cell, batch, scratch, folder)
            outputs = native_batches.split_outputs(result.outputs, cell, len(batch))
            found += [recipe.decode(p.image_id, o, p.at) for p, o in zip(batch, outputs, strict=True)]
    return found


def compare(
    expected: Sequence[ImageDetections], found: Sequence[ImageDetections], what: str
) -> tuple[str, ...]:
    """Compare detections of the same images.

    Each detection of a score of MIN_SCORE + SCORE_TOLERANCE or more, on either side, needs one of the same category on
    the other side with an IoU of MIN_IOU and a score within SCORE_TOLERANCE.

    Args:
        expected: The CPU's.
        found: The accelerator's, of the same images in the same order.
        what: What the accelerator is called.

    Returns:
        A sentence where more than MAX_UNMATCHED of them have none, else nothing.
    """
    sides = [(expected, found), (found, expected)]
    looked_at = [sum(int(_sure(image).sum()) for image in one) for one, _ in sides]
    matched = [sum(_n_matched(a, b) for a, b in zip(one, other, strict=True)) for one, other in sides]
    total, unmatched = sum(looked_at), sum(looked_at) - sum(matched)
    if unmatched <= MAX_UNMATCHED * total:
        return ()
    return (
        f"{what} gives other detections than the CPU of the same device: on {len(expected)} images {unmatched} of "
        f"{total} have no match (same category, IoU {MIN_IOU}, score within {SCORE_TOLERANCE}; allowed "
        f"{MAX_UNMATCHED:.0%})",
    )


def _sure(image: ImageDetections) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    sure: np.ndarray[tuple[int], np.dtype[np.bool_]] = image.scores >= MIN_SCORE + SCORE_TOLERANCE
    return sure


def _n_matched(one: ImageDetections, other: ImageDetections) -> int:
    """Count the sure detections of one side that have a match on the other."""
    sure = _sure(one)
    if not sure.any() or not len(other.scores):
        return 0
    near = np.abs(one.scores[sure][:, None] - other.scores[None]) <= SCORE_TOLERANCE
    same = one.categories[sure][:, None] == other.categories[None]
    overlap = _iou(one.boxes[sure], other.boxes) >= MIN_IOU
    return int((near & same & overlap).any(axis=1).sum())


def _iou(
    one: np.ndarray[tuple[int, int], np.dtype[np.float64]],
    other: np.ndarray[tuple[int, int], np.dtype[np.float64]],
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return the IoU of every pair of boxes (x, y, width, height), [N, M]."""
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, :2] + one[:, None, 2:], other[None, :, :2] + other[None, :, 2:])
    inner = np.clip(high - low, 0, None).prod(axis=2)
    areas = one[:, 2:].prod(axis=1)[:, None] + other[:, 2:].prod(axis=1)[None]
    iou: np.ndarray[tuple[int, int], np.dtype[np.float64]] = inner / np.maximum(areas - inner, 1e-12)
    return iou
