"""Say what few images do to an mAP: classes that hardly occur, and an interval that lies to one side of the figure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.bootstrap import Interval
from harness.accuracy.coco import clusters_of

RARE = 10
"""Classes in fewer images: their AP rests on a handful of objects."""
VERY_RARE = 3
"""Classes in fewer images: their AP is that of one scene or two."""
MANY = 0.25
"""Share of very rare classes from which the mean is usually too high: by 0.02 to 0.08 in simulated data sets."""
LOPSIDED = 0.25
"""Shorter side of the interval divided by the longer one."""


def remarks(truth: GroundTruth, image_ids: Sequence[int], interval: Interval) -> Iterator[str]:
    """Return what few images leave open, in sentences; nothing where there are enough.

    Args:
        truth: The annotations of the categories that are averaged over.
        image_ids: The evaluated images.
        interval: The mAP with its interval.
    """
    yield from _clips(truth, image_ids)
    counts = images_of_classes(truth, image_ids)
    rare, very_rare = (sum(count < limit for count in counts) for limit in (RARE, VERY_RARE))
    if rare:
        words = f"{rare} of {len(counts)} classes are in fewer than {RARE} images"
        words += f", {very_rare} of them in fewer than {VERY_RARE}" if very_rare else ""
        too_high = (
            "mAP is usually 0.02-0.08 too high"
            if very_rare >= MANY * len(counts)
            else "their AP is mostly chance"
        )
        yield f"{words}: {too_high}; compare models on the same images"
    if interval.map is not None and interval.low is not None and interval.high is not None:
        yield from _lopsided(interval.low, interval.map, interval.high)


def _clips(truth: GroundTruth, image_ids: Sequence[int]) -> Iterator[str]:
    clusters = clusters_of(truth, image_ids)
    if clusters is not None:
        n = int(clusters.max()) + 1
        yield (
            f"the {len(image_ids)} images are of {n} clips or other groups that belong together: the mAP's interval is "
            f"that of {n} draws{'' if n > 1 else ', which tells nothing of the next clip'}"
        )


def images_of_classes(truth: GroundTruth, image_ids: Sequence[int]) -> list[int]:
    """Return in how many of the images each class that occurs has something to be found."""
    counted = np.isin(truth.image_ids, np.asarray(image_ids, np.int64)) & ~truth.crowd
    pairs = np.unique(np.stack([truth.category_ids[counted], truth.image_ids[counted]]), axis=1)
    counts: list[int] = np.unique(pairs[0], return_counts=True)[1].tolist()
    return counts


def _lopsided(low: float, value: float, high: float) -> Iterator[str]:
    """Explain an interval that hardly reaches to one side: halves of the images show how far the whole is off."""
    below, above = value - low, high - value
    if min(below, above) >= LOPSIDED * max(below, above) or high >= 1.0:
        return
    side, less = ("below", "high") if below > above else ("above", "low")
    yield (
        f"the interval {low:.3f} to {high:.3f} lies mostly {side} the mAP of {value:.3f}: halves of the images show "
        f"that so few images give too {less} an mAP"
    )
