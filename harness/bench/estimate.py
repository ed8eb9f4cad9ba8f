"""About how long a cell takes, for `--dry-run`."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.bench.plan import Cell
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
