"""An engine that measures nothing and answers at once, for what a run does around it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from harness import atomic
from harness.bench.engines.base import TimedProcess
from harness.records.records import DelegateFacts, ProcessFacts
from harness.records.samples import make_samples


class Steady:
    """An engine that measures at once, and leaves a file in its scratch folder as a worker does."""

    def time(self, cell: Any, repetition: int, scratch: Path) -> TimedProcess:
        """Return samples."""
        atomic.write_scratch(scratch / "job.json", "{}")
        durations = np.full(30, 1_000_000 + repetition, np.int64)
        facts = ProcessFacts(
            index=repetition,
            started_at="2026-11-21T00:00:00Z",
            status="ok",
            delegate=DelegateFacts(requested="cpu:1", actual="xnnpack", delegated_nodes=3, total_nodes=4),
            steady_from=1,
        )
        return TimedProcess(facts, make_samples(np.cumsum(durations), durations, 1))
