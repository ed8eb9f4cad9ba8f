"""The figures of a file of detections, and what contradicts them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from harness.accuracy import few_images
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.bootstrap import Interval, map_interval
from harness.accuracy.coco import Evaluation, chosen_images, evaluate
from harness.accuracy.coco_engines import Engine
from harness.accuracy.detections import DetectionTable
from harness.accuracy.doubts import doubts
from harness.accuracy.evaluation_input import EvaluationInput
from harness.records.checks import Check, status_of
from harness.vocabulary import Status

MOST_WITHOUT = 0.05
"""Share of the images with objects that may be without detections."""
LEAST_EACH, NEARLY_ALL = 3, 0.1
"""Where all but a tenth of the images with detections have so many, a detector leaves none without by itself."""
FEWEST_IMAGES = 10


@dataclass(frozen=True)
class Evaluated:
    """The figures of detections.

    Attributes:
        evaluation: COCO's figures.
        interval: The mAP with its 95 % interval over images.
        checks: What contradicts them.
    """

    evaluation: Evaluation
    interval: Interval
    checks: tuple[Check, ...]

    @property
    def status(self) -> Status:
        """`incorrect`, `partial-data` or `ok`."""
        return status_of(self.checks)


def evaluate_input(loaded: EvaluationInput, engine: Engine = "harness") -> Evaluated:
    """Compute the figures of detections, and look for what contradicts them."""
    chosen = chosen_images(loaded.truth, loaded.chosen)
    evaluation = evaluate(loaded.truth, loaded.table, loaded.chosen, engine)
    interval = map_interval(loaded.truth, loaded.table, loaded.chosen)
    few = few_images.remarks(loaded.truth, chosen, interval)
    return Evaluated(
        replace(evaluation, warnings=(*evaluation.warnings, *few)),
        interval,
        (*_coverage(loaded.truth, loaded.table, chosen), *doubts(loaded.truth, loaded.table, chosen)),
    )


def _coverage(truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> Iterator[Check]:
    """Look for images that were never run: a detector finds several things in every image, or in none of some."""
    objects = np.intersect1d(truth.image_ids[~truth.crowd], np.asarray(image_ids, np.int64))
    found, counts = np.unique(table.image_ids[np.isin(table.image_ids, objects)], return_counts=True)
    n_without = len(objects) - len(found)
    if len(objects) < FEWEST_IMAGES or not len(found) or n_without <= MOST_WITHOUT * len(objects):
        return
    if np.quantile(counts, NEARLY_ALL) >= LEAST_EACH:
        yield Check(
            name="images without detections",
            verdict="incomplete",
            figures={"without": n_without, "images": len(objects)},
            words=f"{n_without} of {len(objects)} images with objects have no detection at all, and the others have "
            f"{np.median(counts):.0f} each (median), so these were hardly run",
            remedy="name the images that were with --image-ids FILE",
        )
