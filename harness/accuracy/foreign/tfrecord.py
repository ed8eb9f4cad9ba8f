"""TFRecord files of TensorFlow's Object Detection API: images, boxes and classes in one file, names in a label map.

Source: object_detection/data_decoders/tf_example_decoder.py. Boxes are shares of the image; `is_crowd`,
`difficult` and `group_of` objects are neither to be found nor wrong to find. The images are written out into the cache
as they are, once for files that stay the same. The label map is the one `.pbtxt` with items beside the files, or in the
folder above.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from harness import atomic
from harness.accuracy.coco_json import first_few
from harness.accuracy.foreign.convert import Box, Converted, LabelledImage, document, image_size, plain_name
from harness.accuracy.foreign.label_map import is_label_map, read_label_map
from harness.accuracy.foreign.record_names import RecordNames
from harness.accuracy.foreign.records import Feature, read_example, read_records
from harness.cards import cache_folder
from harness.errors import DatasetError
from harness.paths import content_of, found_in, is_file, is_folder, resolved, status

SPLITS = ("val", "test", "eval", "train")
"""Of several files, those of the first of these are evaluated."""
_SHARD = re.compile(r"-(?:\d{5}|\?{5}|\*)-of-(\d{5})$")
_FILE = re.compile(r"\.(?:tf_?records?|record)s?(?:\.gz)?(?:-(?:\d{5}|\?{5}|\*)-of-\d{5})?$", re.IGNORECASE)
_ENDINGS = ((b"\xff\xd8\xff", ".jpg"), (b"\x89PNG\r\n\x1a\n", ".png"))
_PREFIX = "image/object/"
_IGNORED = ("is_crowd", "difficult", "group_of")


@dataclass(frozen=True)
class Labels:
    """The names of classes: by id for the data set, and the id of every name; `source` says where they stand."""

    shown: dict[int, str]
    known: dict[str, int]
    source: Path | None = None


def is_tfrecord(path: Path) -> bool:
    """Whether a path is such a file, or stands for several: `name.record-?????-of-00010`."""
    return _FILE.search(path.name) is not None and not is_folder(path)


def holds_tfrecords(folder: Path) -> bool:
    """Whether a folder holds such files."""
    return any(is_tfrecord(path) for path in found_in(folder))


def convert(path: Path, split: str | None = None) -> Converted:
    """Write the images of TFRecord files out, and their labels as COCO's.

    Args:
        path: A file, a pattern of shards, or a folder of files.
        split: Of a folder, the files whose names hold this word; None for the first of `SPLITS` that there is.

    Raises:
        DatasetError: A file is damaged or no TFRecord file of images; names the file, the record, what was found and
            what is expected.
        OutputError: The cache cannot be written.
    """
    name, files = _files(path, split)
    if files != [path]:
        _refuse_missing_shards(path, files)
    map_file = _label_map(files[0].parent)
    folder = cache_folder() / "datasets" / f"{plain_name(name)}-{_key(files, map_file)}"
    annotations = folder / "instances.json"
    if not is_file(annotations):
        shown, known = ({}, {}) if map_file is None else read_label_map(map_file)
        _write(folder, files, Labels(shown, known, map_file))
    return Converted(name, annotations, folder / "images")


def _files(path: Path, split: str | None) -> tuple[str, list[Path]]:
    """Return the name of what is meant, and its files in order."""
    if not is_folder(path):
        found = [path] if is_file(path) else _shards(path)
        if not found:
            raise DatasetError(f"{path}: no such TFRecord file")
        return _stem(path), found
    groups: dict[str, list[Path]] = {}
    for file in found_in(path):
        if is_tfrecord(file):
            groups.setdefault(_stem(file), []).append(file)
    if len(groups) == 1 and split is None:
        return next(iter(groups.items()))
    for word in SPLITS if split is None else (split,):
        meant = [stem for stem in groups if word in re.split(r"[^a-z]+", stem.lower()) or stem == word]
        meant = meant or [stem for stem in groups if word in stem.lower()]
        if len(meant) == 1:
            return meant[0], sorted(groups[meant[0]])
    raise DatasetError(
        f"{path}: it is open which TFRecord files are meant ({first_few(list(groups))}); name one of them, or the "
        f"split as {path}:{next(iter(groups))}"
    )


def _shards(path: Path) -> list[Path]:
    return list(filter(is_file, found_in(path.parent, path.name))) if _SHARD.search(path.name) else []


def _refuse_missing_shards(path: Path, files: Iterable[Path]) -> None:
    """Refuse a part of a data set that stands for all of it: each shard says how many there are."""
    counts = Counter(int(match[1]) for file in files if (match := _SHARD.search(file.name)))
    for expected, found in counts.items():
        if found != expected or len(counts) > 1:
            raise DatasetError(
                f"{path}: found {first_few([file.name for file in files])}: {found} of {expected} shards; expected all "
                "of one set: fetch the others, or name one file alone to evaluate its part"
            )


def _stem(path: Path) -> str:
    """Return a file's name without its ending and the number of its shard."""
    return _FILE.sub("", path.name) or path.name


def _label_map(folder: Path) -> Path | None:
    for place in (folder, folder.parent):
        maps = [path for path in found_in(place, "*.pbtxt") if is_label_map(path)]
        if len(maps) > 1:
            raise DatasetError(
                f"{place}: several label maps ({first_few([path.name for path in maps])}); leave one there"
            )
        if maps:
            return maps[0]
    return None


def _key(files: Iterable[Path], map_file: Path | None) -> str:
    """Return a hash that changes with the files: of their places, sizes and times, and of the label map."""
    facts = [
        (str(resolved(file)), found.st_size, found.st_mtime_ns) for file in files if (found := status(file))
    ]
    data = msgspec.json.encode(facts) + (b"" if map_file is None else content_of(map_file))
    return hashlib.sha256(data).hexdigest()[:16]


def _write(folder: Path, files: Iterable[Path], labels: Labels) -> None:
    """Write the images, and the annotations last: where those are, all is."""
    named: dict[int, str] = dict(labels.shown)
    images = list(_images(folder / "images", files, labels, named))
    if not images:
        raise DatasetError(f"{next(iter(files))}: no records in it")
    if not named:
        raise DatasetError(
            f"{next(iter(files))}: nothing names the classes: put the label map (.pbtxt, item {{ id: 1 name: 'cat' }}) "
            "beside it"
        )
    atomic.write_bytes(folder / "instances.json", msgspec.json.encode(document("TFRecord", images, named)))


def _images(
    folder: Path, files: Iterable[Path], labels: Labels, named: dict[int, str]
) -> Iterator[LabelledImage]:
    """Write each image and yield its labels; names of classes that no map has are added."""
    names, count = RecordNames(), itertools.count(1)
    for file in files:
        for number, data in enumerate(read_records(file), 1):
            where = f"{file}, record {number}"
            try:
                example = read_example(data)
            except ValueError as error:
                raise DatasetError(f"{where}: is no tf.train.Example ({error})") from error
            encoded, ending = _encoded(where, example)
            path = folder / names.name(where, example, f"{_stem(file)}-{next(count):06d}", ending)
            atomic.write_bytes(path, encoded)
            yield _image(path, where, example, labels, named)


def _encoded(where: str, example: dict[str, Feature]) -> tuple[bytes, str]:
    """Return the bytes of an image file, and its ending."""
    encoded = _one(example, "image/encoded")
    if not isinstance(encoded, bytes) or not encoded:
        keys = first_few(sorted(example)) or "no features"
        raise DatasetError(
            f"{where}: found {keys}, expected image/encoded: is this a data set of the Object Detection API?"
        )
    ending = next((ending for start, ending in _ENDINGS if encoded.startswith(start)), None)
    if ending is None:
        raise DatasetError(
            f"{where}: image/encoded begins with {encoded[:4].hex()}, expected a JPEG or a PNG"
        )
    return encoded, ending


def _image(
    path: Path, where: str, example: dict[str, Feature], labels: Labels, named: dict[int, str]
) -> LabelledImage:
    width, height = (_one(example, f"image/{side}") for side in ("width", "height"))
    if not (isinstance(width, int) and isinstance(height, int) and width > 0 and height > 0):
        width, height = image_size(path)
    boxes = tuple(_boxes(where, example, (width, height), labels, named))
    return LabelledImage(path.name, width, height, boxes)


def _boxes(
    where: str, example: dict[str, Feature], size: tuple[int, int], labels: Labels, named: dict[int, str]
) -> Iterator[Box]:
    sides = [_floats(example, f"bbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
    n = len(sides[0])
    if any(len(values) != n for values in sides):
        raise DatasetError(
            f"{where}: found {[len(values) for values in sides]} xmin, ymin, xmax, ymax, expected equally many"
        )
    areas = _floats(example, "area")
    marks = [example.get(_PREFIX + key, ()) for key in _IGNORED]
    for index, category in enumerate(_categories(where, example, n, labels, named)):
        left, top, right, bottom = (values[index] for values in sides)
        if not (-0.01 <= left <= right <= 1.01 and -0.01 <= top <= bottom <= 1.01):
            raise DatasetError(
                f"{where}: found the box {left:g}, {top:g}, {right:g}, {bottom:g}, expected xmin ≤ xmax and "
                "ymin ≤ ymax as shares of 0…1"
            )
        width, height = size
        box = (left * width, top * height, (right - left) * width, (bottom - top) * height)
        ignored = any(len(mark) == n and bool(mark[index]) for mark in marks)
        yield Box(category, box, ignored, areas[index] if len(areas) == n else None)


def _categories(
    where: str, example: dict[str, Feature], n: int, labels: Labels, named: dict[int, str]
) -> list[int]:
    """Return the id of each object's class: the record's own, held against its name; or by its name alone."""
    texts = [
        text.decode("utf-8", "replace") if isinstance(text, bytes) else str(text)
        for text in example.get(f"{_PREFIX}class/text", ())
    ]
    ids = [int(value) for value in example.get(f"{_PREFIX}class/label", ()) if isinstance(value, int)]
    if n in (len(ids), len(texts)) and len(ids) != n:
        ids = [_by_name(where, text, labels) for text in texts]
    if len(ids) != n:
        raise DatasetError(f"{where}: found {n} boxes and {len(ids)} classes, expected equally many")
    for number, text in zip(ids, texts if len(texts) == n else [""] * n, strict=True):
        _check_class(where, number, text, labels, named)
    return ids


def _check_class(where: str, number: int, text: str, labels: Labels, named: dict[int, str]) -> None:
    if number in labels.shown:
        if text and labels.known.get(text, number) != number:
            raise DatasetError(
                f"{where}: an object is {text!r} with the id {number}, which {labels.source} calls "
                f"{labels.shown[number]!r}"
            )
        return
    if labels.source is not None:
        raise DatasetError(
            f"{where}: found the class {number} ({text or 'no name'}), which {labels.source} does not have"
        )
    if text and named.setdefault(number, text) != text:
        raise DatasetError(f"{where}: the class {number} is {text!r} and {named[number]!r}")


def _by_name(where: str, text: str, labels: Labels) -> int:
    if text not in labels.known:
        source = labels.source or "no label map (.pbtxt) beside it"
        raise DatasetError(f"{where}: found the class {text!r} without an id, and {source} does not have it")
    return labels.known[text]


def _floats(example: dict[str, Feature], key: str) -> list[float]:
    return [float(value) for value in example.get(_PREFIX + key, ()) if not isinstance(value, bytes)]


def _one(example: dict[str, Feature], key: str) -> Any:
    """Return the first value of a feature; None where there is none."""
    return next(iter(example.get(key, ())), None)
