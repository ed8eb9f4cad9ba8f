"""Draw small images of a cell's worst results, with their boxes."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.dataset import Dataset, ImageEntry
from harness.accuracy.detections import DetectionTable
from harness.accuracy.image_files import UnreadableImageError, read_header, read_image
from harness.accuracy.matches import Matches, match
from harness.text import clean

MOST_IMAGES, WIDTH, QUALITY = 4, 320, 70
SURE = 0.3
"""Detections with a lower score are neither drawn nor counted as wrong."""
_MOST_BOXES = 30
Counts = npt.NDArray[np.int64]


def worst(dataset: Dataset, truth: GroundTruth, table: DetectionTable) -> list[dict[str, Any]]:
    """Return the images with the most mistakes: missed annotations and wrong confident detections, at IoU 0.50."""
    sure = DetectionTable(table.rows[table.rows[:, 5] >= SURE])
    matches = match(truth, sure, dataset.image_ids)
    missed, wrong = _mistakes(matches)
    order = np.argsort(-(missed + wrong), kind="stable")[:MOST_IMAGES]
    entries = {image.id: image for image in dataset.images}
    found: list[dict[str, Any]] = []
    for index in order[(missed + wrong)[order] > 0].tolist():
        entry = entries[int(matches.image_ids[index])]
        told = f"{missed[index]} missed, {wrong[index]} wrong"
        found += _thumbnail(entry, told, truth, sure)
    return found


def _mistakes(matches: Matches) -> tuple[Counts, Counts]:
    """Return the annotations that nothing found and the detections that found nothing, of each image."""
    n = len(matches.image_ids)
    hits, ignored = matches.found[0], matches.ignored[0]
    wrong = np.bincount(matches.images[(hits < 0) & ~ignored], minlength=n)
    seen = np.isin(matches.truth_rows, hits[hits >= 0])
    return np.bincount(matches.truth_images[~seen], minlength=n), wrong


def _thumbnail(
    entry: ImageEntry, told: str, truth: GroundTruth, table: DetectionTable
) -> Iterator[dict[str, Any]]:
    """Yield one image with its boxes; nothing where the file cannot be read."""
    try:
        header = read_header(entry.path)
        small = read_image(entry.file, near=WIDTH)
    except UnreadableImageError:
        return
    small.thumbnail((WIDTH, WIDTH))
    shown = header.stored if entry.as_stored else header.upright
    scale = small.width / (entry.size or shown)[0]
    kinds = (
        (truth.boxes, truth.category_ids, truth.image_ids),
        (table.boxes, table.category_ids, table.image_ids),
    )
    drawn = [
        _boxes(boxes[ids == entry.id] * scale, names[ids == entry.id], truth) for boxes, names, ids in kinds
    ]
    yield {
        "name": clean(entry.path.name),
        "told": told,
        "width": small.width,
        "height": small.height,
        "data": _data_url(small),
        "truth": drawn[0],
        "found": drawn[1],
    }


def _boxes(boxes: npt.NDArray[np.float64], categories: Counts, truth: GroundTruth) -> list[list[Any]]:
    names = [clean(truth.categories.get(number, number)) for number in categories.tolist()]
    return [[*box, name] for box, name in zip(boxes.round(1).tolist(), names, strict=True)][:_MOST_BOXES]


def _data_url(image: Any) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"
