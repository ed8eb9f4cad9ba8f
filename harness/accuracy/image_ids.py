"""A list of image ids in a file: one a line, or a JSON list."""

from __future__ import annotations

from pathlib import Path

import msgspec

from harness.accuracy.coco_json import Id
from harness.errors import UsageError, cannot_read
from harness.paths import content_of


def read_image_ids(path: Path) -> list[int]:
    """Read image ids.

    Raises:
        UsageError: The file cannot be read, or a line is not a whole number; names the line.
    """
    try:
        text = content_of(path).decode("utf-8")
    except OSError as error:
        raise UsageError(cannot_read(path, error, "the image ids")) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not text: {error}") from error
    return _from_json(path, text) if text.lstrip().startswith("[") else _from_lines(path, text)


def _from_json(path: Path, text: str) -> list[int]:
    try:
        return msgspec.json.decode(text, type=list[Id])
    except msgspec.MsgspecError as error:
        raise UsageError(f"{path}: expected a JSON list of image ids: {error}") from error


def _from_lines(path: Path, text: str) -> list[int]:
    ids = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            ids += [int(line)] if line.strip() else []
        except ValueError as error:
            raise UsageError(
                f"{path}, line {number}: found {line.strip()!r}, expected an image id"
            ) from error
    return ids
