"""A dataset: COCO annotations and a folder of images.

Either a folder that holds both (exports of label tools are known, labels of VOC and YOLO are converted), the file of
annotations in it, or a TOML card that says where they are:

    name = "kitchen"
    annotations = "labels/instances.json"
    images = "photos"
    together = "^(.+)_frame"      # optional: images whose names share what this regular expression finds are one clip
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from harness import schema
from harness.accuracy import layouts
from harness.accuracy.annotations import GroundTruth, ImageRow, read_annotations
from harness.accuracy.clips import put_together
from harness.accuracy.coco_json import first_few
from harness.accuracy.image_files import ImageFile, Size
from harness.accuracy.image_places import locate
from harness.accuracy.image_sizes import check_sizes
from harness.errors import DatasetError, UsageError
from harness.paths import exists, expand_user, is_file, is_folder, resolved

if TYPE_CHECKING:
    from harness.accuracy.foreign.convert import Converted


@dataclass(frozen=True)
class ImageEntry:
    """One image of a dataset.

    Attributes:
        id: Its id in the annotations.
        path: Its file, which existed when the dataset was read.
        width: In pixels, as the annotations say; None when they do not.
        height: In pixels, as the annotations say; None when they do not.
        n_annotations: How many annotations the image has.
        as_stored: Whether they are of the picture as it is stored, not turned by its EXIF orientation.
    """

    id: int
    path: Path
    width: int | None = None
    height: int | None = None
    n_annotations: int = 0
    as_stored: bool = False

    @property
    def size(self) -> Size | None:
        """Annotated width and height in pixels; None where either is unknown."""
        return None if self.width is None or self.height is None else (self.width, self.height)

    @property
    def file(self) -> ImageFile:
        """The file, and how it is annotated."""
        return ImageFile(self.path, self.size, self.as_stored)


@dataclass(frozen=True)
class Dataset:
    """COCO annotations and their images.

    Attributes:
        name: The card's name, or the folder's.
        annotations: The annotations file.
        image_folder: Where the images are.
        annotations_sha256: Hash of the annotations file.
        images: In the order of their ids.
        categories: Name by id.
        n_annotations: Annotations of `images`.
        remarks: What a user should know of it, in sentences.
        annotated: Ids of the categories that have annotations, in any image; None where that is not known.
        together: Pattern of what the names of images that belong together share (`clips.put_together`).
    """

    name: str
    annotations: Path
    image_folder: Path
    annotations_sha256: str
    images: tuple[ImageEntry, ...]
    categories: dict[int, str]
    n_annotations: int
    remarks: tuple[str, ...] = ()
    annotated: frozenset[int] | None = None
    together: str | None = None

    @property
    def image_ids(self) -> tuple[int, ...]:
        """Ids of the images, in order."""
        return tuple(image.id for image in self.images)

    def limited(self, n: int | None) -> Dataset:
        """Return the dataset of the first `n` images by id; all of them for None.

        Raises:
            UsageError: `n` is less than 1.
        """
        if n is None:
            return self
        if n < 1:
            raise UsageError(f"a limit of {n} images leaves nothing to evaluate: give 1 or more")
        return self._of(self.images[:n])

    def without(self, image_ids: Collection[int]) -> Dataset:
        """Return the dataset of the other images."""
        left_out = frozenset(image_ids)
        return self._of(tuple(image for image in self.images if image.id not in left_out))

    def _of(self, images: tuple[ImageEntry, ...]) -> Dataset:
        return replace(self, images=images, n_annotations=sum(image.n_annotations for image in images))


class DatasetCard(schema.Strict, frozen=True, kw_only=True):
    """A dataset's TOML card. Paths are relative to the card; `together` is a pattern of file names."""

    name: str
    annotations: str
    images: str
    together: str | None = None


def find_dataset(path: Path, limit: int | None = None) -> Dataset:
    """Read a dataset from a folder, a file of annotations or a TOML card, and hold its images' sizes against it.

    Args:
        path: A folder with one COCO `instances*.json` (in it or in `annotations/`) or an export of a label tool, and
            its images; with VOC's Annotations/*.xml and JPEGImages/; with YOLO's data.yaml; or with TFRecord files and
            their label map; or the file itself, or a card. `PATH:SPLIT` says which split of it.
        limit: Use the first images by id; all for None.

    Raises:
        DatasetError: There is no such dataset, its annotations cannot be used, images are missing, or have another
            size than annotated.
        SchemaError: The card does not fit the schema.
        UsageError: The limit is less than 1.
    """
    place, split = layouts.split_of(expand_user(path))
    return _sized(_found(place, split).limited(limit))


def _found(path: Path, split: str | None) -> Dataset:
    if path.suffix == ".toml":
        return _from_card(path)
    if path.suffix == ".json" and is_file(path):
        folder = path.parent.parent if path.parent.name == "annotations" else path.parent
        return _coco(folder, path)
    if is_folder(path) and layouts.instances_files(path):
        return _coco(path, layouts.find_annotations(path, split))
    converted = _converted(path, split)
    if converted is not None:
        return _dataset(converted.name, read_annotations(converted.annotations), converted.images)
    return _coco(path, layouts.find_annotations(path, split))


def _coco(folder: Path, annotations: Path) -> Dataset:
    truth = read_annotations(annotations)
    return _dataset(_folder_name(resolved(folder)), truth, layouts.image_folder(folder, truth))


def _converted(path: Path, split: str | None) -> Converted | None:
    """Convert labels of another format, in a folder without COCO's, or that a file describes."""
    from harness.accuracy.foreign import tfrecord, voc, yolo  # late: most data sets are COCO's

    is_yaml = path.suffix in {".yaml", ".yml"}
    if not is_folder(path) and not is_yaml and not tfrecord.is_tfrecord(path):
        words = "not a dataset; expected a folder" if exists(path) else "no such dataset folder"
        raise DatasetError(f"{path}: {words}")
    if not is_folder(path):
        return (yolo.convert if is_yaml else tfrecord.convert)(path, split)
    if voc.is_voc(path):
        return voc.convert(path, split)
    described = yolo.find_yaml(path)
    if described is not None:
        return yolo.convert(described, split)
    return tfrecord.convert(path, split) if tfrecord.holds_tfrecords(path) else None


def _from_card(path: Path) -> Dataset:
    card = _read_card(path)
    folder = path.parent / card.images
    if not is_folder(folder):
        raise DatasetError(f"{path}: key 'images': {folder} is not a folder")
    found = _dataset(card.name, read_annotations(path.parent / card.annotations), folder)
    return replace(found, together=card.together)


def _read_card(path: Path) -> DatasetCard:
    card = schema.convert(schema.load_toml(path), DatasetCard, path)
    try:
        re.compile(card.together or "")
    except re.error as error:
        raise DatasetError(
            f"{path}: key 'together': {card.together!r} is not a regular expression: {error}"
        ) from error
    return card


def read_truth(dataset: Dataset) -> GroundTruth:
    """Read the annotations of a dataset, with what its card says of images that belong together.

    Raises:
        DatasetError: The file cannot be used.
    """
    return _grouped(read_annotations(dataset.annotations), dataset.together)


def read_truth_of_card(path: Path) -> GroundTruth:
    """Read the annotations that a card names, whose images may be absent.

    Raises:
        DatasetError: The file cannot be used.
        SchemaError: The card does not fit the schema.
    """
    card = _read_card(path)
    return _grouped(read_annotations(path.parent / card.annotations), card.together)


def _grouped(truth: GroundTruth, pattern: str | None) -> GroundTruth:
    return truth if pattern is None else put_together(truth, pattern)


def _sized(dataset: Dataset) -> Dataset:
    """Hold the images' sizes against the annotations."""
    sized = check_sizes([image.file for image in dataset.images], dataset.annotations.name)
    pairs = zip(dataset.images, sized.files, strict=True)
    images = tuple(
        image if image.as_stored == file.as_stored else replace(image, as_stored=file.as_stored)
        for image, file in pairs
    )
    return replace(dataset, images=images, remarks=(*dataset.remarks, *sized.remarks))


def _folder_name(folder: Path) -> str:
    """A folder that is only called `dataset` is named after what it belongs to."""
    return (
        folder.parent.name
        if folder.name.lower() in {"dataset", "data"} and folder.parent.name
        else folder.name
    )


def _dataset(name: str, truth: GroundTruth, folder: Path) -> Dataset:
    counts = Counter(truth.image_ids.tolist())
    if not counts:
        raise DatasetError(
            f"{truth.path}: no annotations in the file; accuracy cannot be measured without any"
        )
    images = tuple(_entry(truth, row, folder, counts[row.id]) for row in _by_id(truth))
    _refuse_missing(truth, folder, images)
    annotated = frozenset(truth.category_ids.tolist())
    return Dataset(
        name, truth.path, folder, truth.sha256, images, truth.categories, len(truth), annotated=annotated
    )


def _by_id(truth: GroundTruth) -> list[ImageRow]:
    return sorted(truth.images, key=lambda row: row.id)


def _entry(truth: GroundTruth, row: ImageRow, folder: Path, n_annotations: int) -> ImageEntry:
    return ImageEntry(row.id, locate(truth, row, folder), _side(row.width), _side(row.height), n_annotations)


def _side(value: float | None) -> int | None:
    """Return a side in whole pixels; None where the annotations do not say it: VIA writes -1."""
    return int(value) if value and value > 0 else None


def _refuse_missing(truth: GroundTruth, folder: Path, images: tuple[ImageEntry, ...]) -> None:
    missing = [image.path.relative_to(folder) for image in images if not is_file(image.path)]
    if missing:
        raise DatasetError(
            f"{folder}: {len(missing)} of {len(images)} images of {truth.path.name} are missing: "
            f"{first_few(missing)}"
        )
    if len({image.path for image in images}) < len(images):
        twice = [path.name for path, n in Counter(image.path for image in images).items() if n > 1]
        raise DatasetError(f"{truth.path}: several images are one file in {folder}: {first_few(twice)}")
