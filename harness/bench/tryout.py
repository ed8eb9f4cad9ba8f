"""A few inferences of models that are new to this computer, so that a plan's time can be told before it is begun."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import atomic
from harness.bench.engines.choose import find_engine, measured_by_tool
from harness.bench.estimate import cost_of_inferences, estimate_plan, known_seconds, latency_key
from harness.bench.kept_tries import keep_seconds, kept_seconds
from harness.bench.plan import Cell, Plan
from harness.bench.request import Request
from harness.bench.stations import Station
from harness.errors import HarnessError
from harness.settings import Settings

if TYPE_CHECKING:
    from harness.bench.engines.base import Engine

RUNS = 3
MOST_S = 20.0
"""Of all tries of a plan; what is left then is estimated from the model's other delegates."""
MATTERS_S = 2.0
"""Where the inferences of a cell take less, its other delegates need no try: starting processes takes longer."""


def plan_seconds(
    plan: Plan, stations: Sequence[Station], request: Request, results: Path
) -> dict[str, float]:
    """Estimate the seconds that each cell of a plan takes, by its id; models new to this computer are tried on it."""
    here = {
        station.device.name: partial(find_engine, station, request)
        for station in stations
        if station.info.on_host_hardware and not station.far and not measured_by_tool(station, request)
    }
    return estimate_plan(plan, time_of_inferences(plan.cells, here, results))


def time_of_inferences(
    cells: Sequence[Cell], engines: Mapping[str, Callable[[], Engine]], results: Path
) -> dict[str, float]:
    """Return the seconds of one inference of each cell, by its id: of an earlier run, or tried now.

    Args:
        cells: The cells of a plan.
        engines: Makes what may try a cell, by the device; others are not tried.
        results: Where earlier runs are.

    What a try took is kept, and counts as long as neither the computer nor its runtime changes.
    """
    found: dict[tuple[str, str, str], float] = {}
    fast: set[str] = set()
    begun = time.monotonic()
    for cell in cells:
        key = latency_key(cell)
        seconds = found.get(key) or known_seconds(cell, results)
        may_try = cell.device in engines and cell.is_tried and time.monotonic() - begun < MOST_S
        if seconds is None and may_try and cell.facts.sha256 not in fast:
            seconds = kept_seconds(cell) or _tried(cell, engines[cell.device]())
        if seconds is not None:
            found[key] = seconds
            if cost_of_inferences(cell, seconds) < MATTERS_S:
                fast.add(cell.facts.sha256)
    known = {cell.id: found.get(latency_key(cell)) or _of_another_delegate(cell, found) for cell in cells}
    return {name: seconds for name, seconds in known.items() if seconds is not None}


def _tried(cell: Cell, engine: Engine) -> float | None:
    """Return the fastest of a few inferences: other programs only ever make one slower. None where that fails."""
    settings = Settings(
        repetitions=1,
        min_runs=RUNS,
        min_seconds=0.0,
        seed=cell.settings.seed,
        memory_limit_mb=cell.settings.memory_limit_mb,
    )
    with tempfile.TemporaryDirectory(prefix="harness-try-") as folder:
        scratch = Path(folder) / "try"
        try:
            atomic.make_folder(scratch)
            samples = engine.time(replace(cell, settings=settings, other=None), 0, scratch).samples
        except (HarnessError, OSError):
            return None  # the run itself says what is wrong with it
    if samples is None:
        return None
    seconds = float(samples["duration_ns"].min()) / 1e9
    keep_seconds(cell, seconds)
    return seconds


def _of_another_delegate(cell: Cell, found: Mapping[tuple[str, str, str], float]) -> float | None:
    """Return what is known of a model on another delegate of the same device."""
    device, sha256, _ = latency_key(cell)
    return next((s for (on, model, _), s in found.items() if (on, model) == (device, sha256)), None)
