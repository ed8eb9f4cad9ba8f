"""The ground truth: a COCO `instances` file, read, checked and held as arrays."""

from __future__ import annotations

import contextlib
import hashlib
import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import attrgetter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness.accuracy.coco_json import Box, Id, decode, first_few, read_bytes
from harness.errors import DatasetError
from harness.schema import look_into

MOST_PIXELS = 1_000_000_000
"""Of a side. No picture has more, and what has hundreds of digits is no float."""


class ImageRow(msgspec.Struct, frozen=True, gc=False):
    """One entry of `images`. The size is in pixels and may be absent; images of one `video_id` belong together."""

    id: Id
    file_name: str = ""
    width: int | float | None = None
    height: int | float | None = None
    video_id: Id | str | None = None

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height in whole pixels; None where the file does not say them: VIA writes -1."""
        if not self.width or not self.height or self.width <= 0 or self.height <= 0:
            return None
        return int(self.width), int(self.height)


class CategoryRow(msgspec.Struct, frozen=True, gc=False):
    """One entry of `categories`."""

    id: Id
    name: str


class _AnnotationRow(msgspec.Struct, frozen=True, gc=False):
    id: Id
    image_id: Id
    category_id: Id
    bbox: Box
    area: float | None = None
    iscrowd: int | bool = 0


class _File(msgspec.Struct, frozen=True, gc=False):
    images: list[ImageRow]
    annotations: list[_AnnotationRow]
    categories: list[CategoryRow]
    info: Any = None


look_into(_File)


@dataclass(frozen=True)
class GroundTruth:
    """A checked annotations file.

    Attributes:
        path: The file.
        sha256: Hash of its bytes.
        images: In the order of the file.
        categories: Name by id, in the order of the ids.
        info: The file's `info`, unchecked.
        ids: int64 [N], id of each annotation; unique.
        image_ids: int64 [N].
        category_ids: int64 [N].
        boxes: float64 [N, 4], x, y, width, height in pixels; finite.
        areas: float64 [N], px²; width × height where the file has none.
        crowd: bool [N], whether the annotation is a crowd region.
        image_keys: Number of an image by its id as text, where the file's ids are no numbers.
    """

    path: Path
    sha256: str
    images: tuple[ImageRow, ...]
    categories: dict[int, str]
    info: Any
    ids: npt.NDArray[np.int64]
    image_ids: npt.NDArray[np.int64]
    category_ids: npt.NDArray[np.int64]
    boxes: npt.NDArray[np.float64]
    areas: npt.NDArray[np.float64]
    crowd: npt.NDArray[np.bool_]
    image_keys: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of annotations."""
        return len(self.ids)

    def of_categories(self, ids: Collection[int]) -> GroundTruth:
        """Return the annotations of some categories; all images stay."""
        kept = {number: name for number, name in self.categories.items() if number in ids}
        return replace(self.of_rows(np.isin(self.category_ids, list(ids))), categories=kept)

    def of_rows(self, rows: npt.NDArray[np.bool_]) -> GroundTruth:
        """Return some of the annotations, bool [N]; all images and categories stay."""
        return replace(
            self,
            ids=self.ids[rows],
            image_ids=self.image_ids[rows],
            category_ids=self.category_ids[rows],
            boxes=self.boxes[rows],
            areas=self.areas[rows],
            crowd=self.crowd[rows],
        )

    def as_one_category(self, number: int) -> GroundTruth:
        """Return the same objects without their classes, numbered from 1."""
        return replace(
            self,
            categories={number: "object"},
            category_ids=np.full(len(self), number, np.int64),
            ids=np.arange(1, len(self) + 1, dtype=np.int64),
        )


def read_annotations(path: Path) -> GroundTruth:
    """Read and check a COCO `instances` file.

    Raises:
        DatasetError: The file cannot be read, is not JSON, lacks a key, has no images, an id stands twice, an
            annotation points to an image or category that is not there, or a box is not four finite numbers.
    """
    data = read_bytes(path, "annotations")
    file, image_keys = _decoded(path, data)
    truth = _columns(path, hashlib.sha256(data).hexdigest(), file, image_keys)
    _check(truth, file)
    return truth


def _decoded(path: Path, data: bytes) -> tuple[_File, dict[str, int]]:
    """Decode a file; where its types are not COCO's, by what they mean."""
    try:
        return decode(path, data, _File, "entry"), {}
    except DatasetError:
        from harness.accuracy import coco_lenient  # late: hardly any file needs it

        plain = coco_lenient.plain_annotations(data)
        if plain is None:
            raise
        with contextlib.suppress(DatasetError):
            return decode(path, plain.data, _File, "entry"), plain.image_keys
        raise


def _columns(path: Path, sha256: str, file: _File, image_keys: dict[str, int]) -> GroundTruth:
    rows = file.annotations
    boxes = np.fromiter(chain.from_iterable(map(attrgetter("bbox"), rows)), np.float64).reshape(-1, 4)
    areas = np.array([math.nan if row.area is None else row.area for row in rows], np.float64)
    with np.errstate(over="ignore"):  # of boxes that are no object's
        areas = np.where(np.isnan(areas), boxes[:, 2] * boxes[:, 3], areas)
    ids, image_ids, category_ids = (
        np.fromiter(map(attrgetter(name), rows), np.int64, len(rows))
        for name in ("id", "image_id", "category_id")
    )
    return GroundTruth(
        path=path,
        sha256=sha256,
        images=tuple(file.images),
        categories={row.id: row.name for row in sorted(file.categories, key=lambda row: row.id)},
        info=file.info,
        ids=ids,
        image_ids=image_ids,
        category_ids=category_ids,
        boxes=boxes,
        areas=areas,
        crowd=np.fromiter(map(attrgetter("iscrowd"), rows), np.bool_, len(rows)),
        image_keys=image_keys,
    )


def _check(truth: GroundTruth, file: _File) -> None:
    """Check what the types alone do not say."""
    if not file.images:
        raise DatasetError(f"{truth.path}: no images in the file")
    _refuse_sizes(truth.path, file.images)
    _refuse_duplicates(truth.path, "image", [row.id for row in file.images])
    _refuse_duplicates(truth.path, "category", [row.id for row in file.categories])
    _refuse_duplicates(truth.path, "annotation", truth.ids.tolist())
    _refuse_unknown(truth, "image", truth.image_ids, [row.id for row in file.images])
    _refuse_unknown(truth, "category", truth.category_ids, list(truth.categories))


def _refuse_sizes(path: Path, images: Iterable[ImageRow]) -> None:
    for row in images:
        for name, side in (("width", row.width), ("height", row.height)):
            if side is not None and side > MOST_PIXELS:
                found = f"{side:g}" if isinstance(side, float) else f"a number of {len(str(side))} digits"
                raise DatasetError(
                    f"{path}: image {row.id}: {name!r} is {found}, expected {MOST_PIXELS:,} pixels at most"
                )


def _refuse_duplicates(path: Path, kind: str, ids: Sequence[int]) -> None:
    if len(set(ids)) == len(ids):
        return
    twice = [value for value, n in Counter(ids).items() if n > 1]
    raise DatasetError(f"{path}: {len(twice)} {kind} id(s) stand more than once: {first_few(twice)}")


def _refuse_unknown(truth: GroundTruth, kind: str, used: npt.NDArray[np.int64], known: Sequence[int]) -> None:
    bad = ~np.isin(used, np.asarray(known, np.int64))
    if bad.any():
        raise DatasetError(
            f"{truth.path}: {int(bad.sum())} annotation(s) point to a {kind} id that is not in the file: "
            f"annotation {truth.ids[bad][0]} has {kind}_id {used[bad][0]}"
        )
