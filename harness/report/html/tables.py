"""Make further tables of the page on request: pivots, and published figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness import units
from harness.report import pivot
from harness.report.published_table import here, merged, note_of
from harness.rows.beside import Pair
from harness.rows.frame import Row
from harness.rows.pareto import STAR, MoreAccurate, more_accurate
from harness.text import clean

PUBLISHED_COLUMNS = ("model", "quantization", "device", "delegate", "latency ms", "measured ms", "ratio", "FPS", "size",
                     "mAP", "measured mAP", "ratio", "AR", "dataset", "source and notes")  # fmt: skip


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


def published(pairs: Sequence[Pair]) -> dict[str, Any] | None:
    """Return published figures beside measured ones as texts, outside all charts and rankings; None without any."""
    if not pairs:
        return None
    rows = [list(map(clean, _published(merged(pair)))) for pair in pairs]
    return {"columns": PUBLISHED_COLUMNS, "rows": rows}


def _published(row: Row) -> tuple[str, ...]:
    """Return a published row; its first reason repeats the figures, the others are its notes and source."""
    named = (row[name] or units.MISSING for name in ("model", "quantization", "device", "delegate"))
    figures = (
        units.milliseconds(row["latency_mean_ms"]),
        here(row),
        units.ratio(row["latency_ratio"]),
        units.rate(row["fps"]),
        units.size(row["size_bytes"]),
        units.metric(row["map"]),
        units.metric(row["own_map"]),
        units.ratio(row["map_ratio"]),
        units.metric(row["ar100"]),
    )
    return *named, *figures, row["dataset"] or units.MISSING, note_of(row)
