"""Strict reading of TOML files into frozen structs.

An unknown key or a value of the wrong type is a `SchemaError` that names the file, the key, what was found and what is
expected. The rules themselves are the type annotations of the structs (msgspec checks them).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from harness.errors import SchemaError, near_misses

if sys.version_info >= (3, 11):
    import tomllib
else:  # the same parser, before it became part of Python
    import tomli as tomllib


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all structs read from TOML: immutable, keyword-only, no unknown keys."""


T = TypeVar("T")
_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `(?P<key>[^`]*)`")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+|\.\.\.)\]")


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        SchemaError: The file is missing, unreadable or not TOML.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SchemaError(f"{path}: cannot be read ({error.strerror or error})") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SchemaError(f"{path}: not valid TOML: {error}") from error


def convert(data: object, kind: type[T], path: Path) -> T:
    """Convert parsed TOML to `kind`.

    Raises:
        SchemaError: Names the file, the key, what was found and what is expected.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise SchemaError(f"{path}: {_explain(str(error), data, kind)}") from error


def _explain(message: str, data: object, kind: type) -> str:
    at = _AT.search(message)
    where = at["path"].lstrip(".") if at else ""
    text = _AT.sub("", message)
    unknown = _UNKNOWN.search(text)
    if unknown:
        key = f"{where}.{unknown['key']}" if where else unknown["key"]
        known = sorted(_field_names(kind, where))
        near = near_misses(unknown["key"], known)
        hint = f"did you mean {' or '.join(near)}?" if near else f"known here: {', '.join(known)}"
        return f"unknown key {key!r}; {hint}"
    if "missing required field" in text:
        key = text.split("`")[1]
        return f"missing key {where + '.' + key if where else key!r}"
    found = _value_at(data, at["path"] if at else "")
    expected = text[0].lower() + text[1:]
    return f"key {where!r}: found {found!r}, {expected}"


def _steps(path: str) -> Iterator[str]:
    for name, index in _STEP.findall(path):
        yield name or index


def _value_at(data: Any, path: str) -> object:
    for step in _steps(path):
        try:
            data = data[int(step)] if step.isdigit() else data[step]
        except (KeyError, IndexError, TypeError):
            return data
    return data


def _field_names(kind: Any, path: str) -> list[str]:
    """Return the keys that the struct at `path` inside `kind` knows."""
    for step in _steps(path):
        if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)) or step.isdigit():
            continue
        field = next((f for f in msgspec.structs.fields(kind) if f.encode_name == step), None)
        kind = _struct_in(field.type) if field else None
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [f.encode_name for f in msgspec.structs.fields(kind)]
    return []


def _struct_in(annotation: Any) -> Any:
    """Return the struct inside `X | None` or `tuple[X, ...]`."""
    if isinstance(annotation, type):
        return annotation
    inner = (_struct_in(a) for a in getattr(annotation, "__args__", ()))
    return next((a for a in inner if isinstance(a, type) and issubclass(a, msgspec.Struct)), None)
