"""Make further tables of the page on request: pivots, and published figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import units
from harness.report import pivot
from harness.rows.frame import Row
from harness.rows.pareto import STAR, MoreAccurate, more_accurate
from harness.text import clean

PUBLISHED_COLUMNS = ("model", "quantization", "device", "delegate", "latency ms", "FPS", "size", "mAP", "AR",
                     "dataset", "source and notes")  # fmt: skip


def pivots(
    rows: Sequence[Row], by: str | None, is_shown: MoreAccurate = more_accurate
) -> dict[str, Any] | None:
    """Return one table a value of a column: models down, devices and delegates across.

    Args:
        rows: Own rows, and published ones to show beside them.
        by: The column to group by; None for no tables.
        is_shown: Tells of two rows whether the first is shown to be the more accurate one.

    Raises:
        UnknownNameError: No such column; near misses are listed.
    """
    if by is None:
        return None
    tables = [
        {
            "title": f"{by}: {block.title}",
            "columns": block.columns,
            "rows": [[row.get(heading, units.MISSING) for heading in block.columns] for row in block.rows],
        }
        for block in pivot.make_blocks(rows, by, is_shown)
    ]
    return {"title": f"By {by}", "legend": pivot.LEGEND, "star": STAR, "tables": tables}


def published(rows: Sequence[Row]) -> dict[str, Any] | None:
    """Return published figures as texts, outside all charts and rankings; None where there are none."""
    if not rows:
        return None
    return {"columns": PUBLISHED_COLUMNS, "rows": [list(map(clean, _published(row))) for row in rows]}


def _published(row: Row) -> tuple[str, ...]:
    """Return a published row; its first reason repeats the figures, the others are its notes and source."""
    named = (row[name] or units.MISSING for name in ("model", "quantization", "device", "delegate_requested"))
    figures = (
        units.milliseconds(row["latency_mean_ms"]),
        units.rate(row["fps"]),
        units.size(row["size_bytes"]),
        units.metric(row["map"]),
        units.metric(row["ar100"]),
    )
    return *named, *figures, row["dataset"] or units.MISSING, "; ".join(row["reasons"][1:])
