"""Write cards as TOML."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from harness.cards import ModelCard


def to_toml(card: ModelCard, remark: str) -> str:
    """Return a card as TOML for people: a remark, a section a table, and only what differs from the defaults."""
    values = _given(card)
    own = {key: value for key, value in values.items() if not isinstance(value, dict)}
    sections = {key: value for key, value in values.items() if isinstance(value, dict)}
    lines = [f"# {' '.join(remark.split())}", *_entries(own)]
    for name, section in sections.items():
        lines += _section(name, section)
    return "\n".join(lines) + "\n"


def _given(struct: msgspec.Struct) -> dict[str, Any]:
    """Return the fields that differ from their defaults, structs as dicts."""
    found: dict[str, Any] = {}
    for info in msgspec.structs.fields(struct):
        value = getattr(struct, info.name)
        default = info.default if info.default_factory is msgspec.NODEFAULT else info.default_factory()
        if value is None or value == default:
            continue
        found[info.name] = _given(value) if isinstance(value, msgspec.Struct) else value
    return found


def _section(name: str, values: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"[{name}]"
    yield from _entries({key: value for key, value in values.items() if not isinstance(value, dict)})
    for key, value in values.items():
        if isinstance(value, dict):
            yield from _section(f"{name}.{key}", value)


def _entries(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        yield f"{key} = {toml_value(value)}"


def toml_value(value: Any) -> str:
    """Return a value as TOML."""
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(msgspec.to_builtins(item)) for item in value) + "]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{k} = {toml_value(v)}" for k, v in value.items() if v is not None) + " }"
    # a JSON string is a TOML string, but for DEL, which TOML wants escaped
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")


def changed_entries(before: ModelCard, after: ModelCard) -> Iterator[tuple[str, str, str]]:
    """Yield key, value before and value after, as TOML, of each entry that differs; `none` for no entry."""
    yield from _changed(before, after, "")


def _changed(before: Any, after: Any, path: str) -> Iterator[tuple[str, str, str]]:
    for info in msgspec.structs.fields(type(after)):
        old, new = (getattr(part, info.name, None) for part in (before, after))
        key = f"{path}{info.name}"
        if isinstance(new, msgspec.Struct):
            yield from _changed(old, new, f"{key}.")
        elif old != new:
            yield key, _text(old), _text(new)


def _text(value: Any) -> str:
    return "none" if value is None else toml_value(value)
