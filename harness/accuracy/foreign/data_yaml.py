"""The part of YAML that a YOLO `data.yaml` uses: scalars, lists and one level of mappings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

from harness.accuracy.foreign.convert import read_text
from harness.errors import DatasetError

Value: TypeAlias = "str | list[str] | dict[str, str]"

_QUOTED = r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\""
_KEY = re.compile(rf"^(?P<key>{_QUOTED}|[^\s:'\"-][^:]*):(?:\s+(?P<value>.*))?$")


def read_yaml(path: Path) -> dict[str, Value]:
    """Read the top level of a `data.yaml`.

    Raises:
        DatasetError: A line is of a kind that is not read here; names the line.
    """
    found: dict[str, Value] = {}
    open_key: str | None = None
    for number, raw in enumerate(read_text(path).splitlines(), start=1):
        line = _without_comment(raw)
        if not line.strip() or line.strip() in {"---", "..."}:
            continue
        nested = line[0].isspace() or line.startswith("-")
        if nested and open_key is not None:
            found[open_key] = _extended(path, number, found[open_key], line.strip())
            continue
        match = None if nested else _KEY.match(line)
        if match is None:
            raise _unexpected(path, number, line)
        key, value = _plain(match["key"]), (match["value"] or "").strip()
        found[key] = _value(path, number, value)
        open_key = None if value else key
    return found


def _plain_places(text: str) -> Iterator[int]:
    """Yield the places of characters that no quotes enclose; a quote opens at the beginning of a value only."""
    quote, place = "", 0
    while place < len(text):
        char = text[place]
        if quote:
            doubled = char == "'" and text[place : place + 2] == "''"
            if (char == "\\" and quote == '"') or (doubled and quote == "'"):
                place += 1
            elif char == quote:
                quote = ""
        elif char in "'\"" and (place == 0 or text[place - 1] in " \t[{,:"):
            quote = char
        else:
            yield place
        place += 1


def _without_comment(line: str) -> str:
    begins = (k for k in _plain_places(line) if line[k] == "#" and (k == 0 or line[k - 1].isspace()))
    return line[: next(begins, len(line))].rstrip()


def _extended(path: Path, number: int, value: Value, line: str) -> Value:
    """Add a nested line to a value that was begun on the line of its key."""
    if line == "-" or line.startswith("- "):
        if isinstance(value, dict):
            raise _unexpected(path, number, line)
        return [*value, _plain(line[1:])]
    match = _KEY.match(line)
    if match is None or isinstance(value, list):
        raise _unexpected(path, number, line)
    before = value if isinstance(value, dict) else {}
    return {**before, _plain(match["key"]): _plain(match["value"] or "")}


def _value(path: Path, number: int, text: str) -> Value:
    if text.startswith("[") and text.endswith("]"):
        return [_plain(item) for item in _items(text[1:-1])]
    if text.startswith("{") and text.endswith("}"):
        pairs = [_KEY.match(item) for item in _items(text[1:-1])]
        if not all(pairs):
            raise _unexpected(path, number, text)
        return {_plain(pair["key"]): _plain(pair["value"] or "") for pair in pairs if pair}
    if text[:1] in {"[", "{", "&", "*", "!", "|", ">"}:
        raise _unexpected(path, number, text)
    return _plain(text)


def _items(text: str) -> list[str]:
    """Split at the commas that no quotes enclose."""
    ends = [k for k in _plain_places(text) if text[k] == ","] + [len(text)]
    begins = [0] + [end + 1 for end in ends[:-1]]
    items = [text[begin:end].strip() for begin, end in zip(begins, ends, strict=True)]
    return [item for item in items if item]


def _plain(text: str) -> str:
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].replace("''", "'") if text[0] == "'" else re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _unexpected(path: Path, number: int, line: str) -> DatasetError:
    return DatasetError(
        f"{path}, line {number}: found {line.strip()[:60]!r}, expected KEY: VALUE, a list on one line or with "
        "'- ', or one level of KEY: VALUE below a key"
    )
