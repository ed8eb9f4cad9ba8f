"""Name the images of TFRecord files as their records call them, and tell those apart that are called alike.

Records name their images by `image/filename`, often with a folder, and number them by `image/source_id`. Cameras number
their pictures from 1 in each folder, so that the last parts of two names are the same where the images are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import PurePosixPath

from harness.accuracy.foreign.records import Feature
from harness.errors import DatasetError
from harness.names import safe_file_name


@dataclass(frozen=True)
class _Taken:
    """The image that has a name: its record, all that the record calls it, and the hash of its bytes."""

    where: str
    given: tuple[str, str]
    digest: bytes


@dataclass(frozen=True)
class RecordNames:
    """The names of images that were written, each with its record."""

    _taken: dict[str, _Taken] = field(default_factory=dict)

    def name(self, where: str, example: dict[str, Feature], place: str, ending: str) -> str:
        """Return a file's name: the last part of what the record calls it, with its folders where that is taken.

        Args:
            where: The record, for errors.
            example: Its features.
            place: A name by its place, for records that say none.
            ending: Of the file.

        Raises:
            DatasetError: Another record is of this image, or calls another image the same; names both.
        """
        given = _text(example, "image/filename"), _text(example, "image/source_id")
        encoded = b"".join(part for part in example["image/encoded"][:1] if isinstance(part, bytes))
        image = _Taken(where, given, sha256(encoded).digest())
        for stem in _stems(*given, place):
            name = safe_file_name(stem) + ending
            other = self._taken.setdefault(name.lower(), image)
            if other is image:
                return name
            _refuse_alike(image, other)
        raise DatasetError(f"{where}: the names {_first_of(given)} and {place} are taken by other records")


def _first_of(given: tuple[str, str]) -> str:
    """Return the first name that a record gives."""
    return next(filter(None, given), "without a name")


def _refuse_alike(image: _Taken, other: _Taken) -> None:
    if image.given != other.given:
        return
    said = _first_of(image.given)
    if image.digest == other.digest:
        raise DatasetError(
            f"{image.where} and {other.where} are of one image, {said!r}; expected one record an image, with all its "
            "objects"
        )
    raise DatasetError(
        f"{image.where} and {other.where} hold different images that are both called {said!r}; expected an "
        "image/filename (with its folder) or an image/source_id of its own in each"
    )


def _stems(filename: str, source_id: str, place: str) -> Iterator[str]:
    """Return the names that a record's image can have, the shortest first."""
    path = PurePosixPath(filename or source_id)
    if str(path) == ".":
        yield place
        return
    yield path.stem
    yield "_".join((*(part for part in path.parts[:-1] if part != "/"), path.stem))
    if filename and source_id:
        yield f"{path.stem}_{source_id}"
    yield place


def _text(example: dict[str, Feature], key: str) -> str:
    value = next(iter(example.get(key, ())), b"")
    return value.decode("utf-8", "replace").strip() if isinstance(value, bytes) else ""
