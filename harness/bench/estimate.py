"""About how long a cell takes, for `--dry-run`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.accuracy.dataset import ImageEntry
from harness.bench.plan import Cell, Plan
from harness.errors import RecordError
from harness.records.records import Record, load
from harness.records.samples import load_samples
from harness.settings import DEFAULT_MIN_RUNS, DEFAULT_MIN_SECONDS
from harness.vocabulary import Status

START_S = 0.4
"""Starting a worker, loading a model and checking its outputs, on two cores of a 2021 server."""
WARM_UP_SHARE = 1.15
PREPARE_S, PREPARE_S_PER_PIXEL = 0.003, 3e-8
"""Reading, decoding and scaling an image, on one core."""
EVALUATE_S = 0.5
"""The COCO figures with their interval."""
SECONDS_PER_MB = 0.03
"""Of an inference where the model was never tried here: its size says little, but it is all that is known."""
MOST_RECORDS = 200


COLUMNS = ("cell", "model", "against", "device", "delegate", "processes", "n_images", "seconds", "skip")
"""Of a plan that is shown before it is carried out."""


def estimate_plan(plan: Plan, invoke_s: Mapping[str, float]) -> dict[str, float]:
    """Estimate the seconds that each cell of a plan takes, by its id.

    Args:
        plan: The plan.
        invoke_s: The seconds of one inference, by the cell's id, where that is known.
    """
    return {cell.id: estimate_seconds(cell, invoke_s.get(cell.id)) for cell in plan.cells}


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


def estimate_seconds(cell: Cell, invoke_s: float | None) -> float:
    """Estimate a cell's time, from its settings and the time of an inference."""
    if not (cell.wants_latency or cell.wants_accuracy):
        return 0.0
    if invoke_s is None:
        invoke_s = cell.facts.size_bytes / 1e6 * SECONDS_PER_MB
    total = cost_of_inferences(cell, invoke_s)
    if cell.wants_latency:
        total += cell.settings.processes * START_S
    if cell.wants_operators:
        total += START_S + max(DEFAULT_MIN_SECONDS, DEFAULT_MIN_RUNS * invoke_s)
    if cell.wants_accuracy and cell.dataset is not None:
        total += START_S + EVALUATE_S + sum(map(_prepare_s, cell.dataset.images)) / cell.settings.cores
    return total


def cost_of_inferences(cell: Cell, invoke_s: float) -> float:
    """Return the seconds that the inferences of a cell take: those that are timed, and one of each image."""
    settings, total = cell.settings, 0.0
    if cell.wants_latency:
        steady = max(settings.seconds_a_process, settings.runs_a_process * invoke_s)
        total += settings.processes * min(WARM_UP_SHARE * steady, settings.patience_s)
    if cell.wants_accuracy and cell.dataset is not None:
        # All cores are busy with images, so several threads of one inference are no gain.
        core_s = invoke_s * min(cell.delegate.threads or 1, settings.cores)
        total += len(cell.dataset.images) * core_s / settings.cores
    return total


def latency_key(cell: Cell) -> tuple[str, str, str]:
    """Return what the time of an inference depends on."""
    return cell.device, cell.facts.sha256, str(cell.delegate)


def known_seconds(cell: Cell, results: Path) -> float | None:
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


def _prepare_s(image: ImageEntry) -> float:
    width, height = image.size or (0, 0)
    return PREPARE_S + PREPARE_S_PER_PIXEL * width * height
