"""Write a model card as TOML: what `harness models probe --write` leaves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from harness.cards import ModelCard


def card_to_toml(card: ModelCard, remarks: tuple[str, ...] = ()) -> str:
    """Return a card as the text of a TOML file; keys that have their default are left out.

    Args:
        card: The card.
        remarks: Sentences that stand above it as comments.
    """
    lines = [f"# {line}" for remark in remarks for line in remark.splitlines()]
    lines += _table("", card)
    return "\n".join(lines).strip() + "\n"


def _table(name: str, struct: msgspec.Struct) -> Iterator[str]:
    """Yield a table's lines: its own keys first, then its tables and lists of tables."""
    below: list[tuple[str, Any]] = []
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        if value is None or (not field.required and value == _default(field)):
            continue
        if isinstance(value, msgspec.Struct) or _of_tables(value):
            below.append((f"{name}.{field.name}".lstrip("."), value))
        else:
            yield f"{field.name} = {_value(value)}"
    for path, value in below:
        for table in value if isinstance(value, tuple) else (value,):
            yield ""
            yield f"[[{path}]]" if isinstance(value, tuple) else f"[{path}]"
            yield from _table(path, table)


def _default(field: msgspec.structs.FieldInfo) -> Any:
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def _of_tables(value: object) -> bool:
    return isinstance(value, tuple) and bool(value) and isinstance(value[0], msgspec.Struct)


def _value(value: Any) -> str:
    """Write one value; JSON's strings, numbers, booleans and lists are TOML's too."""
    if isinstance(value, tuple):
        return f"[{', '.join(_value(item) for item in value)}]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
