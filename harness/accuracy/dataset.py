"""A dataset: COCO annotations and a folder of images.

Either a folder that holds both (labels of VOC and YOLO are converted), or a TOML card that says where they are:

    name = "kitchen"
    annotations = "labels/instances.json"
    images = "photos"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from harness import schema
from harness.accuracy.annotations import GroundTruth, ImageRow, read_annotations
from harness.accuracy.coco_json import first_few
from harness.accuracy.foreign import voc, yolo
from harness.accuracy.foreign.convert import Converted
from harness.errors import DatasetError, UsageError


@dataclass(frozen=True)
class ImageEntry:
    """One image of a dataset.

    Attributes:
        id: Its id in the annotations.
        path: Its file, which existed when the dataset was read.
        width: In pixels, as the annotations say; None when they do not.
        height: In pixels, as the annotations say; None when they do not.
        n_annotations: How many annotations the image has.
    """

    id: int
    path: Path
    width: int | None = None
    height: int | None = None
    n_annotations: int = 0


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
    """

    name: str
    annotations: Path
    image_folder: Path
    annotations_sha256: str
    images: tuple[ImageEntry, ...]
    categories: dict[int, str]
    n_annotations: int

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
        images = self.images[:n]
        return replace(self, images=images, n_annotations=sum(image.n_annotations for image in images))


class DatasetCard(schema.Strict, frozen=True, kw_only=True):
    """A dataset's TOML card. Paths are relative to the card."""

    name: str
    annotations: str
    images: str


def find_dataset(path: Path) -> Dataset:
    """Read a dataset from a folder or a TOML card.

    Args:
        path: A folder with one COCO `instances*.json` (in it or in `annotations/`) and its images, with VOC's
            Annotations/*.xml and JPEGImages/, or with YOLO's data.yaml; or this data.yaml; or a card.

    Raises:
        DatasetError: There is no such dataset, its annotations cannot be used, or images are missing.
        SchemaError: The card does not fit the schema.
    """
    path = Path(path).expanduser()
    if path.suffix == ".toml":
        return _from_card(path)
    if not path.is_dir() and path.suffix not in {".yaml", ".yml"}:
        raise DatasetError(f"{path}: {_not_a_dataset(path)}")
    converted = _converted(path)
    if converted is not None:
        return _dataset(converted.name, read_annotations(converted.annotations), converted.images)
    truth = read_annotations(_find_annotations(path))
    return _dataset(_folder_name(path.resolve()), truth, _image_folder(path, truth))


def _converted(path: Path) -> Converted | None:
    """Convert labels of another format, in a folder without COCO's."""
    if not path.is_dir():
        return yolo.convert(path) if path.suffix in {".yaml", ".yml"} else None
    if _annotation_files(path):
        return None
    if voc.is_voc(path):
        return voc.convert(path)
    described = yolo.find_yaml(path)
    return None if described is None else yolo.convert(described)


def _not_a_dataset(path: Path) -> str:
    if path.suffix == ".json" and path.is_file():
        return "a dataset is the folder that holds the annotations and the images, or a TOML card"
    return "not a dataset; expected a folder" if path.exists() else "no such dataset folder"


def _from_card(path: Path) -> Dataset:
    card = schema.convert(schema.load_toml(path), DatasetCard, path)
    folder = path.parent / card.images
    if not folder.is_dir():
        raise DatasetError(f"{path}: key 'images': {folder} is not a folder")
    return _dataset(card.name, read_annotations(path.parent / card.annotations), folder)


def _annotation_files(folder: Path) -> list[Path]:
    return [
        file for part in (folder, folder / "annotations") for file in sorted(part.glob("instances*.json"))
    ]


def _find_annotations(folder: Path) -> Path:
    found = _annotation_files(folder)
    if not found:
        raise DatasetError(
            f"{folder}: no annotations; expected one instances*.json (COCO format) there or in annotations/, "
            "Annotations/*.xml (VOC) or a data.yaml (YOLO)"
        )
    if len(found) > 1:
        listed = ", ".join(str(file.relative_to(folder)) for file in found)
        raise DatasetError(f"{folder}: several annotation files ({listed}); name one of them in a TOML card")
    return found[0]


def _image_folder(folder: Path, truth: GroundTruth) -> Path:
    """Return the first likely folder that holds the first image, else the first that exists."""
    folders = [place for place in _likely_folders(folder, truth) if place.is_dir()]
    first = plain_name(truth, truth.images[0])
    return next((place for place in folders if (place / first).is_file()), folders[0])


def _likely_folders(folder: Path, truth: GroundTruth) -> Iterator[Path]:
    named = truth.info.get("image_folder") if isinstance(truth.info, dict) else None
    if isinstance(named, str):
        if not _stays_inside(named):
            raise DatasetError(
                f"{truth.path}: info.image_folder is {named!r}, expected a folder inside {folder}"
            )
        yield folder / named
    split = truth.path.stem.removeprefix("instances").lstrip("_-")
    yield folder / "images"
    if split:
        yield folder / split
        yield folder / "images" / split
    yield folder


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
    images = tuple(
        ImageEntry(
            row.id, folder / plain_name(truth, row), _size(row.width), _size(row.height), counts[row.id]
        )
        for row in sorted(truth.images, key=lambda row: row.id)
    )
    _refuse_missing(truth, folder, images)
    return Dataset(name, truth.path, folder, truth.sha256, images, truth.categories, len(truth))


def _size(value: float | None) -> int | None:
    return int(value) if value else None


def _refuse_missing(truth: GroundTruth, folder: Path, images: tuple[ImageEntry, ...]) -> None:
    missing = [image.path.relative_to(folder) for image in images if not image.path.is_file()]
    if missing:
        raise DatasetError(
            f"{folder}: {len(missing)} of {len(images)} images of {truth.path.name} are missing: "
            f"{first_few(missing)}"
        )


def plain_name(truth: GroundTruth, row: ImageRow) -> str:
    """Annotations may come from somebody else: they name files below the image folder only."""
    if not row.file_name:
        raise DatasetError(f"{truth.path}: image {row.id}: the key 'file_name' is missing or empty")
    if not _stays_inside(row.file_name):
        raise DatasetError(
            f"{truth.path}: image {row.id}: file_name {row.file_name!r} leads out of the image folder; "
            "expected a relative path without '..'"
        )
    return row.file_name


def _stays_inside(name: str) -> bool:
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    outside = posix.is_absolute() or windows.is_absolute() or windows.drive or windows.root
    return not outside and "\0" not in name and ".." not in (*posix.parts, *windows.parts)
