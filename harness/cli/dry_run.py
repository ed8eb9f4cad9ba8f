"""What a plan would measure, and about how long that takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness import units
from harness.cli.printing import note, show
from harness.report.content import Content, Form, Row, generic_table, whole_line
from harness.text import clean

if TYPE_CHECKING:
    from harness.session import Prepared


def print_plan(prepared: Prepared, format_: str) -> None:
    """Print one row a cell and the whole time, which is that of the slowest device."""
    from harness.bench.estimate import COLUMNS, plan_rows, whole_seconds
    from harness.bench.tryout import plan_seconds

    seconds = plan_seconds(prepared.plan, prepared.stations, prepared.request, prepared.results)
    rows = plan_rows(prepared.plan, seconds)
    show(Content(rows, COLUMNS, own={"table": lambda: _table(rows, COLUMNS[1:])}), format_)
    about = units.duration(whole_seconds(prepared.plan, seconds))
    note(f"{units.counted(len(rows), 'cell')}, about {about} in all. Nothing was measured.")


def _table(rows: Sequence[Row], columns: Sequence[str]) -> Form:
    """Return the table with its reasons to skip a cell below it: they hold commands, which a column takes apart."""
    from rich.console import Group

    numbers = {
        reason: n for n, reason in enumerate(dict.fromkeys(filter(None, (row["skip"] for row in rows))), 1)
    }
    short = [{**row, "skip": f"[{numbers[row['skip']]}]" if row["skip"] else None} for row in rows]
    notes = [whole_line(f"[{n}] {clean(reason)}") for reason, n in numbers.items()]
    return Group(generic_table(short, columns), *notes)
