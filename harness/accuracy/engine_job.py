"""What an evaluation needs and gives, as arrays in a folder: so it goes to a process of its own and back."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from harness.accuracy.annotations import GroundTruth, ImageRow
from harness.accuracy.coco_engines import Curves, Engine
from harness.accuracy.detections import DetectionTable

JOB, PRECISION, RECALL = "job.npz", "precision.npy", "recall.npy"


@dataclass(frozen=True)
class Job:
    """What to compute.

    Attributes:
        engine: The engine of the curves.
        truth: The ground truth; of its images and categories, only the ids.
        table: The detections.
        image_ids: The images to evaluate.
        wants_tide: Whether the kinds of errors are asked for, not the curves.
    """

    engine: Engine
    truth: GroundTruth
    table: DetectionTable
    image_ids: list[int]
    wants_tide: bool = False


def write(folder: Path, job: Job) -> None:
    """Leave a job in a folder."""
    truth = job.truth
    np.savez(
        folder / JOB,
        engine=np.array(job.engine),
        images=np.array([row.id for row in truth.images], np.int64),
        categories=np.array(list(truth.categories), np.int64),
        ids=truth.ids,
        image_ids=truth.image_ids,
        category_ids=truth.category_ids,
        boxes=truth.boxes,
        areas=truth.areas,
        crowd=truth.crowd,
        rows=job.table.rows,
        chosen=np.array(job.image_ids, np.int64),
        wants_tide=np.array(job.wants_tide),
    )


def read(folder: Path) -> Job:
    """Read the job of a folder."""
    with np.load(folder / JOB) as data:
        truth = GroundTruth(
            path=folder,
            sha256="",
            images=tuple(ImageRow(number) for number in data["images"].tolist()),
            categories={number: str(number) for number in data["categories"].tolist()},
            info=None,
            ids=data["ids"],
            image_ids=data["image_ids"],
            category_ids=data["category_ids"],
            boxes=data["boxes"],
            areas=data["areas"],
            crowd=data["crowd"],
        )
        return Job(
            cast(Engine, str(data["engine"])),
            truth,
            DetectionTable(data["rows"]),
            data["chosen"].tolist(),
            bool(data["wants_tide"]),
        )


def write_curves(folder: Path, curves: Curves) -> None:
    """Leave the curves of a job in its folder."""
    np.save(folder / PRECISION, curves.precision)
    np.save(folder / RECALL, curves.recall)


def read_curves(folder: Path) -> Curves:
    """Read the curves of a job; they stay on the disk until they are looked at, also after the folder is gone."""
    return Curves(
        np.load(folder / PRECISION, mmap_mode="r"),
        np.load(folder / RECALL, mmap_mode="r"),
    )
