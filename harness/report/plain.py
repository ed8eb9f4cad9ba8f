"""Render rows of plain values as JSON, CSV and Markdown, with the standard library alone.

A value is a str, a number, a bool, None or a list of str. Unknown (None, or a number that is not finite) is
`null` in JSON and an empty cell elsewhere. A list is a list in JSON; in a CSV cell it is that list written as
JSON, because its sentences may contain any separator.

CSV is for programs, so cells are written as they are: a spreadsheet may take text that begins with `=` for a
formula.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness import units
from harness.text import clean

Rows = Sequence[Mapping[str, Any]]
_CSV_END = "\r\n"
"""What the csv module is to end lines with: it quotes both line end characters only where its own line end has both."""
CSV_TAKES_NUL = sys.version_info >= (3, 11)
"""The csv module of Python 3.10 neither writes nor reads a NUL: there the replacement character stands for it."""


def render(rows: Rows, columns: Sequence[str], format: str) -> str:
    """Render rows as `json`, `csv` or `markdown`, with a line end at the end."""
    return _RENDERERS[format](rows, columns)


def to_json(rows: Rows, columns: Sequence[str]) -> str:
    """Render as an array of flat objects, one a line."""
    encode = json.JSONEncoder(ensure_ascii=False).encode  # `json.dumps` makes one a call
    body = ",\n ".join(encode({c: value(row.get(c)) for c in columns}) for row in rows)
    return f"[{body}]\n"


def to_csv(rows: Rows, columns: Sequence[str]) -> str:
    """Render as RFC 4180, with a header, in UTF-8; lines end with a line feed."""
    lines = _Lines()
    writer = csv.writer(lines, lineterminator=_CSV_END)
    writer.writerow(columns)
    writer.writerows([_csv_cell(value(row.get(c))) for c in columns] for row in rows)
    return "".join(f"{line.removesuffix(_CSV_END)}\n" for line in lines.written)


def to_markdown(rows: Rows, columns: Sequence[str]) -> str:
    """Render as a GitHub table, with numbers aligned right."""
    return markdown_table(
        columns, [[row.get(c) for c in columns] for row in rows], [_rule(rows, c) for c in columns]
    )


def markdown_table(titles: Sequence[str], cells: Sequence[Sequence[Any]], rules: Sequence[str]) -> str:
    """Render cells as a GitHub table.

    Args:
        titles: Of the columns.
        cells: Of the rows, a value a column.
        rules: How the columns are aligned: `---` left, `---:` right.
    """
    lines = [titles, rules, *([_markdown_cell(one) for one in row] for row in cells)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def value(raw: Any) -> Any:
    """Return a value for JSON; a scalar of NumPy as the number that it holds."""
    if raw is None or type(raw) is str:
        return raw
    if not isinstance(raw, (str, int, float)) and hasattr(raw, "item"):
        raw = raw.item()
    if isinstance(raw, float):
        return raw if math.isfinite(raw) else None
    if isinstance(raw, (tuple, set, frozenset)):
        return list(raw)
    return raw


def cell(raw: Any) -> str:
    """Return a value as text for a table."""
    plain = value(raw)
    if plain is None:
        return units.MISSING
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    if isinstance(plain, float):
        return f"{plain:.4g}"
    return ", ".join(map(item, plain)) if isinstance(plain, list) else str(plain)


def item(raw: Any) -> str:
    """Return an item of a list as text: of an object its name and verdict, where it has them."""
    if isinstance(raw, dict) and "name" in raw and "verdict" in raw:
        return f"{raw['name']} ({raw['verdict']})"
    return str(raw)


def object_cell(raw: Any) -> Any:
    """Return an object, or a list with objects in it, as JSON text; anything else as it is."""
    holds_objects = isinstance(raw, list) and any(isinstance(item, (dict, list)) for item in raw)
    return json.dumps(raw, ensure_ascii=False) if isinstance(raw, dict) or holds_objects else raw


class _Lines:
    """Takes what the csv module writes, which is a line at a time."""

    def __init__(self) -> None:
        self.written: list[str] = []

    def write(self, line: str) -> None:
        """Take a line."""
        self.written.append(line)


def _csv_cell(plain: Any) -> Any:
    if isinstance(plain, bool):
        return "true" if plain else "false"
    if isinstance(plain, str) and not CSV_TAKES_NUL:
        return plain.replace("\0", "\ufffd")
    return json.dumps(plain, ensure_ascii=False) if isinstance(plain, (list, dict)) else plain


def _markdown_cell(raw: Any) -> str:
    return "" if value(raw) is None else markdown_text(cell(raw))


def markdown_text(text: str) -> str:
    """Return a text that is nothing but text in a cell of a table."""
    return clean(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def _rule(rows: Rows, column: str) -> str:
    numeric = any(isinstance(row.get(column), (int, float)) for row in rows)
    return "---:" if numeric else "---"


_RENDERERS: dict[str, Callable[[Rows, Sequence[str]], str]] = {
    "json": to_json,
    "csv": to_csv,
    "markdown": to_markdown,
}
