"""What a plan would measure, and about how long that takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness import units
from harness.cli.common import emit, note

if TYPE_CHECKING:
    from harness.session import Prepared

COLUMNS = ("cell", "model", "device", "delegate", "processes", "n_images", "seconds", "skip")


def print_plan(prepared: Prepared, format_: str) -> None:
    """Print one row a cell and the whole time, which is that of the slowest device."""
    from harness.bench.estimate import estimate_seconds

    seconds = {cell.id: estimate_seconds(cell, prepared.results) for cell in prepared.plan.cells}
    rows = [
        {
            "cell": cell.id,
            "model": cell.model.name,
            "device": cell.device,
            "delegate": str(cell.delegate),
            "processes": cell.settings.processes if cell.wants_latency else 0,
            "n_images": len(cell.dataset.images) if cell.wants_accuracy and cell.dataset else 0,
            "seconds": round(seconds[cell.id], 1),
            "skip": cell.skip,
        }
        for cell in prepared.plan.cells
    ]
    shown = COLUMNS if format_ != "table" else tuple(c for c in COLUMNS if c != "cell")
    emit(rows, shown, format_)
    devices: dict[str, float] = {}
    for cell in prepared.plan.cells:
        devices[cell.device] = devices.get(cell.device, 0.0) + seconds[cell.id]
    note(
        f"{units.count(len(rows))} cells, about {units.duration(max(devices.values()))} in all. Nothing was measured."
    )
