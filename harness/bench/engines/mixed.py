"""Two engines on one device: our own worker for the delegates that it has, benchmark_model for the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from harness.bench.engines.base import DatasetInference, Engine, OnProgress, ProfiledOperators, TimedProcess
from harness.bench.plan import Cell
from harness.delegates import Delegate
from harness.worker.results import OutputCheck


@dataclass
class MixedEngine:
    """Gives each cell to the engine that can measure it.

    Attributes:
        worker: Our own.
        lacks: Says why it cannot run a delegate; None where it can.
        make_other: Makes the engine for the others, when the first of them comes.
    """

    worker: Engine
    lacks: Callable[[Delegate], str | None]
    make_other: Callable[[], Engine]
    _other: Engine | None = field(default=None, repr=False)

    def time(self, cell: Cell, repetition: int, scratch: Path) -> TimedProcess:
        """Time a cell in one process of its own."""
        return self._for(cell).time(cell, repetition, scratch)

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> DatasetInference:
        """Run a cell over the images of its dataset."""
        return self._for(cell).infer(cell, scratch, on_progress)

    def operators(self, cell: Cell, scratch: Path) -> ProfiledOperators:
        """Record the times of a cell's operators."""
        return self._for(cell).operators(cell, scratch)

    def check(self, cell: Cell, scratch: Path) -> OutputCheck:
        """Hold the outputs of a cell against one CPU thread's."""
        return self._for(cell).check(cell, scratch)

    def _for(self, cell: Cell) -> Engine:
        if self.lacks(cell.delegate) is None:
            return self.worker
        if self._other is None:
            self._other = self.make_other()
        return self._other
