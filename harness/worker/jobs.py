"""What a worker is asked to do. Standard library only: boards import this too."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness import atomic


@dataclass(frozen=True)
class LatencyJob:
    """Time `invoke()` of one model with one delegate.

    Attributes:
        model: Path of the .tflite.
        delegate: Kind of delegate: `cpu`, `cpu-reference`, or one that a library brings (`external`, `edgetpu`).
        threads: CPU threads.
        inputs: A .npy file [K, …] of K prepared first inputs, cycled over; None for seeded random inputs.
        min_runs: At least so many steady inferences.
        min_seconds: At least so many seconds of steady inferences.
        max_seconds: Stop after so many seconds even if no steady state was found.
        seed: Of the random inputs.
        output: Folder for `result.json` and `samples.npy`.
        memory_limit_mb: The process may not use more data memory than this; None for no limit.
        delegate_library: The delegate's shared library: a path where the worker runs, or a name that its loader
            finds; None for the CPU.
        delegate_options: Options of the library.
        other_model: Path of a model that is run in between, to see what switching costs; None for none.
        watch_seconds: A process that has settled is watched for three times as long as it took to, so that a state that
            is not the last shows; but for no longer than this.
    """

    model: str
    delegate: str
    threads: int
    inputs: str | None
    min_runs: int
    min_seconds: float
    max_seconds: float
    seed: int
    output: str
    memory_limit_mb: int | None = None
    delegate_library: str | None = None
    delegate_options: dict[str, str] = field(default_factory=dict)
    other_model: str | None = None
    watch_seconds: float = 0.0
    kind: str = "latency"


@dataclass(frozen=True)
class AccuracyJob:
    """Run one model over the images of a dataset and keep its detections.

    Attributes:
        model: Path of the .tflite.
        delegate: Kind of delegate.
        threads: CPU threads of one interpreter.
        card: The card's input, decoder and labels, as in its TOML.
        images: A JSON file with [[image id, path, [width, height] or null, as stored], …]; see `ImageFile`.
        cores: CPU cores to keep busy.
        output: Folder for `result.json` and `detections.json`.
        memory_limit_mb: As for latency.
        delegate_library: As for latency.
        delegate_options: As for latency.
    """

    model: str
    delegate: str
    threads: int
    card: dict[str, Any] = field(default_factory=dict)
    images: str = ""
    cores: int = 1
    output: str = ""
    memory_limit_mb: int | None = None
    delegate_library: str | None = None
    delegate_options: dict[str, str] = field(default_factory=dict)
    kind: str = "accuracy"


@dataclass(frozen=True)
class OperatorsJob:
    """Record the time of each operator of one model on the CPU; nothing of it counts as the model's latency.

    Attributes:
        model: Path of the .tflite.
        delegate: `cpu` or `cpu-reference`.
        threads: CPU threads.
        inputs: As for latency.
        min_runs: At least so many inferences.
        min_seconds: At least for so many seconds.
        output: Folder for `result.json`.
        memory_limit_mb: As for latency.
        delegate_library: Always None: the profiler knows no delegates from libraries.
        delegate_options: Always empty.
    """

    model: str
    delegate: str
    threads: int
    inputs: str | None
    min_runs: int
    min_seconds: float
    output: str
    memory_limit_mb: int | None = None
    delegate_library: str | None = None
    delegate_options: dict[str, str] = field(default_factory=dict)
    kind: str = "operators"


@dataclass(frozen=True)
class PreparationsJob:
    """Run one model over a few images, each prepared in several ways, and keep the detections of each way.

    Attributes:
        model: Path of the .tflite.
        delegate: `cpu` or `cpu-reference`.
        threads: CPU threads of one interpreter.
        card: The card's decoder and labels, as in its TOML.
        preparations: Input sections of cards; the detections of the K-th are in `detections-K.json`.
        images: As for accuracy.
        cores: CPU cores to keep busy.
        output: Folder for `result.json` and the detections.
        memory_limit_mb: As for latency.
        delegate_library: Always None.
        delegate_options: Always empty.
    """

    model: str
    delegate: str
    threads: int
    card: dict[str, Any] = field(default_factory=dict)
    preparations: list[dict[str, Any]] = field(default_factory=list)
    images: str = ""
    cores: int = 1
    output: str = ""
    memory_limit_mb: int | None = None
    delegate_library: str | None = None
    delegate_options: dict[str, str] = field(default_factory=dict)
    kind: str = "preparations"


Job = LatencyJob | AccuracyJob | OperatorsJob | PreparationsJob
_KINDS: dict[str, type[Job]] = {
    "latency": LatencyJob,
    "accuracy": AccuracyJob,
    "operators": OperatorsJob,
    "preparations": PreparationsJob,
}


COMPILED, SOC = "compiled", "soc"
"""Options of a job for an emulated chip: the compiled file, and the chip that it is for."""


def is_emulated(job: Job) -> bool:
    """Whether a job is for the emulator of a chip."""
    return COMPILED in job.delegate_options


def dump_job(job: Job, path: Path) -> None:
    """Write a job for a worker to read.

    Raises:
        OutputError: It cannot be written.
    """
    atomic.write_scratch(path, json.dumps(asdict(job)))


def load_job(path: Path) -> Job:
    """Read a job."""
    data = json.loads(path.read_text(encoding="utf-8"))
    return _KINDS[data["kind"]](**data)
