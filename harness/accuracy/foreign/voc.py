"""Pascal VOC labels: Annotations/*.xml, JPEGImages/, ImageSets/Main/*.txt.

Source: M. Everingham, J. Winn: The PASCAL Visual Object Classes Challenge 2012, Development Kit, 2012. Pixels count
from 1 there and the last one is part of the box, so x = xmin - 1 and width = xmax - xmin + 1. Objects marked
`difficult` are neither to be found nor wrong to find: they become COCO's crowds, which are ignored alike.
"""

from __future__ import annotations

import math
from pathlib import Path

from harness.accuracy.coco_json import first_few
from harness.accuracy.foreign.convert import (
    Box,
    Converted,
    LabelledImage,
    image_size,
    images_below,
    read_text,
    write,
)
from harness.accuracy.foreign.xml_tree import Element, read_xml
from harness.errors import DatasetError
from harness.paths import found_in, is_file, is_folder, resolved

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable"),
    *("dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
"""VOC's own classes; their ids count from 1 in this order. Other classes count from 1 by the alphabet."""
SPLITS = ("val", "test", "trainval", "train")
"""The image set that is evaluated is the first of these that is there."""


def is_voc(folder: Path) -> bool:
    """Whether a folder holds labels of this format."""
    return bool(found_in(folder / "Annotations", "*.xml"))


def convert(folder: Path, wanted: str | None = None) -> Converted:
    """Convert the labels of a folder.

    Args:
        folder: The folder.
        wanted: The image set; None for the first of `SPLITS` that is there, or all labels where there are none.

    Raises:
        DatasetError: A label file is wrong or an image is missing; names the file, the line, what was found and
            what is expected.
    """
    images = folder / "JPEGImages"
    if not is_folder(images):
        raise DatasetError(f"{folder}: Annotations/ holds VOC labels, but there is no folder JPEGImages/")
    split, names = _image_set(folder, wanted)
    trees = {name: read_xml(folder / "Annotations" / f"{name}.xml") for name in names}
    paths = {name: folder / "Annotations" / f"{name}.xml" for name in names}
    categories = _categories({_class(paths[n], o) for n, tree in trees.items() for o in tree.all("object")})
    numbers = {name: number for number, name in categories.items()}
    files = {path.stem: path for path in images_below(images)}
    missing = [name for name in names if name not in files]
    if missing:
        raise DatasetError(
            f"{images}: {len(missing)} of {len(names)} images are missing: {first_few(missing)}"
        )
    labelled = [_image(paths[name], trees[name], files[name], images, numbers) for name in names]
    name = f"{resolved(folder).name}-{split}" if split else resolved(folder).name
    return Converted(name, write(name, "Pascal VOC", labelled, categories), images)


def _image_set(folder: Path, wanted: str | None) -> tuple[str | None, list[str]]:
    """Return the split and its images' names; all that are labelled where there are no image sets."""
    for split in SPLITS if wanted is None else (wanted,):
        path = folder / "ImageSets" / "Main" / f"{split}.txt"
        if is_file(path):
            return split, _listed(folder, path)
    if wanted is not None:
        raise DatasetError(f"{folder}: no ImageSets/Main/{wanted}.txt, so there is no split {wanted!r}")
    return None, [path.stem for path in found_in(folder / "Annotations", "*.xml")]


def _listed(folder: Path, path: Path) -> list[str]:
    lines = enumerate(read_text(path).splitlines(), start=1)
    names = {line.split()[0]: number for number, line in lines if line.strip()}
    if not names:
        raise DatasetError(f"{path}: empty, expected the name of one image a line")
    for name, number in names.items():
        if Path(name).name != name or not is_file(folder / "Annotations" / f"{name}.xml"):
            raise DatasetError(
                f"{path}, line {number}: found {name!r}, but there is no Annotations/{name}.xml"
            )
    return list(names)


def _categories(names: set[str]) -> dict[int, str]:
    known = CLASSES if names <= set(CLASSES) else sorted(names)
    return dict(enumerate(known, start=1))


def _image(path: Path, tree: Element, file: Path, images: Path, numbers: dict[str, int]) -> LabelledImage:
    width, height = _size(path, tree) or image_size(file)
    boxes = tuple(_box(path, entry, numbers) for entry in tree.all("object"))
    return LabelledImage(file.relative_to(images).as_posix(), width, height, boxes)


def _size(path: Path, tree: Element) -> tuple[int, int] | None:
    """Return the size as labelled; None where it is absent or 0, as some tools write."""
    size = tree.find("size")
    if size is None:
        return None
    width, height = (int(_number(path, size, key)) for key in ("width", "height"))
    return (width, height) if width > 0 and height > 0 else None


def _class(path: Path, entry: Element) -> str:
    name = entry.find("name")
    if name is None or not name.text.strip():
        raise DatasetError(f"{path}, line {entry.line}: this object has no <name>, expected its class")
    return name.text.strip()


def _box(path: Path, entry: Element, numbers: dict[str, int]) -> Box:
    frame = entry.find("bndbox")
    if frame is None:
        raise DatasetError(f"{path}, line {entry.line}: this object has no <bndbox>")
    left, top, right, bottom = (_number(path, frame, key) for key in ("xmin", "ymin", "xmax", "ymax"))
    if right < left or bottom < top:
        raise DatasetError(
            f"{path}, line {frame.line}: found the corners {left:g}, {top:g} and {right:g}, {bottom:g}, "
            "expected xmin ≤ xmax and ymin ≤ ymax"
        )
    difficult = entry.find("difficult")
    ignored = difficult is not None and difficult.text.strip() not in {"", "0"}
    box = (left - 1, top - 1, right - left + 1, bottom - top + 1)
    return Box(numbers[_class(path, entry)], box, ignored)


def _number(path: Path, parent: Element, key: str) -> float:
    child = parent.find(key)
    if child is None:
        raise DatasetError(f"{path}, line {parent.line}: <{parent.tag}> has no <{key}>")
    try:
        value = float(child.text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DatasetError(
            f"{path}, line {child.line}: <{key}> is {child.text.strip()[:40]!r}, expected a number of pixels"
        )
    return value
