"""Draw the images that the two models differ most on: float left, quantized right, with the ground truth.

Detections are drawn from the score upwards at which the float model's F1 is best: as a user of it would choose.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from harness.accuracy.matches import match
from harness.accuracy.worst import (
    WorstImage,
    best_threshold,
    draw,
    judge_image,
    refuse_existing,
    to_png,
    write_new,
)
from harness.diagnosis.evidence import Evidence
from harness.diagnosis.loss.loss import Accuracy
from harness.errors import DatasetError
from harness.text import clean

MOST = 6
_GAP, _STRIP = 6, 20


@dataclass(frozen=True)
class Picture:
    """One image with the detections of both models.

    Attributes:
        image_id: Id in the dataset.
        name: The image's file.
        caption: How the models differ, in words.
        image: The drawing.
    """

    image_id: int
    name: str
    caption: str
    image: Image.Image


def pictures(evidence: Evidence, n: int = MOST) -> Iterator[Picture]:
    """Draw the images that the models differ most on, the most different first; unreadable ones are left out.

    Without a float model, the images with the most errors are drawn.
    """
    accuracies = [found for found in (evidence.loss.float, evidence.loss.quantized) if found is not None]
    judged = _judge_images(evidence, accuracies)
    order = sorted(range(len(judged)), key=lambda k: (-_difference(judged[k]), judged[k][0].image_id))
    names = {image.id: image.path.name for image in evidence.dataset.images}
    for k in order[:n]:
        if not _difference(judged[k]):
            return
        try:
            drawn = _beside(evidence, accuracies, judged[k])
        except DatasetError:
            continue
        number = judged[k][0].image_id
        yield Picture(number, clean(names[number]), _caption(accuracies, judged[k]), drawn)


def write_pictures(evidence: Evidence, folder: Path, n: int = MOST) -> list[Path]:
    """Write the pictures as `RANK-image-ID.png`.

    Raises:
        OutputError: A file of that name is there already, or the folder cannot be written.
    """
    drawn = list(pictures(evidence, n))
    files = [folder / f"{rank:02d}-image-{picture.image_id}.png" for rank, picture in enumerate(drawn, 1)]
    refuse_existing(files)
    for file, picture in zip(files, drawn, strict=True):
        write_new(file, to_png(picture.image))
    return files


def _judge_images(evidence: Evidence, accuracies: Sequence[Accuracy]) -> list[tuple[WorstImage, ...]]:
    """Return each model's right and wrong detections in each image, at the first model's threshold."""
    found: list[list[WorstImage]] = []
    threshold = None
    for accuracy in accuracies:
        table = accuracy.detections.table
        matches = match(evidence.truth, table, accuracy.detections.image_ids)
        threshold = best_threshold(matches, table) if threshold is None else threshold
        shown = (table.scores[matches.rows] >= threshold) & ~matches.ignored[0]
        found.append(
            [
                judge_image(evidence.truth, matches, k, shown & (matches.images == k), threshold)
                for k in range(len(matches.image_ids))
            ]
        )
    return list(zip(*found, strict=True))


def _difference(judged: tuple[WorstImage, ...]) -> int:
    """Count the objects that only one model finds, and the difference in wrong detections."""
    if len(judged) == 1:
        return len(judged[0].missed) + len(judged[0].wrong)
    first, second = judged
    return np.setxor1d(first.found, second.found).size + abs(len(first.wrong) - len(second.wrong))


def _caption(accuracies: Sequence[Accuracy], judged: tuple[WorstImage, ...]) -> str:
    captions = []
    for accuracy, one in zip(accuracies, judged, strict=True):
        n_objects = len(one.found) + len(one.missed)
        captions.append(
            f"{accuracy.model.role}: {len(one.found)} of {n_objects} objects found, {len(one.wrong)} wrong"
        )
    return "; ".join(captions)


def _beside(
    evidence: Evidence, accuracies: Sequence[Accuracy], judged: tuple[WorstImage, ...]
) -> Image.Image:
    """Draw the models beside each other, each under its name."""
    drawn = [
        draw(one, evidence.truth, accuracy.detections.table, evidence.dataset.image_folder)
        for accuracy, one in zip(accuracies, judged, strict=True)
    ]
    width = sum(image.width for image in drawn) + _GAP * (len(drawn) - 1)
    canvas = Image.new("RGB", (width, max(image.height for image in drawn) + _STRIP), "black")
    pen, left = ImageDraw.Draw(canvas), 0
    for accuracy, image in zip(accuracies, drawn, strict=True):
        title = (
            clean(f"{accuracy.model.role}: {accuracy.model.name}")
            .encode("latin-1", "replace")
            .decode("latin-1")
        )
        pen.text((left + 4, 3), title, fill="white", font=ImageFont.load_default())
        canvas.paste(image, (left, _STRIP))
        left += image.width + _GAP
    return canvas
