"""What a worker leaves in `result.json`, as typed as its job. Standard library only: boards import this too.

Times in ns, memory in bytes; unknown is None.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from harness import atomic

FILE = "result.json"


@dataclass(frozen=True)
class Execution:
    """What executed a graph, as the interpreter's list of its nodes proves it.

    Attributes:
        actual: The delegate, or `unknown`.
        delegated_nodes: Nodes that it took.
        total_nodes: Nodes of the graph.
        evidence: Sentences.
    """

    actual: str
    delegated_nodes: int | None = None
    total_nodes: int | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True)
class OutputCheck:
    """What the outputs of a cell gave, held against one CPU thread's of the same device (law 10).

    Attributes:
        wrong: A sentence for each thing that differs; empty where all agrees.
        remark: Why nothing could be compared, or what differs and is not wrong for all that; None for neither.
    """

    wrong: tuple[str, ...] = ()
    remark: str | None = None


@dataclass(frozen=True)
class MachineReading:
    """The machine at one moment: a fixed piece of arithmetic, the fastest clock, the hottest zone, firmware's flags."""

    probe_ns: int
    mhz: float | None = None
    celsius: float | None = None
    firmware_flags: int | None = None


@dataclass(frozen=True)
class MachineReadings:
    """The machine around a measurement.

    Attributes:
        before: Before the first inference.
        after: After the last one.
        other_load: CPU cores that other programs used meanwhile.
        governor: Of the first CPU.
        on_battery: Whether it ran on its battery; None where it has none.
    """

    before: MachineReading
    after: MachineReading
    other_load: float | None = None
    governor: str | None = None
    on_battery: bool | None = None


@dataclass(frozen=True)
class LatencyResult:
    """What a latency job gave, besides its samples.

    Attributes:
        runtime: Name and version of what ran it.
        execution: What ran.
        check: The outputs of what was timed.
        init_ns: Loading the model and allocating its tensors.
        first_inference_ns: The first inference, which is never part of the steady state.
        steady_from: Index of the first steady sample; None where the trace never settled.
        telemetry: The machine meanwhile.
        peak_memory_bytes: Of the process, after the last inference.
        memory_before_load_bytes: The same, before the model was loaded.
        after_other_ns: Inferences right after one of another model; empty without one.
        after_other_problem: Why there are none although one was asked for; empty otherwise.
    """

    runtime: str
    execution: Execution
    check: OutputCheck
    init_ns: int
    first_inference_ns: int
    steady_from: int | None
    telemetry: MachineReadings
    peak_memory_bytes: int | None = None
    memory_before_load_bytes: int | None = None
    after_other_ns: tuple[int, ...] = ()
    after_other_problem: str = ""


@dataclass(frozen=True)
class AccuracyResult:
    """What an accuracy job gave, besides its detections; no image is inferred where outputs are wrong.

    Attributes:
        runtime: Name and version of what ran it.
        execution: What ran.
        check: The outputs of a few images.
        n_images: Images that were inferred.
        unreadable: One sentence for each image that could not be read.
        seconds: Wall time of the inferences, with decoding and preparation of the images.
        peak_memory_bytes: Of the process.
        unreadable_ids: The ids of the images that could not be read, in the same order.
    """

    runtime: str
    execution: Execution
    check: OutputCheck
    n_images: int = 0
    unreadable: tuple[str, ...] = ()
    seconds: float = 0.0
    peak_memory_bytes: int | None = None
    unreadable_ids: tuple[int, ...] = ()


@dataclass(frozen=True)
class OperatorsResult:
    """What an operators job gave: the profiler's summary, as text, of so many inferences."""

    runtime: str
    n_inferences: int
    summary: str


@dataclass(frozen=True)
class PreparationsResult:
    """What a preparations job gave, besides its detections: the ids of the images that could be read."""

    runtime: str
    image_ids: tuple[int, ...]
    seconds: float


Result = LatencyResult | AccuracyResult | OperatorsResult | PreparationsResult


def write_result(result: Result, folder: str) -> None:
    """Leave a result in the job's output folder.

    Raises:
        OutputError: It cannot be written.
    """
    atomic.write_scratch(Path(folder) / FILE, json.dumps(asdict(result)))
