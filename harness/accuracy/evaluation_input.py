"""Annotations, detections and image ids as a user names them: read, and held against each other before figures are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.accuracy import coco_lenient, layouts
from harness.accuracy.annotations import GroundTruth, read_annotations
from harness.accuracy.coco import chosen_images, refuse_unknown_ids
from harness.accuracy.coco_json import first_few, read_bytes
from harness.accuracy.dataset import find_dataset, read_truth
from harness.accuracy.detections import DetectionTable, decode_detections, load_detections
from harness.accuracy.image_ids import images_meant, read_image_ids
from harness.accuracy.plausibility import refuse_wrong_units
from harness.errors import DatasetError
from harness.paths import is_folder


@dataclass(frozen=True)
class EvaluationInput:
    """What figures are computed of.

    Attributes:
        truth: The annotations.
        table: The detections, which can be of these annotations.
        chosen: Ids of the images to evaluate; None for all.
    """

    truth: GroundTruth
    table: DetectionTable
    chosen: list[int] | None = None


def load(
    annotations: Path, detections: Path, image_ids: Path | Iterable[int | str] | None = None
) -> EvaluationInput:
    """Read annotations, detections of them, and which images to evaluate.

    Args:
        annotations: A COCO `instances` file, or a dataset: a folder or card (COCO, VOC or YOLO labels).
        detections: A COCO result file.
        image_ids: The ids of the images or the names of their files, or a file with them; None for all.

    Raises:
        DatasetError: They cannot be used, or the detections are of other images, categories or units.
        UsageError: There are no ids, or some are not in the annotations.
    """
    truth = (
        read_truth(find_dataset(annotations)) if _is_dataset(annotations) else read_annotations(annotations)
    )
    table = read_detections(truth, detections)
    if image_ids is None:
        return EvaluationInput(truth, table)
    ids = read_image_ids(image_ids, truth) if isinstance(image_ids, Path) else images_meant(image_ids, truth)
    return EvaluationInput(truth, table, chosen_images(truth, ids))


def read_detections(truth: GroundTruth, detections: Path) -> DetectionTable:
    """Read a COCO result file and refuse what cannot be of these annotations.

    Raises:
        DatasetError: It cannot be used, or is of other images, other categories or in other units.
    """
    table = _load(truth, detections)
    refuse_unknown_ids(truth, table)
    refuse_wrong_units(truth, table)
    return table


def _load(truth: GroundTruth, path: Path) -> DetectionTable:
    """Read detections; those whose ids are no numbers by what they mean."""
    try:
        if not truth.image_keys:
            return load_detections(path)
    except DatasetError as error:
        table = _load_by_meaning(truth, path)
        if table is None:
            raise error
        return table
    table = _load_by_meaning(truth, path)
    return load_detections(path) if table is None else table


def _load_by_meaning(truth: GroundTruth, path: Path) -> DetectionTable | None:
    """Read detections of images that are named by ids as text, or by their files' names or stems.

    Raises:
        DatasetError: The ids are the ids of some images and the stems of others.
    """
    data = read_bytes(path, "detections")
    images = _images_meant(truth, path, coco_lenient.image_texts(data))
    categories = {str(number): number for number in truth.categories}
    plain = coco_lenient.plain_detections(data, images, categories, bool(truth.image_keys))
    with contextlib.suppress(DatasetError):
        return None if plain is None else decode_detections(path, plain)
    return None


def _images_meant(truth: GroundTruth, path: Path, texts: list[str]) -> Mapping[str, int]:
    by_id = truth.image_keys or {str(row.id): row.id for row in truth.images}
    by_stem = coco_lenient.by_stem({row.id: row.file_name for row in truth.images})
    ids = [by_id.get(coco_lenient.key(text) or "") for text in texts]
    stems = [by_stem.get(text) for text in texts]
    if not texts or None in stems:
        return by_id
    if None not in ids and ids != stems:
        raise DatasetError(
            f"{path}: the image ids ({first_few(texts)}) are both ids of {truth.path.name} and names of its files, of "
            "different images: write the ids as numbers"
        )
    return {**by_id, **{coco_lenient.key(text) or text: number for text, number in by_stem.items()}}


def _is_dataset(path: Path) -> bool:
    """Whether it is a folder or a card of a dataset (VOC's and YOLO's too) and not the annotations themselves."""
    place = layouts.split_of(path)[0]
    return is_folder(place) or place.suffix in {".toml", ".yaml", ".yml"}
