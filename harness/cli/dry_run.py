"""What a plan would measure, and about how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import units
from harness.cli.printing import note, show
from harness.report.content import Content

if TYPE_CHECKING:
    from harness.session import Prepared


def print_plan(prepared: Prepared, format_: str) -> None:
    """Print one row a cell and the whole time, which is that of the slowest device."""
    from harness.bench.estimate import COLUMNS, plan_rows, whole_seconds
    from harness.bench.tryout import plan_seconds

    seconds = plan_seconds(prepared.plan, prepared.stations, prepared.request, prepared.results)
    rows = plan_rows(prepared.plan, seconds)
    show(Content(rows, COLUMNS, in_table=COLUMNS[1:]), format_)
    about = units.duration(whole_seconds(prepared.plan, seconds))
    note(f"{units.count(len(rows))} cells, about {about} in all. Nothing was measured.")
