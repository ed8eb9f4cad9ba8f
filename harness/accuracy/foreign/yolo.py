"""YOLO labels: data.yaml, and one text file an image with lines `class x_center y_center width height`, 0…1.

The format and where labels lie: Ultralytics, "Object Detection Datasets Overview" (docs.ultralytics.com). A label
file stands where its image stands, with `labels` for the last `images` of the path; an image without one has no
objects. Category ids are YOLO's class numbers, which count from 0.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from harness.accuracy.foreign.convert import (
    Box,
    Converted,
    LabelledImage,
    image_size,
    images_below,
    read_text,
    write,
)
from harness.accuracy.foreign.data_yaml import Value, read_yaml
from harness.errors import DatasetError
from harness.paths import is_file, is_folder, resolved

NAMES = ("data.yaml", "data.yml", "dataset.yaml")
SPLITS = ("val", "test", "train")
"""What is evaluated is the first of these that the file names and that is there."""
_MOST_DIGITS = 9
_SLACK = 1e-3
"""Labels overshoot the image by rounding."""


def find_yaml(folder: Path) -> Path | None:
    """Return the file that describes YOLO labels, if the folder has one."""
    return next((folder / name for name in NAMES if is_file(folder / name)), None)


def convert(path: Path, wanted: str | None = None) -> Converted:
    """Convert the labels that a `data.yaml` describes.

    Args:
        path: The file.
        wanted: The split; None for the first of `SPLITS` that is there.

    Raises:
        DatasetError: The file, a label or an image is wrong; names the file, the line, what was found and what is
            expected.
    """
    root, described = path.parent, read_yaml(path)
    categories = _classes(path, described)
    split, images = _images(path, described, wanted)
    labels = [_label_file(image.relative_to(root)) for image in images]
    if not any(is_file(root / label) for label in labels):
        raise DatasetError(f"{root / labels[0]}: no label file; none of {len(images)} images has one")
    labelled = [
        _labelled(root, image, root / label, categories) for image, label in zip(images, labels, strict=True)
    ]
    name = f"{resolved(root).name}-{split}"
    return Converted(name, write(name, "YOLO", labelled, categories), root)


def _classes(path: Path, described: dict[str, Value]) -> dict[int, str]:
    names = described.get("names")
    if isinstance(names, list) and names:
        return dict(enumerate(names))
    if isinstance(names, dict) and all(key.isdecimal() and len(key) <= _MOST_DIGITS for key in names):
        return {int(key): name for key, name in names.items()}
    raise DatasetError(
        f"{path}: key 'names' is {names!r}, expected the classes' names, a list or NUMBER: NAME"
    )


def _images(path: Path, described: dict[str, Value], wanted: str | None) -> tuple[str, list[Path]]:
    splits = SPLITS if wanted is None else (wanted,)
    for split in splits:
        places = described.get(split) or []
        listed = [places] if isinstance(places, str) else list(places)
        found = [image for place in listed for image in _images_at(path, described, place)]
        if found:
            return split, sorted(set(found))
    raise DatasetError(
        f"{path}: no images; expected one of the keys {', '.join(splits)} to name a folder or a list of images "
        f"below {path.parent}"
    )


def _images_at(path: Path, described: dict[str, Value], place: str) -> list[Path]:
    """Return the images of a folder or a list, tried from the file's `path` and from the file's own folder."""
    base = described.get("path", "")
    inside = _inside(place)
    for start in (_inside(base if isinstance(base, str) else ""), PurePosixPath()):
        folder = path.parent / start / inside
        if is_folder(folder):
            return images_below(folder)
        if folder.suffix == ".txt" and is_file(folder):
            return _listed(folder)
    return []


def _listed(path: Path) -> list[Path]:
    """Return the images that a file lists, one path a line, relative to the file."""
    listed = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        if line.strip():
            listed.append(path.parent / _inside(line.strip()))
            if not is_file(listed[-1]):
                raise DatasetError(
                    f"{path}, line {number}: found {line.strip()!r}, but there is no such image"
                )
    return listed


def _inside(place: str) -> PurePosixPath:
    """Return a path without what leads out of the folder: exported files often begin with `../`."""
    parts = PurePosixPath(place.replace("\\", "/")).parts
    return PurePosixPath(*(part for part in parts if part not in {"..", "/", "."} and not part.endswith(":")))


def _label_file(image: Path) -> Path:
    parts = list(image.parts)
    at = max((k for k, part in enumerate(parts[:-1]) if part == "images"), default=None)
    if at is not None:
        parts[at] = "labels"
    return Path(*parts).with_suffix(".txt")


def _labelled(root: Path, image: Path, label: Path, categories: dict[int, str]) -> LabelledImage:
    width, height = image_size(image)
    lines = read_text(label).splitlines() if is_file(label) else []
    boxes: dict[Box, None] = {}  # a line that stands twice is one object, as in Ultralytics
    for number, line in enumerate(lines, start=1):
        if line.strip():
            boxes[_box(f"{label}, line {number}", line, categories, width, height)] = None
    return LabelledImage(image.relative_to(root).as_posix(), width, height, tuple(boxes))


def _box(where: str, line: str, categories: dict[int, str], width: int, height: int) -> Box:
    words = line.split()
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != 5 and not (len(values) >= 7 and len(values) % 2):
        raise DatasetError(
            f"{where}: found {line.strip()[:60]!r}, expected 'class x_center y_center width height' "
            "or 'class x1 y1 x2 y2 x3 y3 …'"
        )
    if values[0] not in categories:
        raise DatasetError(
            f"{where}: the class is {words[0]}, expected one of the {len(categories)} of data.yaml, "
            f"{min(categories)}…{max(categories)}"
        )
    if not all(-_SLACK <= value <= 1 + _SLACK for value in values[1:]):
        raise DatasetError(f"{where}: found {line.strip()[:60]!r}, expected coordinates from 0 to 1")
    left, top, right, bottom = _corners(values[1:])
    box = (left * width, top * height, (right - left) * width, (bottom - top) * height)
    return Box(int(values[0]), box)


def _corners(values: list[float]) -> tuple[float, float, float, float]:
    """Return x0, y0, x1, y1 of a box by its centre, or of the frame of an outline."""
    if len(values) > 4:
        return min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
    x, y, width, height = values
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2
