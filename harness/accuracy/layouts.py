"""Where a folder keeps its annotations and its images, as the tools that export data sets lay them out.

    COCO, CVAT, Datumaro   annotations/instances_SPLIT.json, SPLIT/, images/ or images/SPLIT/
    FiftyOne               labels.json, data/
    Label Studio           result.json, images/
    Roboflow               SPLIT/_annotations.coco.json beside its images

What leaves open which split is meant is refused; `FOLDER:SPLIT` says it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.image_places import by_last_part, by_whole_name, stays_inside
from harness.errors import DatasetError
from harness.paths import exists, found_in, is_file, is_folder

EXPORTS = ("labels.json", "result.json", "_annotations.coco.json")
"""FiftyOne's, Label Studio's and Roboflow's names of a COCO file."""
_LABELS = frozenset({".json", ".xml", ".txt", ".csv", ".yaml", ".yml", ".record", ".tfrecord", ".parquet"})
_SHOWN = 4


def split_of(path: Path) -> tuple[Path, str | None]:
    """Take `PLACE:SPLIT` apart; a place that is there has no split."""
    head, colon, split = path.name.rpartition(":")
    place = path.with_name(head) if head else path
    if colon and split and head and not exists(path) and exists(place):
        return place, split
    return path, None


def instances_files(folder: Path) -> list[Path]:
    """Return COCO's own annotation files of a folder."""
    return [file for part in (folder, folder / "annotations") for file in found_in(part, "instances*.json")]


def exported_files(folder: Path) -> list[Path]:
    """Return the COCO files that label tools write, in the folder or one for each split below it."""
    here = [folder / name for name in EXPORTS if is_file(folder / name)]
    return here or sorted(path for name in EXPORTS for path in found_in(folder, f"*/{name}") if is_file(path))


def find_annotations(folder: Path, split: str | None = None) -> Path:
    """Return the annotations file of a folder.

    Raises:
        DatasetError: There is none, or several could be meant; names what is there.
    """
    found = instances_files(folder) or exported_files(folder)
    if not found:
        raise DatasetError(
            f"{folder}: no annotations; expected one instances*.json (COCO format) there or in annotations/, an export "
            f"({', '.join(EXPORTS)}), Annotations/*.xml (VOC) or a data.yaml (YOLO){_what_is_there(folder)}"
        )
    meant = [file for file in found if split is None or split_name(folder, file) == split]
    if not meant:
        names = ", ".join(split_name(folder, file) or file.name for file in found)
        raise DatasetError(f"{folder}: no split {split!r}; it has {names}")
    if len(meant) > 1:
        with_images = [file for file in meant if _own_images(folder, file)]
        meant = with_images if len(with_images) == 1 else meant
    if len(meant) > 1:
        listed = ", ".join(file.relative_to(folder).as_posix() for file in meant)
        raise DatasetError(
            f"{folder}: several annotation files ({listed}); name one of them as {folder}:"
            f"{split_name(folder, meant[0]) or 'SPLIT'}, or in a TOML card"
        )
    return meant[0]


def split_name(folder: Path, file: Path) -> str:
    """Return the split that a file's name or its folder says; "" for none."""
    if file.name in EXPORTS:
        return file.parent.name if file.parent != folder else ""
    return file.stem.removeprefix("instances").lstrip("_-")


def _own_images(folder: Path, file: Path) -> bool:
    split = split_name(folder, file)
    return any(is_folder(folder / place) for place in (split, f"images/{split}") if split)


def _what_is_there(folder: Path) -> str:
    files = sorted(path.name for path in found_in(folder) if path.suffix.lower() in _LABELS)
    if not files:
        return ""
    more = ", …" if len(files) > _SHOWN else ""
    return f"; there is {', '.join(files[:_SHOWN])}{more}, which is none of these: a TOML card can name COCO files"


def image_folder(folder: Path, truth: GroundTruth) -> Path:
    """Return the first likely folder that holds the first image, by its whole name or else by its last part."""
    folders = [place for place in _likely_folders(folder, truth) if is_folder(place)]
    first = truth.images[0].file_name
    ways = ((find, place) for find in (by_whole_name, by_last_part) for place in folders)
    return next((place for find, place in ways if find(first, place) is not None), folders[0])


def _likely_folders(folder: Path, truth: GroundTruth) -> Iterator[Path]:
    named = truth.info.get("image_folder") if isinstance(truth.info, dict) else None
    if isinstance(named, str):
        if not stays_inside(named):
            raise DatasetError(
                f"{truth.path}: info.image_folder is {named!r}, expected a folder inside {folder}"
            )
        yield folder / named
    split = split_name(folder, truth.path)
    if truth.path.name in EXPORTS:
        yield truth.path.parent / "data"
        yield truth.path.parent
    yield folder / "images"
    if split:
        yield folder / split
        yield folder / "images" / split
    yield folder / "data"
    yield folder
