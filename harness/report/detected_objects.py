"""What a model finds in images: as rows, and drawn with names and scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

from harness.accuracy.image_files import read_image
from harness.accuracy.worst import refuse_existing, to_png, write_new
from harness.bench.detect import DetectedObject, ImageObjects
from harness.report.content import Content
from harness.text import clean

COLUMNS = ("image", "name", "category_id", "score", "x", "y", "width", "height")
COLORS = (
    "#e6194b",
    "#3cb44b",
    "#4363d8",
    "#f58231",
    "#911eb4",
    "#008080",
    "#9a6324",
    "#800000",
    "#808000",
    "#000075",
)
"""One for each class in turn: dark enough for white letters."""
LEAST_SIDE = 480
"""px; smaller images are drawn enlarged, so that their labels can be read."""
_LETTERS = 40
"""Letters of 1/40 of the longer side."""
_LEAST_LETTERS = 12
_LONGEST_NAME = 40
_DECIMALS, _SCORE_DECIMALS = 2, 4


def content(found: Sequence[ImageObjects]) -> Content:
    """Return the rows for printing; the table has the files' names alone where no two of them are the same."""
    if len({image.path.name for image in found}) < len(found):
        return Content(rows(found), COLUMNS)
    short = [replace(image, path=Path(image.path.name)) for image in found]
    return Content(rows(found), COLUMNS, own={"table": lambda: Content(rows(short), COLUMNS)})


def rows(found: Sequence[ImageObjects]) -> list[dict[str, Any]]:
    """Return one row an object; boxes in pixels with 2 decimals, scores with 4."""
    return [_row(image.path, one) for image in found for one in image.objects]


def _row(path: Path, found: DetectedObject) -> dict[str, Any]:
    box = (round(value, _DECIMALS) for value in found.box)
    score = round(found.score, _SCORE_DECIMALS)
    return dict(zip(COLUMNS, (str(path), found.name, found.category_id, score, *box), strict=True))


def draw_all(found: Sequence[ImageObjects], folder: Path) -> list[Path]:
    """Draw the images that could be read as PNG files, each under its own name.

    Args:
        found: What was found in them.
        folder: Where to write; made if it is not there. Files in it are never replaced.

    Returns:
        The files, in the order of the images.

    Raises:
        OutputError: A file of that name is there already, or the folder cannot be written.
    """
    readable = [image for image in found if image.problem is None]
    files = [folder / f"{name}.png" for name in _names([image.path for image in readable])]
    refuse_existing(files)
    for file, image in zip(files, readable, strict=True):
        write_new(file, to_png(draw(image)))
    return files


def _names(paths: Sequence[Path]) -> list[str]:
    """Return a name for each file; those that share one get a number."""
    names: list[str] = []
    for path in paths:
        name, number = path.stem, 1
        while name in names:
            number += 1
            name = f"{path.stem}-{number}"
        names.append(name)
    return names


def draw(image: ImageObjects) -> Image.Image:
    """Draw one image with its boxes, names and scores, the surest on top.

    Raises:
        UnreadableImageError: It cannot be read.
    """
    picture = read_image(image.path)
    scale = max(1, -(-LEAST_SIDE // max(picture.size)))
    picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    font = ImageFont.load_default(max(_LEAST_LETTERS, max(picture.size) // _LETTERS))
    for found in reversed(image.objects):
        _box(pen, font, found, scale, picture.size)
    return picture


def _box(
    pen: ImageDraw.ImageDraw,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
    found: DetectedObject,
    scale: int,
    size: tuple[int, int],
) -> None:
    """Draw a box and its label, above it where there is room, else inside."""
    color = COLORS[found.category_id % len(COLORS)]
    x, y, width, height = (value * scale for value in found.box)
    pen.rectangle((x, y, x + width, y + height), outline=color, width=max(2, max(size) // 250))
    text = _label(found, font)
    left, _, right, bottom = pen.textbbox((0, 0), text, font=font)
    room = bottom + 3
    at = (max(0.0, min(x, size[0] - right - 4)), y - room if y >= room else y)
    pen.rectangle((at[0], at[1], at[0] + right - left + 5, at[1] + room), fill=color)
    pen.text((at[0] + 2 - left, at[1] + 1), text, fill="white", font=font)


def _label(found: DetectedObject, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    name = clean(found.name if found.name is not None else f"class {found.category_id}")
    name = name if len(name) <= _LONGEST_NAME else name[:_LONGEST_NAME] + "..."
    text = f"{name} {found.score:.2f}"
    if not isinstance(font, ImageFont.FreeTypeFont):  # the bitmap font knows Latin-1 only
        text = text.encode("latin-1", "replace").decode("latin-1")
    return text
