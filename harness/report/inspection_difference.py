"""Render two inspections side by side for a person: what differs, in few lines. Programs get every value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from harness import units
from harness.text import clean

MOST_LINES = 25
"""Lines of the whole sheet; every difference is in the other formats."""
_MOST_OPERATORS = 6
_MOST_STATED = 6
_REST = "every difference: --format json"

Found = Mapping[str, Any]
_FACTS: tuple[tuple[str, Callable[[Found], str]], ...] = (
    ("size", lambda found: units.size(found["size_bytes"])),
    ("quantization", lambda found: str(found["quantization"])),
    ("parameters", lambda found: units.count(found["parameters"])),
    ("MACs", lambda found: units.count(found["macs"])),
    ("input", lambda found: _tensors(found["inputs"])),
    ("outputs", lambda found: _tensors(found["outputs"])),
    ("weights", lambda found: units.size(sum(row["weight_bytes"] for row in found["operators"]))),
    ("operators", lambda found: units.count(sum(row["count"] for row in found["operators"]))),
    ("NMS", lambda found: _nms(found["nms"])),
    ("left in float", lambda found: _islands(found["float_islands"])),
    ("known faults", lambda found: "; ".join(one["name"] for one in found["known_faults"]) or "none"),
)


def sheet(first: Found, second: Found, stated: Sequence[Found] = ()) -> RenderableType:
    """Return what differs between two models: facts, operators, what delegates take of each.

    Args:
        first: The inspection of the one.
        second: Of the other.
        stated: Rows of `key`, `first` and `second`: statements of files and cards that contradict each other.
    """
    rows = [*_contradictions(stated), *(row for row in _rows(first, second) if row[1] != row[2])]
    most = MOST_LINES - 5  # the two files, the heading, an empty line and where the rest is
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("", "A", "B"):
        table.add_column(heading, no_wrap=True, overflow="ellipsis")
    for row in [("sha256", first["sha256"][:12], second["sha256"][:12]), *rows][:most]:
        table.add_row(*(Text(clean(text)) for text in row))
    names = [Text(clean(f"{place}: {found['model']}")) for place, found in (("A", first), ("B", second))]
    return Group(*names, table, Text(""), Text(_REST, style="dim"))


def _contradictions(stated: Sequence[Found]) -> Iterator[tuple[str, str, str]]:
    for row in stated[:_MOST_STATED]:
        yield str(row["key"]), row["first"] or "", row["second"] or ""
    if len(stated) > _MOST_STATED:
        yield "other statements", "", f"{len(stated) - _MOST_STATED} more differ"


def _rows(first: Found, second: Found) -> Iterator[tuple[str, str, str]]:
    for title, text in _FACTS:
        yield title, text(first), text(second)
    counts = [{row["name"]: row["count"] for row in found["operators"]} for found in (first, second)]
    other = [
        name for name in dict.fromkeys((*counts[0], *counts[1])) if counts[0].get(name) != counts[1].get(name)
    ]
    for name in other[:_MOST_OPERATORS]:
        yield name, str(counts[0].get(name, 0)), str(counts[1].get(name, 0))
    if len(other) > _MOST_OPERATORS:
        yield "other operators", "", f"{len(other) - _MOST_OPERATORS} more kinds differ"
    yield from _delegates(first["delegates"], second["delegates"])


def _delegates(first: Sequence[Found], second: Sequence[Found]) -> Iterator[tuple[str, str, str]]:
    """Of a delegate with several versions the newest, which is the last."""
    sides = [{row["delegate"]: row for row in rows} for rows in (first, second)]
    for name in dict.fromkeys((*sides[0], *sides[1])):
        yield f"{name} takes", _taken(sides[0].get(name)), _taken(sides[1].get(name))


def _taken(row: Found | None) -> str:
    if row is None:
        return units.MISSING
    low, high = row["delegated_nodes_low"], row["delegated_nodes_high"]
    return f"{low if low == high else f'{low}–{high}'} of {row['total_nodes']}"


def _tensors(rows: Sequence[Found]) -> str:
    texts = [f"{'×'.join(map(str, row['shape']))} {row['dtype']}" for row in rows]
    return (
        texts[0]
        if len(texts) == 1
        else f"{len(texts)}: {', '.join(dict.fromkeys(row['dtype'] for row in rows))}"
    )


def _nms(found: Found | None) -> str:
    if found is None:
        return "none in the file"
    kind = "regular" if found["use_regular_nms"] else "fast"
    return f"{kind}, {found['max_detections']} boxes, score {found['nms_score_threshold']:g}"


def _islands(found: Found | None) -> str:
    if found is None:
        return units.MISSING
    return f"{found['n_operators']} of the operators, {found['conversions']} conversions"
