"""Render model cards as a table that fits a terminal: what a model is, what it is published to reach, its terms."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import units
from harness.text import clean

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions
    from rich.table import Table

_COLUMNS = ("name", "quantization", "mAP", "size", "license", "input", "decoder")
_ALWAYS = 5
"""So many of them are shown however narrow the terminal is."""
_GAP = 2


class ModelTable:
    """A table of cards that rich renders to the console's width; the last columns go first.

    Args:
        rows: The rows of `harness models`.
        states: Of each, why its file is not here, in few words; empty where it is.
    """

    def __init__(self, rows: Sequence[Mapping[str, Any]], states: Sequence[str]) -> None:
        self._cells = [_cells(row, state) for row, state in zip(rows, states, strict=True)]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table]:
        """Render for the width of the console."""
        from rich.cells import cell_len
        from rich.table import Table
        from rich.text import Text

        widths = [
            max(cell_len(text) for text in (title, *(cells[place] for cells in self._cells)))
            for place, title in enumerate(_COLUMNS)
        ]
        n = len(_COLUMNS)
        while n > _ALWAYS and sum(widths[:n]) + _GAP * (n - 1) > options.max_width:
            n -= 1
        table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
        for title in _COLUMNS[:n]:
            table.add_column(
                title, justify="right" if title in {"mAP", "size"} else "left", no_wrap=True, overflow="fold"
            )
        for cells in self._cells:
            table.add_row(*(Text(text) for text in cells[:n]))
        yield table


def _cells(row: Mapping[str, Any], state: str) -> list[str]:
    texts = (
        row["name"],
        row["quantization"],
        None if row["published_map"] is None else units.metric(row["published_map"]),
        state or units.size(row["size_bytes"]),
        row["license"],
        row["input"],
        row["decoder"],
    )
    return [units.MISSING if text is None else clean(text) for text in texts]
