"""A list of images in a file: their ids or the names of their files, one a line or as a JSON list."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

import msgspec

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.coco_json import MOST_ID, first_few
from harness.accuracy.coco_lenient import by_stem, key, number_that_fits
from harness.errors import UsageError, cannot_read
from harness.paths import content_of


def read_image_ids(path: Path, truth: GroundTruth) -> list[int]:
    """Read which images of the annotations are meant.

    Raises:
        UsageError: The file cannot be read, or something in it is no image; says which.
    """
    try:
        text = content_of(path).decode("utf-8-sig")
    except OSError as error:
        raise UsageError(cannot_read(path, error, "the image ids")) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not text: {error}") from error
    listed = _from_json(path, text) if text.lstrip().startswith("[") else _from_lines(text)
    return images_meant(listed, truth, f"{path}: ")


def _from_json(path: Path, text: str) -> list[int | str]:
    try:
        return msgspec.json.decode(text, type=list[int | str])
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path}: expected a JSON list of image ids or file names: {error}") from error


def _from_lines(text: str) -> list[int | str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def images_meant(listed: Iterable[int | str], truth: GroundTruth, where: str = "") -> list[int]:
    """Return the ids of images that are named by their ids or their files' names, with folder and suffix or without.

    Numbers are passed on, whether there are such images or not.

    Raises:
        UsageError: Some are neither, or the id of one image and the name of another.
    """
    entries = list(listed)
    names = _Names(truth)
    found = [names.meant(entry, where) if isinstance(entry, str) else _held(entry) for entry in entries]
    unknown = [entry for entry, meant in zip(entries, found, strict=True) if meant is None]
    if unknown:
        raise UsageError(
            f"{where}{len(unknown)} of {len(entries)} are neither the id nor the file name of an image of "
            f"{truth.path}: {first_few(unknown)}"
        )
    return [meant for meant in found if meant is not None]


def _held(entry: int) -> int | None:
    return entry if abs(entry) <= MOST_ID else None


class _Names:
    """What text can name an image: its id, its file's name, and parts of that."""

    def __init__(self, truth: GroundTruth) -> None:
        self._truth = truth
        self._ids = truth.image_keys or {str(row.id): row.id for row in truth.images}
        self._whole = {row.file_name.replace("\\", "/"): row.id for row in truth.images if row.file_name}
        self._parts = by_stem({row.id: row.file_name for row in truth.images})

    def meant(self, text: str, where: str) -> int | None:
        """Return the image that a text names; None for none. A number that is no name is an id, known or not."""
        by_id, by_name = self._ids.get(key(text) or ""), self._named(text.replace("\\", "/"))
        if by_id is not None and by_name not in {None, by_id}:
            raise UsageError(
                f"{where}{text!r} is the id of one image of {self._truth.path.name} and the name of another: write ids "
                "as a JSON list of numbers, or names with their suffix"
            )
        if by_id is None and by_name is None and not self._truth.image_keys:
            return number_that_fits(text)
        return by_name if by_id is None else by_id

    def _named(self, name: str) -> int | None:
        return self._whole.get(name, self._parts.get(name, self._parts.get(PurePosixPath(name).name)))
