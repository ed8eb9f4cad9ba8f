"""Render the times of operators as tables for a terminal, one a cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from harness import units
from harness.text import clean
from harness.vocabulary import Status

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.table import Table

Row = Mapping[str, Any]
_NUMBERS = ("count", "ms", "share")
_BAR = 20
"""Width of the longest bar."""


class OperatorTables:
    """Operators by kind, the costliest first, with a bar for the share.

    Args:
        rows: Rows of `harness.rows.operators.operator_rows`.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        self._rows = rows
        self._several_runs = len({row["run_id"] for row in rows}) > 1

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render one table a cell."""
        from rich.text import Text

        for _, cell in groupby(self._rows, key=_cell):
            rows = list(cell)
            yield Text(self._title(rows), style="bold")
            yield _table(rows)
            yield ""

    def _title(self, rows: Sequence[Row]) -> str:
        first = rows[0]
        parts = [f"{first['model']} on {first['delegate_requested']}", first["device"]]
        if first["status"] != Status.OK:
            parts += [f"{first['status']}: {first['delegate_actual']} ran"]
        parts += [first["run_id"]] if self._several_runs else []
        parts += [f"{units.milliseconds(sum(row['time_ms'] for row in rows))} ms in operators"]
        return clean(" · ".join(parts))


def _cell(row: Row) -> tuple[str, ...]:
    return row["run_id"], row["device"], row["model"], row["delegate_requested"]


def _table(rows: Sequence[Row]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("operator", "ran in", *_NUMBERS, ""):
        table.add_column(name, justify="right" if name in _NUMBERS else "left", no_wrap=name != "operator")
    for row in rows:
        where = "delegate" if row["delegated"] else "builtin kernel"
        figures = (
            units.count(row["count"]),
            units.milliseconds(row["time_ms"]),
            f"{row['share_percent']:.1f}%",
        )
        bar = "█" * round(row["share_percent"] / 100 * _BAR)
        table.add_row(*map(Text, (clean(row["operator"]), where, *figures, bar)))
    return table
