"""What measures a cell: our own worker in Python (raw samples), or TFLite's native benchmark_model (summaries)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from harness.bench.plan import Cell
from harness.records.records import DelegateFacts, ProcessFacts
from harness.records.samples import Samples

OnProgress = Callable[[int, int], None]
"""Called with (images done, images in all)."""


@dataclass(frozen=True)
class Timed:
    """One process that timed a cell.

    Attributes:
        facts: What is known of it; `samples` is still unset.
        samples: Every timed inference; None where the tool keeps them to itself.
    """

    facts: ProcessFacts
    samples: Samples | None = None


@dataclass(frozen=True)
class Inferred:
    """A cell's inferences over a dataset.

    Attributes:
        detections: A file in COCO result format.
        n_images: Images that were inferred.
        unreadable: One sentence for each image that could not be read.
        seconds: Wall time of the inferences, with decoding and preparation of the images.
        delegate: What ran.
        runtime: Name and version of what ran it.
    """

    detections: Path
    n_images: int
    unreadable: tuple[str, ...]
    seconds: float
    delegate: DelegateFacts
    runtime: str


class Engine(Protocol):
    """Measures cells on one device.

    Both methods raise MeasurementError (it becomes the cell's status) or DeviceError (the device went away).
    """

    def time(self, cell: Cell, repetition: int, scratch: Path) -> Timed:
        """Time a cell in one process of its own.

        Args:
            cell: What is timed.
            repetition: Which of the cell's repetitions, from 0.
            scratch: An empty folder for this call alone; its parent is shared by all calls of the run.
        """

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> Inferred:
        """Run a cell over the images of its dataset, on the delegate that is timed."""
