"""What measures a cell: our own worker in Python (raw samples), or TFLite's native benchmark_model (summaries)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from harness.bench.plan import Cell
from harness.records.records import DelegateFacts, OperatorTime, ProcessFacts
from harness.records.samples import Samples

if TYPE_CHECKING:
    from harness.worker.results import OutputCheck

OnProgress = Callable[[int, int], None]
"""Called with (images done, images in all)."""


@dataclass(frozen=True)
class TimedProcess:
    """One process that timed a cell.

    Attributes:
        facts: What is known of it; `samples` is still unset.
        samples: Every timed inference; None where the tool keeps them to itself.
    """

    facts: ProcessFacts
    samples: Samples | None = None


@dataclass(frozen=True)
class DatasetInference:
    """One run of a cell over its dataset.

    Attributes:
        detections: A file in COCO result format.
        n_images: Images that were inferred.
        unreadable: One sentence for each image that could not be read.
        seconds: Wall time of the inferences, with decoding and preparation of the images.
        delegate: What ran.
        runtime: Name and version of what ran it.
        unreadable_ids: The ids of the images that could not be read, in the same order.
        remark: What is to be said of its outputs besides; None without anything.
    """

    detections: Path
    n_images: int
    unreadable: tuple[str, ...]
    seconds: float
    delegate: DelegateFacts
    runtime: str
    unreadable_ids: tuple[int, ...] = ()
    remark: str | None = None


@dataclass(frozen=True)
class ProfiledOperators:
    """What a profiler gave of one process.

    Attributes:
        operators: In the order of execution.
        runtime: What ran the model.
        n_inferences: How many inferences the times are the mean of; None where that is not known.
    """

    operators: tuple[OperatorTime, ...]
    runtime: str
    n_inferences: int | None = None


class Engine(Protocol):
    """Measures cells on one device.

    Every method takes an empty folder for this call alone, whose parent is shared by all calls of the run, and raises
    MeasurementError (it becomes the cell's status) or DeviceError (the device went away).
    """

    def time(self, cell: Cell, repetition: int, scratch: Path) -> TimedProcess:
        """Time a cell in one process of its own.

        Args:
            cell: What is timed.
            repetition: Which of the cell's repetitions, from 0.
            scratch: An empty folder.
        """

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> DatasetInference:
        """Run a cell over the images of its dataset, on the delegate that is timed."""

    def operators(self, cell: Cell, scratch: Path) -> ProfiledOperators:
        """Record the times of a cell's operators in one process, which a profiler slows down."""

    def check(self, cell: Cell, scratch: Path) -> OutputCheck:
        """Hold the outputs of a cell against one CPU thread's, on the device and delegate that are timed (law 10)."""
