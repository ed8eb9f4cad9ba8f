"""Render devices as a table that fits a terminal: how each is reached, and below why one is not ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from harness.drivers.base import DeviceState
from harness.text import clean

Row = Mapping[str, Any]

_MERGED = {
    # heading     columns, joined where they are known
    "name": ("name",),
    "state": ("state",),
    "reached by": ("kind", "address"),
    "host": ("host",),
    "model": ("model", "soc"),
    "system": ("os", "abi"),
    "delegates": ("delegates",),
    "kinds": ("kinds",),
}
"""Columns that are merged under one heading: ten side by side would break words on 80 columns."""
_WORD = 20
_JOINED_BY = {"reached by": " ", "delegates": ", ", "kinds": ", "}


def device_table(rows: Sequence[Row]) -> RenderableType:
    """Return a table of devices, each a row of the public columns, with the reasons as sentences below."""
    if not rows:
        return Text("no devices")
    cells = [{heading: _cell(heading, row) for heading in _MERGED} for row in rows]
    shown = [heading for heading in _MERGED if any(row[heading] for row in cells)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    for heading in shown:
        table.add_column(Text(heading), overflow="fold", min_width=_longest_word(cells, heading))
    for row in cells:
        table.add_row(*(_styled(heading, row[heading]) for heading in shown))
    return Group(table, *_reasons(rows))


def _cell(heading: str, row: Row) -> str:
    words: list[str] = []
    for column in _MERGED[heading]:
        value = row.get(column)
        if column == "address" and value == row.get("name"):
            continue  # a serial is the name already
        words += list(value) if isinstance(value, (list, tuple)) else [value] if value else []
    return _JOINED_BY.get(heading, " · ").join(clean(str(word)) for word in words)


def _longest_word(cells: Sequence[Mapping[str, str]], heading: str) -> int:
    """Return the width of the longest word, which is kept whole unless it would push the other columns out."""
    return min(_WORD, max(len(word) for row in cells for word in [heading, *row[heading].split()]))


def _styled(heading: str, text: str) -> Text:
    if heading == "state":
        return Text(text, style="green" if text == DeviceState.READY else "yellow")
    return Text(text, style="bold" if heading == "name" else "")


def _reasons(rows: Sequence[Row]) -> list[RenderableType]:
    found: list[RenderableType] = []
    for row in rows:
        if row.get("reason"):
            name, reason = clean(str(row.get("name") or "")), clean(str(row["reason"]))
            found.append(Padding(Text.assemble((f"{name}: ", "bold"), reason), (0, 0, 0, 2)))
    return [Text(), *found] if found else []
