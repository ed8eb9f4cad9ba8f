"""Strict reading of TOML files into frozen structs.

An unknown key or a value of the wrong type is a `SchemaError` that names the file, the key, what was found
and what is expected. The rules themselves are the type annotations of the structs (msgspec checks them).
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import msgspec

from harness.errors import SchemaError, cannot_read, near_misses
from harness.paths import content_of


class Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all structs read from TOML: immutable, no unknown keys.

    Subclasses say `frozen=True, kw_only=True` again: msgspec inherits the first, type checkers do not, and
    the second holds only for the fields of the class that says it.
    """


def look_into(*kinds: Any) -> None:
    """Let msgspec look into types before threads use them.

    It does so when a type is used first, and dies of a signal when two threads are first at once (msgspec 0.22).
    """
    for kind in kinds:
        msgspec.json.Decoder(kind)


T = TypeVar("T")
_AT = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_UNKNOWN = re.compile(r"unknown field `(?P<key>[^`]*)`")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_STEP = re.compile(r"\.([A-Za-z0-9_-]+)|\[(\d+|\.\.\.)\]")


def load_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises:
        SchemaError: The file is missing, unreadable or not TOML.
    """
    try:
        return _from_toml(content_of(path).decode("utf-8"))
    except OSError as error:
        raise SchemaError(cannot_read(path, error)) from error
    except (ValueError, RecursionError) as error:  # not TOML, or not UTF-8
        raise SchemaError(f"{path}: not valid TOML: {error}") from error


def parse_toml_value(text: str) -> Any:
    """Return a value as it is written in TOML.

    Raises:
        ValueError: It is none.
    """
    try:
        return _from_toml(f"value = {text}")["value"]
    except KeyError as error:
        raise ValueError(f"{text!r} is no value of TOML") from error


def _from_toml(text: str) -> dict[str, Any]:
    """Parse TOML; the parser is imported late, as an evaluation reads none."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:  # the same parser, before it became part of Python
        import tomli as tomllib
    return tomllib.loads(text)


def convert(data: object, kind: type[T], path: Path) -> T:
    """Convert parsed TOML to `kind`.

    Raises:
        SchemaError: Names the file, the key, what was found and what is expected.
    """
    try:
        return msgspec.convert(data, kind)
    except msgspec.ValidationError as error:
        raise SchemaError(f"{path}: {_explain(str(error), data, kind)}") from error


def check_name(name: str, path: Path) -> None:
    """Check that a card's or profile's name can be a file name, a column value and a command line word.

    Raises:
        SchemaError: It cannot.
    """
    if not _NAME.fullmatch(name):
        expected = "letters, digits, '.', '_' and '-', beginning with a letter or digit"
        raise SchemaError(f"{path}: key 'name': found {name!r}, expected {expected}")


def _explain(message: str, data: object, kind: type) -> str:
    at = _AT.search(message)
    path = at["path"] if at else ""
    where = path.lstrip(".")
    text = _AT.sub("", message)
    unknown = _UNKNOWN.search(text)
    if unknown:
        return _explain_unknown(unknown["key"], where, _field_names(_annotation_at(kind, path)))
    if "missing required field" in text:
        return f"missing key {_join(where, text.split('`')[1])!r}"
    allowed = _choices(_annotation_at(kind, path))
    expected = f"expected one of {', '.join(allowed)}" if allowed else text[0].lower() + text[1:]
    return f"key {where!r}: found {_value_at(data, path)!r}, {expected}"


def _explain_unknown(name: str, where: str, known: list[str]) -> str:
    near = near_misses(name, known)
    hint = f"did you mean {' or '.join(near)}?" if near else f"known here: {', '.join(sorted(known))}"
    return f"unknown key {_join(where, name)!r}; {hint}"


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name


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


def _annotation_at(kind: Any, path: str) -> Any:
    """Return the annotation of the key at `path` inside the struct `kind`; None when there is none."""
    for step in _steps(path):
        if step.isdigit():
            continue
        struct = _struct_in(kind)
        fields = msgspec.structs.fields(struct) if struct else ()
        kind = next((field.type for field in fields if field.encode_name == step), None)
    return kind


def _field_names(annotation: Any) -> list[str]:
    struct = _struct_in(annotation)
    return [field.encode_name for field in msgspec.structs.fields(struct)] if struct else []


def _choices(annotation: Any) -> list[str]:
    """Return the allowed values of `Literal[...]` or `Literal[...] | None`; empty for anything else."""
    if get_origin(annotation) is Literal:
        return [str(value) for value in get_args(annotation)]
    return [value for inner in get_args(annotation) for value in _choices(inner)]


def _struct_in(annotation: Any) -> type[msgspec.Struct] | None:
    """Return the struct in `X`, `X | None` or `tuple[X, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return annotation
    return next(filter(None, map(_struct_in, get_args(annotation))), None)
