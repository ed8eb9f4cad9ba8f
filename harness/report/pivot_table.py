"""Render pivots on a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness import units
from harness.report.pivot import LEGEND, Block
from harness.rows.pareto import STAR

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table


class PivotTable:
    """Pivots that rich renders to the console's width.

    Args:
        blocks: The tables.
        by: The column that they are grouped by.
    """

    def __init__(self, blocks: Sequence[Block], by: str) -> None:
        self._blocks, self._by = blocks, by

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render one block after the other, and what the marks mean."""
        from rich.text import Text

        for block in self._blocks:
            yield Text(f"{self._by}: {block.title}", style="bold")
            yield _table(block)
            yield ""
        yield Text(LEGEND, style="dim")


def _table(block: Block) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for heading in block.columns:
        table.add_column(Text(heading), overflow="fold", justify="left" if heading == "model" else "right")
    for row in block.rows:
        cells = [row.get(heading, units.MISSING) for heading in block.columns]
        table.add_row(*(Text(cell, style="bold" if cell.startswith(STAR) else "") for cell in cells))
    return table
