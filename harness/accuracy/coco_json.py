"""Reading COCO's JSON files: typed, with errors that name the entry, what was found and what is expected."""

from __future__ import annotations

import codecs
import json
import math
import re
from pathlib import Path
from typing import Annotated, Any, TypeAlias, TypeVar

import msgspec

from harness.errors import DatasetError, cannot_read
from harness.paths import content_of

MOST_ID = 2**53
Id: TypeAlias = Annotated[int, msgspec.Meta(ge=-MOST_ID, le=MOST_ID)]
"""An id that a float64 holds exactly: the engines take detections as one array of floats."""

Box: TypeAlias = tuple[float, float, float, float]
"""x, y, width, height in pixels of the image."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What decoding can raise."""

T = TypeVar("T")
_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.(?P<key>\w+)|\[(?P<index>\d+)\]")
_SHOWN = 120
_BOX = "expected four finite numbers: x, y, width, height"


def read_bytes(path: Path, what: str) -> bytes:
    """Read a whole file.

    Args:
        path: The file.
        what: What it is, for the error: `annotations`, `detections`.

    Raises:
        DatasetError: The file cannot be read.
    """
    try:
        return content_of(path)
    except OSError as error:
        raise DatasetError(cannot_read(path, error, f"the {what}")) from error


def decode(path: Path, data: bytes, kind: type[T], entry: str) -> T:
    """Decode a whole file.

    Args:
        path: The file, for the error.
        data: Its content.
        kind: What it is to become.
        entry: What an entry is called where it has no id: `detection`.

    Raises:
        DatasetError: Names the entry, the key, what was found and what is expected.
    """
    try:
        return msgspec.json.decode(to_utf8(data), type=kind)
    except UNREADABLE as error:
        raise DatasetError(f"{path}: {_explain(to_utf8(data), error, entry)}") from error


def to_utf8(data: bytes) -> bytes:
    """Return text in UTF-8 without a mark at its beginning; such a mark says where it is UTF-16."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace").encode()
    return data.removeprefix(codecs.BOM_UTF8)


def show(value: object) -> str:
    """Return a value as JSON, cut to a readable length."""
    text = json.dumps(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def first_few(values: Any, n: int = 3) -> str:
    """Return the first values and, where there are more, an ellipsis."""
    listed = list(values)
    return ", ".join(str(value) for value in listed[:n]) + (", …" if len(listed) > n else "")


def _explain(data: bytes, error: Exception, entry: str) -> str:
    """Say what is wrong, from the same data read once more without types."""
    try:
        document = json.loads(data)
    except RecursionError:
        return "not usable JSON: nested too deeply"
    except ValueError as fault:
        return f"not valid JSON: {fault}"
    if not isinstance(error, msgspec.ValidationError):
        return _explain_not_finite(document, entry) or f"not valid JSON: {error}"
    at = _AT.search(str(error))
    return _explain_entry(document, _steps(at["path"]) if at else [], _AT.sub("", str(error)), entry)


def _steps(path: str) -> list[str | int]:
    return [m["key"] if m["key"] else int(m["index"]) for m in _STEP.finditer(path)]


def _explain_entry(document: Any, steps: list[str | int], message: str, entry: str) -> str:
    """Name the entry by its id, the key, what was found and what is expected."""
    depth = next((k for k, step in enumerate(steps) if isinstance(step, int)), None)
    if depth is None:
        return _explain_key(document, steps, message, "the file")
    item = document
    for step in steps[: depth + 1]:
        item = item[step]
    kind = _singular(str(steps[depth - 1])) if depth else entry
    return _explain_key(item, steps[depth + 1 :], message, _name(kind, steps[depth], item))


def _name(kind: str, index: object, item: object) -> str:
    if isinstance(item, dict) and "id" in item:
        return f"{kind} {show(item['id'])}"
    return f"{kind} at index {index}"


def _explain_key(item: Any, steps: list[str | int], message: str, name: str) -> str:
    missing = re.search(r"missing required field `(\w+)`", message)
    if missing:
        return f"{name}: the key {missing[1]!r} is missing"
    key = steps[0] if steps else None
    found = item[key] if isinstance(item, dict) and key in item else item
    expected = _BOX if key == "bbox" else _plain(message)
    return f"{name}: {f'{key!r} is ' if key else 'found '}{show(found)}, {expected}"


def _plain(message: str) -> str:
    """Return msgspec's sentence in the words of JSON."""
    message = message.replace("`", "")
    for word, plain in (
        ("array", "a list"),
        ("object", "an object"),
        ("int", "a whole number"),
        ("float", "a number"),
    ):
        message = re.sub(rf"Expected {word}\b", f"expected {plain}", message)
    return message.split(", got ")[0].replace("Number out of range", "expected a finite number")


def _explain_not_finite(document: Any, entry: str) -> str | None:
    """Python's parser takes NaN and Infinity, which JSON does not know: find the entry that holds one."""
    lists = document.items() if isinstance(document, dict) else [(entry + "s", document)]
    for kind, items in lists:
        for index, item in enumerate(items if isinstance(items, list) else []):
            for key, value in item.items() if isinstance(item, dict) else []:
                if not _finite(value):
                    expected = _BOX if key == "bbox" else "expected a finite number"
                    return f"{_name(_singular(kind), index, item)}: {key!r} is {show(value)}, {expected}"
    return None


def _singular(kind: str) -> str:
    return "category" if kind == "categories" else kind.removesuffix("s")


def _finite(value: Any) -> bool:
    if isinstance(value, list):
        return all(_finite(part) for part in value)
    return not isinstance(value, float) or math.isfinite(value)
