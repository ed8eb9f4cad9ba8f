"""The images with the most errors, drawn: ground truth against prediction."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.coco import chosen_images
from harness.accuracy.detections import DetectionTable
from harness.accuracy.image_files import ImageFile, UnreadableImageError, read_image
from harness.accuracy.image_places import locate
from harness.accuracy.image_sizes import check_sizes
from harness.accuracy.matches import Matches, match
from harness.errors import DatasetError, OutputError, cannot_write
from harness.paths import exists, is_link
from harness.text import clean

Rows = npt.NDArray[np.int64]

COLORS = {"found": "#2ca02c", "missed": "#e31a1c", "right": "#1f78ff", "wrong": "#ff9f1c"}
"""Annotations that were found and missed, detections that are right and wrong."""
LEAST_SIDE = 480
"""px; smaller images are drawn enlarged, so that their labels can be read."""
_LONGEST_LABEL = 40
_STRIP = 22


@dataclass(frozen=True)
class WorstImage:
    """One image and what is right and wrong in it at IoU 0.5.

    Attributes:
        image_id: Of the annotations.
        found: int64, rows of the annotations that were found.
        missed: int64, rows of those that were not; crowds are in neither.
        right: int64, rows of the detections that found them.
        wrong: int64, rows of the other detections with a score of `threshold` or more.
        threshold: The score below which detections are left out.
    """

    image_id: int
    found: Rows
    missed: Rows
    right: Rows
    wrong: Rows
    threshold: float


def find_worst(
    truth: GroundTruth, table: DetectionTable, n: int, image_ids: Sequence[int] | None = None
) -> list[WorstImage]:
    """Find the images with the most missed objects and wrong detections.

    Detections count from the score upwards at which F1 over all images and classes is best: without a limit
    every image would be full of detections that nobody would show.

    Args:
        truth: The ground truth.
        table: The detections.
        n: How many images, at most; those without any error are left out.
        image_ids: The images to choose from; all for None.

    Returns:
        The worst first.

    Raises:
        UsageError: There are no images, or some are not in the annotations.
    """
    matches = match(truth, table, chosen_images(truth, image_ids))
    threshold = best_threshold(matches, table)
    shown = (table.scores[matches.rows] >= threshold) & ~matches.ignored[0]
    all_images = [
        judge_image(truth, matches, k, shown & (matches.images == k), threshold)
        for k in _most_errors(matches, shown, n)
    ]
    return [image for image in all_images if len(image.missed) + len(image.wrong)]


def best_threshold(matches: Matches, table: DetectionTable) -> float:
    """Return the score with the best F1 at IoU 0.5; infinity where nothing is right."""
    counted = ~matches.ignored[0]
    scores, right = table.scores[matches.rows][counted], matches.found[0][counted] >= 0
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(right[order])
    if not hits.size or not hits[-1]:
        return math.inf if not hits.size else float(scores.max())
    f1 = 2 * hits / (np.arange(1, len(hits) + 1) + len(matches.truth_rows))
    last = np.append(np.diff(scores[order]) != 0, True)  # detections of one score stand or fall together
    return float(scores[order][np.argmax(np.where(last, f1, -1.0))])


def _most_errors(matches: Matches, shown: npt.NDArray[np.bool_], n: int) -> list[int]:
    n_images, right = len(matches.image_ids), shown & (matches.found[0] >= 0)
    objects = np.bincount(matches.truth_images, minlength=n_images)
    hits, detected = (np.bincount(matches.images[which], minlength=n_images) for which in (right, shown))
    errors = (objects - hits) + (detected - hits)
    return [int(k) for k in np.argsort(-errors, kind="stable")[:n]]


def judge_image(
    truth: GroundTruth, matches: Matches, k: int, shown: npt.NDArray[np.bool_], threshold: float
) -> WorstImage:
    """Say what is right and wrong in one image at IoU 0.5.

    Args:
        truth: The ground truth.
        matches: What the detections found.
        k: Index of the image in `matches.image_ids`.
        shown: bool [D], which of the image's detections count.
        threshold: The score below which they do not, for the record.
    """
    found = matches.found[0]
    own = matches.truth_rows[matches.truth_images == k]
    hit = found[shown & (found >= 0)].astype(np.int64)
    return WorstImage(
        image_id=int(matches.image_ids[k]),
        found=hit,
        missed=own[~np.isin(own, hit)],
        right=matches.rows[shown & (found >= 0)],
        wrong=matches.rows[shown & (found < 0)],
        threshold=threshold,
    )


def draw_worst(
    worst: Sequence[WorstImage], truth: GroundTruth, table: DetectionTable, images: Path, output: Path
) -> list[Path]:
    """Draw images with their boxes as PNG files.

    Args:
        worst: What to draw, as `find_worst` gives it.
        truth: The ground truth.
        table: The detections.
        images: The folder of the images.
        output: The folder to write to; made if it is not there. Files in it are never replaced.

    Returns:
        The files `worst-RANK-image-ID.png`, in the order of `worst`.

    Raises:
        DatasetError: An image is missing or cannot be read.
        OutputError: A file of that name is there already, or the folder cannot be written.
    """
    files = [output / f"worst-{k:03d}-image-{image.image_id}.png" for k, image in enumerate(worst, 1)]
    refuse_existing(files)
    for file, image in zip(files, worst, strict=True):
        write_new(file, to_png(draw(image, truth, table, images)))
    return files


def refuse_existing(files: Sequence[Path]) -> None:
    """Refuse to replace pictures.

    Raises:
        OutputError: A file of that name is there already.
    """
    there = [file for file in files if exists(file) or is_link(file)]
    if there:
        raise OutputError(f"{there[0]}: is there already and is not replaced; name another folder with -o")


def write_new(file: Path, data: bytes) -> None:
    """Write a file that is not there yet, and its folder.

    Raises:
        OutputError: It cannot be written.
    """
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("xb") as stream:
            stream.write(data)
    except OSError as error:
        if not isinstance(error, FileExistsError):
            with contextlib.suppress(OSError):  # a full disk leaves a part of it
                file.unlink()
        raise OutputError(cannot_write(file, error)) from error


def to_png(image: Image.Image) -> bytes:
    """Return an image as a PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def _open(truth: GroundTruth, image_id: int, images: Path) -> Image.Image:
    row = next(row for row in truth.images if row.id == image_id)
    path = locate(truth, row, images)
    (file,) = check_sizes([ImageFile(path, row.size)], "the annotations").files
    try:
        picture = read_image(file)
    except UnreadableImageError as error:
        raise DatasetError(f"{path}: the image cannot be read ({clean(error.why)})") from error
    return picture if row.size in {None, picture.size} else picture.resize(row.size)


def draw(worst: WorstImage, truth: GroundTruth, table: DetectionTable, images: Path) -> Image.Image:
    """Draw one image with its boxes and a legend.

    Raises:
        DatasetError: The image is missing or cannot be read.
    """
    picture = _open(truth, worst.image_id, images)
    scale = max(1, math.ceil(LEAST_SIDE / max(picture.size)))
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for kind in ("found", "missed"):
        for row in getattr(worst, kind):
            _box(
                pen, picture.size, truth.boxes[row] * scale, kind, _name(truth, int(truth.category_ids[row]))
            )
    for kind in ("right", "wrong"):
        for row in getattr(worst, kind):
            label = f"{_name(truth, int(table.category_ids[row]))} {table.scores[row]:.2f}"
            _box(pen, picture.size, table.boxes[row] * scale, kind, label)
    return _with_legend(picture, worst)


def _name(truth: GroundTruth, category: int) -> str:
    name = clean(truth.categories.get(category, category))
    return name if len(name) <= _LONGEST_LABEL else name[:_LONGEST_LABEL] + "..."


def _box(
    pen: ImageDraw.ImageDraw,
    size: tuple[int, int],
    box: npt.NDArray[np.float64],
    kind: str,
    label: str,
) -> None:
    """Draw a box; labels of annotations stand inside below, those of detections inside above."""
    corners = np.array([box[:2], box[:2] + box[2:]])
    corners = np.clip(np.sort(corners, axis=0), 0, np.array(size) - 1)
    (left, top), (right, bottom) = corners.tolist()
    annotated = kind in {"found", "missed"}
    pen.rectangle((left, top, right, bottom), outline=COLORS[kind], width=4 if annotated else 2)
    _label(pen, (left + 3, bottom - 16 if annotated else top + 2), label, COLORS[kind])


def _label(pen: ImageDraw.ImageDraw, at: tuple[float, float], text: str, color: str) -> None:
    font = ImageFont.load_default()
    if not isinstance(font, ImageFont.FreeTypeFont):  # the bitmap font knows Latin-1 only
        text = text.encode("latin-1", "replace").decode("latin-1")
    pen.rectangle(pen.textbbox(at, text, font=font), fill="black")
    pen.text(at, text, fill=color, font=font)


def _with_legend(picture: Image.Image, worst: WorstImage) -> Image.Image:
    """Add a strip that says what the colours mean and how many boxes there are of each."""
    canvas = Image.new("RGB", (picture.width, picture.height + _STRIP), "black")
    canvas.paste(picture, (0, 0))
    pen, left = ImageDraw.Draw(canvas), 4.0
    for kind, color in COLORS.items():
        text = f"{len(getattr(worst, kind))} {kind}"
        _label(pen, (left, picture.height + 4), text, color)
        left += 12 + pen.textlength(text, font=ImageFont.load_default())
    _label(
        pen, (left, picture.height + 4), f"image {worst.image_id}, score >= {worst.threshold:.2f}", "white"
    )
    return canvas
