"""Label maps of TensorFlow's Object Detection API: `item { id: 1 name: "cat" display_name: "Cat" }` in a .pbtxt."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from harness.accuracy.foreign.convert import read_text
from harness.errors import DatasetError

_TOKEN = re.compile(
    r"""\s+|\#[^\n]*|(?P<text>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<word>[\w.+-]+)|(?P<sign>[{}:;,<>])"""
)
Token = tuple[int, str]
"""The line, and the text; a quoted one keeps its quotes."""


def read_label_map(path: Path) -> tuple[dict[int, str], dict[str, int]]:
    """Read a label map.

    Returns:
        The name by id, as it is displayed where that is said; and the id by every name that an item has.

    Raises:
        DatasetError: It is none; names the line, what was found and what is expected.
    """
    shown: dict[int, str] = {}
    known: dict[str, int] = {}
    for line, item in _items(path, list(_tokens(path))):
        number, name = item.get("id", ""), item.get("display_name") or item.get("name") or ""
        if not re.fullmatch(r"\d{1,9}", number) or not name:
            raise DatasetError(
                f"{path}, line {line}: an item without an id or a name; expected id: 1 and name: 'cat'"
            )
        if int(number) in shown:
            raise DatasetError(f"{path}, line {line}: the id {number} stands there twice")
        shown[int(number)] = name
        known |= {text: int(number) for text in (item.get("name"), item.get("display_name")) if text}
    if not shown:
        raise DatasetError(f"{path}: no items; expected item {{ id: 1 name: 'cat' }}")
    return shown, known


def is_label_map(path: Path) -> bool:
    """Whether a file has an item of a label map, as a graph's text has none."""
    try:
        return re.search(r"^\s*item\s*:?\s*[{<]", read_text(path), re.MULTILINE) is not None
    except DatasetError:
        return False


def _tokens(path: Path) -> Iterator[Token]:
    text, at, line = read_text(path), 0, 1
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise DatasetError(
                f"{path}, line {line}: found {text[at : at + 20]!r}, expected a key or a value"
            )
        if found.lastgroup:
            yield line, found[0]
        line += found[0].count("\n")
        at = found.end()


def _items(path: Path, tokens: list[Token]) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each item with the line it begins in; what an item holds in braces of its own is passed over."""
    item: dict[str, str] = {}
    depth, key, begun = 0, "", 0
    for line, piece in tokens:
        if piece in "{<":
            depth += 1
            if depth == 1:
                item, begun = {}, line
        elif piece in "}>":
            depth -= 1
            if depth < 0:
                raise DatasetError(f"{path}, line {line}: found {piece!r} without its beginning")
            if depth == 0:
                yield begun, item
        elif piece in ":;,":
            continue
        elif depth == 1 and key:
            item[key], key = _value(piece), ""
        else:
            key = piece if depth == 1 else ""
    if depth:
        raise DatasetError(f"{path}, line {begun}: an item that does not end")


def _value(text: str) -> str:
    return str(ast.literal_eval(text)) if text[0] in "\"'" else text
