"""About how long a cell takes, for `--dry-run`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.bench.plan import Cell, Plan
from harness.errors import RecordError
from harness.records.records import Record, load
from harness.records.samples import load_samples
from harness.vocabulary import Status

START_S = 0.6
"""Starting a worker and loading a model, measured on two cores of a 2021 server."""
WARM_UP_SHARE = 1.3
PREPARE_S = 0.004
SECONDS_PER_MB = 0.006
"""Where a model was never measured here: its size says little, but it is all that is known."""
MOST_RECORDS = 200


COLUMNS = ("cell", "model", "against", "device", "delegate", "processes", "n_images", "seconds", "skip")
"""Of a plan that is shown before it is carried out."""


def estimate_plan(plan: Plan, results: Path) -> dict[str, float]:
    """Estimate the seconds that each cell of a plan takes, by its id."""
    return {cell.id: estimate_seconds(cell, results) for cell in plan.cells}


def plan_rows(plan: Plan, seconds: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return one row a cell, with what it would start and about how long that takes."""
    return [
        {
            "cell": cell.id,
            "model": cell.model.name,
            "against": cell.against,
            "device": cell.device,
            "delegate": str(cell.delegate),
            "processes": cell.settings.processes if cell.wants_latency else 0,
            "n_images": len(cell.dataset.images) if cell.wants_accuracy and cell.dataset else 0,
            "seconds": round(seconds[cell.id], 1),
            "skip": cell.skip or cell.problem,
        }
        for cell in plan.cells
    ]


def whole_seconds(plan: Plan, seconds: Mapping[str, float]) -> float:
    """Return how long a plan takes: as long as its slowest device."""
    devices: dict[str, float] = {}
    for cell in plan.cells:
        devices[cell.device] = devices.get(cell.device, 0.0) + seconds[cell.id]
    return max(devices.values())


def estimate_seconds(cell: Cell, results: Path) -> float:
    """Estimate a cell's time from its settings and, where the model was measured before, from its latency then."""
    if not (cell.wants_latency or cell.wants_accuracy):
        return 0.0
    invoke_s = _known_latency_s(cell, results) or cell.facts.size_bytes / 1e6 * SECONDS_PER_MB
    total = 0.0
    settings = cell.settings
    if cell.wants_latency:
        measuring = max(settings.seconds_a_process, settings.runs_a_process * invoke_s)
        total += settings.processes * (START_S + WARM_UP_SHARE * measuring)
    if cell.wants_accuracy and cell.dataset is not None:
        total += START_S + len(cell.dataset.images) * (invoke_s + PREPARE_S) / settings.cores
    return total


def _known_latency_s(cell: Cell, results: Path) -> float | None:
    """The median of the newest earlier measurement of this model file with this delegate on this device."""
    paths = sorted(results.glob(f"*/cells/*{cell.id[4:]}/record.json"), reverse=True)[:MOST_RECORDS]
    for path in paths:
        try:
            record = load(path, Record)
            if record.model.sha256 != cell.facts.sha256 or record.status != Status.OK:
                continue
            names = [process.samples for process in record.processes if process.samples]
            if names:
                return float(np.median(load_samples(path.parent / names[0])["duration_ns"])) / 1e9
        except RecordError:
            continue
    return None
