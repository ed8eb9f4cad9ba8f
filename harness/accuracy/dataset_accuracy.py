"""The accuracy of detections on a dataset: COCO's figures, and what they leave out."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.accuracy import few_images
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.bootstrap import Interval, map_interval
from harness.accuracy.coco import Evaluation, evaluate
from harness.accuracy.coco_engines import Engine
from harness.accuracy.coco_json import first_few
from harness.accuracy.dataset import Dataset, read_truth
from harness.accuracy.detections import DetectionTable, load_detections
from harness.accuracy.doubts import doubts
from harness.records.checks import Check


@dataclass(frozen=True)
class DatasetAccuracy:
    """The figures of detections, and the 95 % interval of their mAP over images.

    Attributes:
        evaluation: The figures, over the categories that are evaluated.
        interval: Of the mAP.
        n_foreign: Detections whose category id the data set does not have.
        foreign: Those ids, in words.
        lacking: Names of categories with objects in these images that are not evaluated.
        doubts: Why the figures are not to be believed.
    """

    evaluation: Evaluation
    interval: Interval
    n_foreign: int = 0
    foreign: str = ""
    lacking: tuple[str, ...] = ()
    doubts: tuple[Check, ...] = ()


def evaluate_on(
    dataset: Dataset, detections: Path, engine: Engine = "harness", categories: Collection[int] | None = None
) -> DatasetAccuracy:
    """Compute the figures of detections of a dataset's images.

    Args:
        dataset: The images and their annotations; of a limited one, only its images count.
        detections: A file in COCO result format.
        engine: What computes the figures; all give the same.
        categories: Ids of the categories to average over; None for all.

    Raises:
        DatasetError: The annotations or detections cannot be used.
    """
    whole, table = read_truth(dataset), load_detections(detections)
    n_foreign, foreign = _foreign(whole, table)
    truth = whole if categories is None else whole.of_categories(categories)
    kept = table if categories is None else _of_categories(table, categories)
    evaluation = evaluate(truth, kept, dataset.image_ids, engine)
    interval = map_interval(truth, kept, dataset.image_ids)
    few = few_images.remarks(truth, dataset.image_ids, interval)
    return DatasetAccuracy(
        replace(evaluation, warnings=(*evaluation.warnings, *few)),
        interval,
        n_foreign,
        foreign,
        _lacking(whole, dataset, truth.categories),
        doubts(truth, kept, dataset.image_ids),
    )


def _of_categories(table: DetectionTable, categories: Collection[int]) -> DetectionTable:
    return DetectionTable(table.rows[np.isin(table.category_ids, list(categories))])


def _foreign(truth: GroundTruth, table: DetectionTable) -> tuple[int, str]:
    unknown = ~np.isin(table.category_ids, list(truth.categories))
    return int(unknown.sum()), first_few(np.unique(table.category_ids[unknown]).tolist())


def _lacking(truth: GroundTruth, dataset: Dataset, evaluated: Collection[int]) -> tuple[str, ...]:
    """Return the names of the categories that have objects in these images and are left out."""
    seen = np.unique(truth.category_ids[np.isin(truth.image_ids, dataset.image_ids)]).tolist()
    return tuple(truth.categories[number] for number in seen if number not in evaluated)
