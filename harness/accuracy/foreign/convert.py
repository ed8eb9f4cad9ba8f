"""Labels of another format → a COCO annotations file in the cache.

The file's name holds the hash of its content: the same labels give the same file, changed ones another.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from harness import atomic
from harness.accuracy.image_files import UnreadableImageError, read_header
from harness.cards import cache_folder
from harness.errors import DatasetError, cannot_read
from harness.paths import content_of, files_below, is_file, size_of

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})
_MOST_DIGITS = 15
"""A float64 holds such a number exactly."""
MOST_BYTES = 1 << 24
"""Of one label file; labels of one image take some kilobytes."""


@dataclass(frozen=True)
class Box:
    """One object: its category's id, x, y, width, height in pixels, whether it is to be ignored, its own area."""

    category: int
    xywh: tuple[float, float, float, float]
    ignored: bool = False
    area: float | None = None


@dataclass(frozen=True)
class LabelledImage:
    """One image: its name below the image folder with `/`, its size in pixels, its objects."""

    name: str
    width: int
    height: int
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Converted:
    """A data set that was converted: its name, the COCO file and the folder of the images."""

    name: str
    annotations: Path
    images: Path


def write(name: str, kind: str, labelled: list[LabelledImage], categories: dict[int, str]) -> Path:
    """Write labels as a COCO `instances.json` to the cache, unless it is there already.

    Args:
        name: The data set's name, part of the folder's name.
        kind: The format that the labels come from.
        labelled: The images; an id is the number that a file's name is, else they count from 1 in the order of names.
        categories: Name by id.

    Raises:
        OutputError: The cache cannot be written.
    """
    data = msgspec.json.encode(document(kind, labelled, categories))
    folder = cache_folder() / "datasets" / f"{plain_name(name)}-{hashlib.sha256(data).hexdigest()[:16]}"
    path = folder / "instances.json"
    if not (is_file(path) and path.read_bytes() == data):
        atomic.write_bytes(path, data)
    return path


def plain_name(name: str) -> str:
    """Return a data set's name as the beginning of a folder's."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:60]


def document(kind: str, labelled: list[LabelledImage], categories: dict[int, str]) -> dict[str, Any]:
    """Return labels as a COCO document."""
    labelled = sorted(labelled, key=lambda image: image.name)
    ids = _ids(labelled)
    objects = [(k, box) for k, image in zip(ids, labelled, strict=True) for box in image.boxes]
    return {
        "info": {"description": f"converted from {kind} labels"},
        "images": [
            {"id": k, "file_name": image.name, "width": image.width, "height": image.height}
            for k, image in zip(ids, labelled, strict=True)
        ],
        "annotations": [_annotation(number, k, box) for number, (k, box) in enumerate(objects, 1)],
        "categories": [{"id": number, "name": name} for number, name in sorted(categories.items())],
    }


def _ids(labelled: list[LabelledImage]) -> list[int]:
    """Number the images as Ultralytics names them in its predictions: by the files' names, where those are numbers."""
    stems = [PurePosixPath(image.name).stem for image in labelled]
    numbers = [int(stem) for stem in stems if stem.isascii() and stem.isdigit() and len(stem) <= _MOST_DIGITS]
    return numbers if len(set(numbers)) == len(labelled) else list(range(1, len(labelled) + 1))


def _annotation(number: int, image: int, box: Box) -> dict[str, Any]:
    return {
        "id": number,
        "image_id": image,
        "category_id": box.category,
        "bbox": box.xywh,
        "area": box.xywh[2] * box.xywh[3] if box.area is None else box.area,
        "iscrowd": int(box.ignored),
    }


def read_text(path: Path) -> str:
    """Read a text file as UTF-8.

    Raises:
        DatasetError: It cannot be read, is too large, or is not UTF-8.
    """
    try:
        return read_limited(path).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: not UTF-8 text: {error}") from error


def read_limited(path: Path) -> bytes:
    """Read a file of labels.

    Raises:
        DatasetError: It cannot be read or is too large.
    """
    try:
        if size_of(path) > MOST_BYTES:
            raise DatasetError(f"{path}: {size_of(path)} bytes, expected labels of {MOST_BYTES} at most")
        return content_of(path)
    except OSError as error:
        raise DatasetError(cannot_read(path, error)) from error


def image_size(path: Path) -> tuple[int, int]:
    """Return width and height of an image as it is shown, from its file's header.

    Raises:
        DatasetError: It is not an image.
    """
    try:
        return read_header(path).upright
    except UnreadableImageError as error:
        raise DatasetError(f"{path}: its size cannot be read ({error.why})") from error


def images_below(folder: Path) -> list[Path]:
    """Return the image files below a folder, sorted."""
    return sorted(path for path in files_below(folder) if path.suffix.lower() in IMAGE_SUFFIXES)
