"""Annotations, detections and image ids as a user names them: read, and held against each other before figures are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from harness.accuracy.annotations import GroundTruth, read_annotations
from harness.accuracy.coco import chosen_images, refuse_unknown_ids
from harness.accuracy.dataset import find_dataset
from harness.accuracy.detections import DetectionTable, load_detections
from harness.accuracy.image_ids import read_image_ids
from harness.accuracy.plausibility import refuse_wrong_units


@dataclass(frozen=True)
class Loaded:
    """What figures are computed of.

    Attributes:
        truth: The annotations.
        table: The detections, which can be of these annotations.
        chosen: Ids of the images to evaluate; None for all.
    """

    truth: GroundTruth
    table: DetectionTable
    chosen: list[int] | None = None


def load(annotations: Path, detections: Path, image_ids: Path | Iterable[int] | None = None) -> Loaded:
    """Read annotations, detections of them, and which images to evaluate.

    Args:
        annotations: A COCO `instances` file, or a dataset: a folder or card (COCO, VOC or YOLO labels).
        detections: A COCO result file.
        image_ids: The ids of the images, or a file with them; None for all.

    Raises:
        DatasetError: They cannot be used, or the detections are of other images, categories or units.
        UsageError: There are no ids, or some are not in the annotations.
    """
    truth = read_annotations(
        find_dataset(annotations).annotations if _is_dataset(annotations) else annotations
    )
    table = read_detections(truth, detections)
    if image_ids is None:
        return Loaded(truth, table)
    ids = read_image_ids(image_ids) if isinstance(image_ids, Path) else list(image_ids)
    return Loaded(truth, table, chosen_images(truth, ids))


def read_detections(truth: GroundTruth, detections: Path) -> DetectionTable:
    """Read a COCO result file and refuse what cannot be of these annotations.

    Raises:
        DatasetError: It cannot be used, or is of other images, other categories or in other units.
    """
    table = load_detections(detections)
    refuse_unknown_ids(truth, table)
    refuse_wrong_units(truth, table)
    return table


def _is_dataset(path: Path) -> bool:
    """Whether it is a folder or a card of a dataset (VOC's and YOLO's too) and not the annotations themselves."""
    return path.is_dir() or path.suffix in {".toml", ".yaml", ".yml"}
