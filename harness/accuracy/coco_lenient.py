"""COCO files whose values are written in another type than COCO's, read by what they mean.

Tools write ids as `1.0` or `"000000000001"`, names as ids, numbers in quotes, and `null` for what is not known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

import msgspec

from harness.accuracy.coco_json import MOST_ID, to_utf8

_NUMBERS = ("area", "score", "width", "height")
_MOST_DIGITS = 400
_NOTHING = -MOST_ID
"""Stands for an id that the file does not have, so that the checks that follow name it."""


@dataclass(frozen=True)
class Plain:
    """A file's content in COCO's own types.

    Attributes:
        data: JSON.
        image_keys: The number of each image by its id as text, where ids had to be numbered; empty where they are
            numbers.
    """

    data: bytes
    image_keys: dict[str, int] = field(default_factory=dict)


def key(value: object) -> str | None:
    """Return an id as text, one for all the ways to write it; None for what is no id."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else None
    text = str(value).strip()
    number = _whole(text)
    return text if number is None else str(number)


def _whole(text: str) -> int | None:
    """Return a whole number; None for what is none, or has more digits than Python reads."""
    digits = text.removeprefix("-")
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS else None


def number_that_fits(text: str) -> int | None:
    """Return an id that a text is; None for what is no whole number, or none that can be held exactly."""
    number = _whole(text)
    return number if number is not None and abs(number) <= MOST_ID else None


def plain_annotations(data: bytes) -> Plain | None:
    """Return annotations in COCO's own types; None for what is no JSON, or no annotations."""
    document = _parsed(data)
    if not isinstance(document, dict):
        return None
    images, categories = _rows(document, "images"), _rows(document, "categories")
    annotations = _rows(document, "annotations")
    numbers = {
        "image_id": _numbered(images),
        "category_id": _numbered(categories),
        "id": _numbered(annotations),
    }
    for row in images:
        row.update(_id(row, "id", numbers["image_id"]), **_numbers(row), **_text(row, "file_name", ""))
    for row in categories:
        row.update(_id(row, "id", numbers["category_id"]), **_text(row, "name", str(row.get("id"))))
    had_to_be = {name: _is_numbered(known) for name, known in numbers.items()}
    for row in annotations:
        for name, known in numbers.items():
            row.update(_id(row, name, known, had_to_be[name]))
        row.update(**_numbers(row), **_crowd(row), **_box(row))
    keys = numbers["image_id"]
    try:
        return Plain(msgspec.json.encode(document), keys if had_to_be["image_id"] else {})
    except (OverflowError, ValueError):  # a number that nobody can hold, or half a character
        return None


def plain_detections(
    data: bytes, images: Mapping[str, int], categories: Mapping[str, int], numbered: bool = False
) -> bytes | None:
    """Return detections in COCO's own types; None for what is no list in JSON.

    Args:
        data: The file's content.
        images: Number of an image by its id as text.
        categories: Number of a category by its id as text.
        numbered: Whether the numbers of images are none of the file's, so that no other number is an id.
    """
    document = _parsed(data)
    if not isinstance(document, list):
        return None
    for row in document:
        if isinstance(row, dict):
            row.update(_id(row, "image_id", images, numbered), **_id(row, "category_id", categories))
            row.update(**_numbers(row), **_box(row))
    return msgspec.json.encode(document)


def image_texts(data: bytes) -> list[str]:
    """Return the ids of images in a file of detections, as text."""
    document = _parsed(data)
    rows = document if isinstance(document, list) else []
    found = {row.get("image_id") for row in rows if isinstance(row, dict) and _is_text(row.get("image_id"))}
    return sorted(str(value) for value in found)


def by_stem(names: Mapping[int, str]) -> dict[str, int]:
    """Return the number of an image by its file's name, and by its stem; without those that two images share."""
    found: dict[str, int] = {}
    shared: set[str] = set()
    for number, name in names.items():
        path = PurePosixPath(name.replace("\\", "/"))
        if not path.name:
            continue
        for text in {path.name, path.stem, str(path.with_suffix(""))}:
            shared |= {text} if found.setdefault(text, number) != number else set()
    return {text: number for text, number in found.items() if text not in shared}


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(to_utf8(data), parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _no_number(text: str) -> None:
    raise ValueError(text)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _rows(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    rows = document.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _numbered(rows: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return the number of each id: itself where all are numbers that can be held exactly, else its place."""
    keys = [text for text in (key(row.get("id")) for row in rows) if text is not None]
    if all(number_that_fits(text) is not None for text in keys):
        return {text: int(text) for text in keys}
    return {text: number for number, text in enumerate(dict.fromkeys(keys), 1)}


def _is_numbered(known: Mapping[str, int]) -> bool:
    """Whether ids had to be numbered, and are not the numbers themselves."""
    return any(text != str(number) for text, number in known.items())


def _id(row: dict[str, Any], name: str, known: Mapping[str, int], numbered: bool = False) -> dict[str, Any]:
    """Return the number of an id; one that is not known stays itself, unless the known ones had to be numbered."""
    text = key(row.get(name))
    if text is None:
        return {}
    number = known.get(text)
    if number is None and _whole(text) is not None:
        fits = None if numbered else number_that_fits(text)
        number = _NOTHING if fits is None else fits
    return {} if number is None else {name: number}


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    return {name: _number(row[name]) for name in _NUMBERS if isinstance(row.get(name), str)}


def _number(value: object) -> object:
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _box(row: dict[str, Any]) -> dict[str, Any]:
    box = row.get("bbox")
    return {"bbox": [_number(value) for value in box]} if isinstance(box, list) else {}


def _crowd(row: dict[str, Any]) -> dict[str, Any]:
    """Return whether an annotation is a crowd: not where the file says null."""
    found = row.get("iscrowd", 0)
    value = 0.0 if found is None else _number(found)
    return {"iscrowd": int(value)} if isinstance(value, (int, float)) and value in {0, 1} else {}


def _text(row: dict[str, Any], name: str, unknown: str) -> dict[str, Any]:
    """Return a name as text; `unknown` for null."""
    if name not in row or isinstance(row[name], str):
        return {}
    found = row[name]
    return {name: unknown if found is None else str(found)} if not isinstance(found, (list, dict)) else {}
