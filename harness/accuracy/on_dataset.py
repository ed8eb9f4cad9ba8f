"""The accuracy of detections on a dataset: COCO's figures, and how far they depend on its images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from harness.accuracy.annotations import read_annotations
from harness.accuracy.bootstrap import Interval, map_interval
from harness.accuracy.coco import Evaluation, evaluate
from harness.accuracy.coco_engines import Engine
from harness.accuracy.dataset import Dataset
from harness.accuracy.detections import load_detections


@dataclass(frozen=True)
class DatasetAccuracy:
    """The figures of detections, and the 95 % interval of their mAP over images."""

    evaluation: Evaluation
    interval: Interval


def evaluate_on(dataset: Dataset, detections: Path, engine: Engine = "hotcoco") -> DatasetAccuracy:
    """Compute the figures of detections of a dataset's images.

    Args:
        dataset: The images and their annotations; of a limited one, only its images count.
        detections: A file in COCO result format.
        engine: What computes the figures; both give the same.

    Raises:
        DatasetError: The annotations or detections cannot be used.
    """
    truth, table = read_annotations(dataset.annotations), load_detections(detections)
    evaluation = evaluate(truth, table, dataset.image_ids, engine)
    return DatasetAccuracy(evaluation, map_interval(truth, table, dataset.image_ids))
