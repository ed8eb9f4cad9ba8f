"""Compare two inspected models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

COLUMNS = ("key", "first", "second")
_NAMED = ("name", "operator", "delegate")


def difference(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return one row a value that differs: its dotted key and both values, None where one model lacks it."""
    left, right = dict(_flat(first)), dict(_flat(second))
    keys = dict.fromkeys((*left, *right))
    return [
        {"key": key, "first": left.get(key), "second": right.get(key)}
        for key in keys
        if left.get(key) != right.get(key)
    ]


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted key and value of every plain value; objects in lists are keyed by their names."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _flat(item, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
        for number, item in enumerate(value):
            yield from _flat(item, f"{key}.{_name(key, item, number)}")
    else:
        yield key, value


def _name(key: str, item: Any, number: int) -> str:
    """Return the key of a list's object: its name, or a tensor's place, because tensors' names differ by export."""
    if key in {"inputs", "outputs"} or not isinstance(item, Mapping):
        return str(number)
    named = next((str(item[field]) for field in _NAMED if field in item), str(number))
    extra = item.get("condition") or item.get("reason")
    return f"{named} ({extra})" if extra else named
