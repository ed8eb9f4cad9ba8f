"""How far an mAP, or the difference of two models' mAPs, depends on the images that happen to be in the data set.

The images are resampled: random halves of them, without replacement, each evaluated from the matches that were made
once (`harness.accuracy.resample`). A half's mAP scatters around the whole's as the whole's does around the truth:
with s² / n the variance of a mean of n images, that of a half is s² / (n/2) - s² / n = s² / n. So the spread of the
halves is the standard error, and what the halves are higher on average is how much the whole is too high.

Of a difference of two models only the spread is used, value ± t · error: both mAPs are too high by much the same, and
what the halves of a difference are off on average is mostly chance. Taking it off shifted the interval by noise:
with 80 classes in 100 images equal models were called different in 12 % of all draws, without it in 7 %, with 40 in 50
in 12 % and 4 %.

Images that belong together, the frames of a video, are drawn together: they are not independent of one another, and as
many of them tell no more than one (`harness.accuracy.coco.clusters_of`).

Why not the bootstrap with replacement, of which this is the counterpart without [1]: there every image stands several
times, and COCO's precision at a recall, a maximum, rises with such repetitions. On 100 images of 70 classes this
lifts all resamples by one standard error; percentile intervals of them can then miss the truth more often than not
(`tests/benchmarks/bench_bootstrap.py` prints the shares).

[1] A. Buja, W. Stuetzle: Observations on bagging. Statistica Sinica 16 (2006), 323-351: half-sampling
without replacement corresponds to the bootstrap with replacement. Variance and bias from random subsets: J. Shao,
C. F. J. Wu: A general theory for jackknife variance estimation. Annals of Statistics 17 (1989), 1176-1197.
"""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.coco import chosen_images, clusters_of
from harness.accuracy.detections import DetectionTable
from harness.accuracy.matches import match
from harness.accuracy.resample import (
    AveragePrecision,
    Category,
    Weights,
    average_precisions,
    categories,
    mean_of,
)
from harness.errors import UsageError
from harness.statistics.distributions import t_quantile, t_two_sided

Floats = npt.NDArray[np.float64]
Clusters = npt.NDArray[np.int64]

T = TypeVar("T")
Known = dict[bytes, tuple[AveragePrecision, AveragePrecision]]
"""The APs of categories, of all images and of each half, by the hash of the draw and of the category."""

RESAMPLES = 1000
LEVEL = 0.95
_BLOCK_ELEMENTS = 1 << 22
"""Counts held at a time by each thread: resamples × detections of the largest category."""
_MOST_IN_BLOCK = 500
"""Enough that NumPy's calls, thousands for each block, take less than what they compute."""
_MOST_KEPT = 1 << 19
"""Weights of one draw up to which it is kept for the next time: 1,000 halves of 500 images."""


@dataclass(frozen=True)
class Interval:
    """An mAP with its 95 % interval over images; None where there is nothing to average or one image only."""

    map: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class PairedDifference:
    """How the second model's mAP differs from the first's on the same images.

    Attributes:
        first: mAP of the first, 0…1.
        second: mAP of the second.
        difference: Second less first; negative when accuracy was lost.
        low: Lower end of the difference's 95 % interval.
        high: Upper end.
        p: Two-sided, of no difference.
        n_images: How many images were evaluated.
    """

    first: float | None
    second: float | None
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    n_images: int


def map_interval(
    truth: GroundTruth,
    detections: DetectionTable,
    image_ids: Sequence[int] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    known: Known | None = None,
) -> Interval:
    """Compute the mAP and its 95 % interval over images.

    Args:
        truth: The ground truth.
        detections: The detections; those of other images and categories count for nothing.
        image_ids: The images that were evaluated; all for None.
        resamples: How many halves are drawn.
        seed: The same seed gives the same interval.
        known: What was evaluated before is taken from here, and the rest is added.

    Raises:
        UsageError: Fewer than 2 resamples, no images, or images that are not in the annotations.
    """
    chosen = chosen_images(truth, image_ids)
    matches = match(truth, detections, chosen)
    clusters = clusters_of(truth, chosen)
    return interval(categories(matches), len(matches.image_ids), resamples, seed, clusters, known)


def paired_difference(
    truth: GroundTruth,
    first: DetectionTable,
    second: DetectionTable,
    image_ids: Sequence[int] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    known: Known | None = None,
) -> PairedDifference:
    """Compare two models' mAPs on the same images: each half is evaluated for both.

    What makes an image easy or hard for both is in neither end of the interval, so it is narrower than those of the
    two mAPs.

    Args:
        truth: The ground truth of both.
        first: Detections of the reference.
        second: Detections of the model that is judged.
        image_ids: The images that were evaluated; all for None.
        resamples: How many halves are drawn.
        seed: The same seed gives the same result.
        known: As in `map_interval`.

    Raises:
        UsageError: Fewer than 2 resamples, no images, or images that are not in the annotations.
    """
    chosen = chosen_images(truth, image_ids)
    before, after = (match(truth, table, chosen) for table in (first, second))
    clusters = clusters_of(truth, chosen)
    return difference(
        categories(before), categories(after), len(before.image_ids), resamples, seed, clusters, known
    )


def interval(
    found: list[Category],
    n_images: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
    clusters: Clusters | None = None,
    known: Known | None = None,
) -> Interval:
    """Compute the interval from matches, as `map_interval` does from detections.

    `clusters`, int64 [I], numbers what is drawn as one; each image for itself for None.
    """
    drawn = _each(n_images) if clusters is None else clusters
    whole, halves = _evaluate([found], drawn, resamples, seed, known)
    low, high = _bounds(whole[0], halves[0], _count(drawn))
    return Interval(_known(whole[0]), _within(low, 0.0), _within(high, 0.0))


def difference(
    first: list[Category],
    second: list[Category],
    n_images: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
    clusters: Clusters | None = None,
    known: Known | None = None,
) -> PairedDifference:
    """Compute the difference from matches, as `paired_difference` does from detections; `clusters` as in `interval`."""
    drawn = _each(n_images) if clusters is None else clusters
    whole, halves = _evaluate([first, second], drawn, resamples, seed, known)
    change = whole[1] - whole[0]
    low, high, p = _difference_bounds(change, halves[1] - halves[0], _count(drawn))
    ends = _within(low, -1.0), _within(high, -1.0)
    return PairedDifference(_known(whole[0]), _known(whole[1]), _known(change), *ends, p, n_images)


@dataclass(frozen=True)
class Contrast:
    """A weighted sum of several models' mAPs on the same images, with its 95 % interval; None where unknown."""

    value: float | None
    low: float | None
    high: float | None


def contrasts(
    truth: GroundTruth,
    tables: Sequence[DetectionTable],
    weights: Floats,
    image_ids: Sequence[int] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    known: Known | None = None,
) -> tuple[list[float | None], list[Contrast]]:
    """Compute sums of several models' mAPs, with intervals from the same halves of the images.

    Args:
        truth: The ground truth of all.
        tables: Detections of M models.
        weights: float64 [K, M], how much each model's mAP counts in each of K sums; each sum is a difference, its
            weights add up to 0.
        image_ids: The images that were evaluated; all for None.
        resamples: How many halves are drawn.
        seed: The same seed gives the same result.
        known: As in `map_interval`.

    Returns:
        The M mAPs, None where there is nothing to average, and the K sums.
    """
    chosen = chosen_images(truth, image_ids)
    found = [categories(match(truth, table, chosen)) for table in tables]
    clusters = clusters_of(truth, chosen)
    drawn = _each(len(chosen)) if clusters is None else clusters
    whole, halves = _evaluate(found, drawn, resamples, seed, known)
    sums = []
    for row in weights:
        value = float(row @ np.array(whole))
        low, high, _ = _difference_bounds(value, row @ halves, _count(drawn))
        sums.append(Contrast(_known(value), low, high))
    return [_known(value) for value in whole], sums


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _within(value: float | None, lowest: float) -> float | None:
    return None if value is None else min(max(value, lowest), 1.0)


def _bounds(value: float, halves: Floats, n_images: int) -> tuple[float | None, float | None]:
    """Return the ends of the interval of an mAP, which always hold it, moved by what the halves are too high."""
    error = _error(value, halves, n_images)
    if error is None:
        return None, None
    centre = value - _ratio(n_images) * float(np.nanmean(halves) - value)
    margin = t_quantile((1 + LEVEL) / 2, n_images - 1) * error
    return min(centre - margin, value), max(centre + margin, value)


def _difference_bounds(
    value: float, halves: Floats, n_images: int
) -> tuple[float | None, float | None, float | None]:
    """Return the ends of the interval of a difference of mAPs, and the p of its being 0."""
    error = _error(value, halves, n_images)
    if error is None:
        return None, None, None
    margin = t_quantile((1 + LEVEL) / 2, n_images - 1) * error
    p = t_two_sided(value / error, n_images - 1) if error > 0 else float(value == 0)
    return value - margin, value + margin, p


def _error(value: float, halves: Floats, n_images: int) -> float | None:
    """Return the standard error that the spread of the halves tells; None where they tell none."""
    known = halves[~np.isnan(halves)]
    if math.isnan(value) or n_images < 2 or known.size < 2:
        return None
    return math.sqrt(_ratio(n_images)) * float(known.std(ddof=1))


def _ratio(n_images: int) -> float:
    """Return the images of a half divided by the others: 1 for an even number, see the module's first lines."""
    return (n_images // 2) / (n_images - n_images // 2)


def _each(n_images: int) -> Clusters:
    return np.arange(n_images)


def _count(clusters: Clusters) -> int:
    return int(clusters.max()) + 1


def _evaluate(
    models: list[list[Category]], clusters: Clusters, resamples: int, seed: int, known: Known | None = None
) -> tuple[list[float], Floats]:
    """Return the mAP of all images for each model, and those of the halves, float64 [models, resamples].

    Categories in which several models were right and wrong alike are evaluated once.
    """
    if resamples < 2:
        raise UsageError(f"{resamples} resamples leave no interval: give 2 or more, {RESAMPLES} is usual")
    known = {} if known is None else known
    draw = hashlib.sha256(f"{resamples} {seed} ".encode() + clusters.tobytes()).digest()
    keys = [[draw + category.content for category in found] for found in models]
    pairs = zip((key for row in keys for key in row), (one for found in models for one in found), strict=True)
    new = {key: category for key, category in pairs if key not in known}
    known.update(zip(new, _precisions(list(new.values()), clusters, resamples, seed), strict=True))
    whole = [float(mean_of([known[key][0] for key in row], 1)[0]) for row in keys]
    return whole, np.stack([mean_of([known[key][1] for key in row], resamples) for row in keys])


def _precisions(
    found: list[Category], clusters: Clusters, resamples: int, seed: int
) -> list[tuple[AveragePrecision, AveragePrecision]]:
    """Return the APs of categories, of all images and of each half."""
    n_images = len(clusters)
    whole = average_precisions(found, np.ones((1, n_images), np.int32))
    largest = max((len(category.images) for category in found), default=1)
    block = min(max(_BLOCK_ELEMENTS // max(largest, n_images), 1), _MOST_IN_BLOCK)

    def work(weights: Weights) -> list[AveragePrecision]:
        return average_precisions(found, weights.take(clusters, axis=1))

    blocks = list(_in_threads(work, draw_halves(_count(clusters), resamples, seed, block))) if found else []
    halves = [
        (np.concatenate([ap for ap, _ in parts]), np.concatenate([is_known for _, is_known in parts]))
        for parts in zip(*blocks, strict=True)
    ]
    return list(zip(whole, halves, strict=True))


def _in_threads(work: Callable[[Weights], T], blocks: Iterator[Weights]) -> Iterator[T]:
    """Map in order with all cores; NumPy's loops run at the same time. A few blocks are under way at once."""
    threads = os.cpu_count() or 1
    with ThreadPoolExecutor(threads, thread_name_prefix="resample") as pool:
        while turn := [pool.submit(work, weights) for weights in islice(blocks, 2 * threads)]:
            yield from (job.result() for job in turn)


def draw_halves(n_images: int, resamples: int, seed: int, block: int) -> Iterator[Weights]:
    """Draw halves of the images without replacement.

    Args:
        n_images: How many images there are.
        resamples: How many halves to draw.
        seed: The same seed gives the same halves, whatever the block.
        block: Halves that are yielded at a time.

    Yields:
        int32 [block, n_images], 1 for the images of the half.
    """
    if resamples * n_images <= _MOST_KEPT:
        drawn = _kept_halves(n_images, resamples, seed)
        yield from (drawn[begin : begin + block] for begin in range(0, resamples, block))
        return
    random = np.random.default_rng(seed)
    for begin in range(0, resamples, block):
        yield _draw(random, min(block, resamples - begin), n_images)


@lru_cache(maxsize=4)
def _kept_halves(n_images: int, resamples: int, seed: int) -> Weights:
    """Draw all halves at once, and keep them: one data set is evaluated again and again with the same ones."""
    drawn = _draw(np.random.default_rng(seed), resamples, n_images)
    drawn.flags.writeable = False
    return drawn


def _draw(random: np.random.Generator, n_halves: int, n_images: int) -> Weights:
    weights = np.zeros((n_halves, n_images), np.int32)
    for row in weights:
        row[random.permutation(n_images)[: n_images // 2]] = 1
    return weights
