"""How something is measured: runs, seconds, processes, images."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Literal

from harness.errors import UsageError

DEFAULT_MIN_RUNS = 50


DEFAULT_MIN_SECONDS = 1.0


DEFAULT_MAX_SECONDS = 60.0


LEAST_PATIENCE_S = 5.0


MLPERF_MIN_SECONDS = 60.0
"""Least duration of a single-stream run (MLCommons inference policies)."""


CocoEngine = Literal["hotcoco", "pycocotools"]


@dataclass(frozen=True)
class Settings:
    """How a cell is measured.

    Attributes:
        latency: Whether to time it.
        accuracy: Whether to run it over the dataset.
        switch_models: Whether to time each model also right after another one ran on the same delegate.
        operators: Whether to record the time of each operator as well, in one more process that is not timed.
        repetitions: Independent processes; the least number of them where `precision` is given.
        min_runs: At least so many steady inferences, over all processes.
        min_seconds: At least so many seconds of steady inferences, over all processes.
        max_seconds: With `precision`, no more processes are started after so many seconds of measuring.
        precision: Measure until half the 95 % interval of the median is at most this many percent of it.
        mlperf: Stop and estimate quantiles as MLPerf's LoadGen does (single stream, one process).
        sustained: Measure one process for so many seconds and look at latency over time.
        limit: Only the first so many images.
        seed: Of the order of the cells and of random inputs.
        coco_engine: What computes the COCO figures.
        memory_limit_mb: Data memory that a worker may use; None for no limit.
        cores: CPU cores that an accuracy run keeps busy.
    """

    latency: bool = True
    accuracy: bool = True
    repetitions: int = 5
    min_runs: int = DEFAULT_MIN_RUNS
    min_seconds: float = DEFAULT_MIN_SECONDS
    max_seconds: float = DEFAULT_MAX_SECONDS
    precision: float | None = None
    mlperf: bool = False
    sustained: float | None = None
    limit: int | None = None
    seed: int = 0
    coco_engine: CocoEngine = "hotcoco"
    memory_limit_mb: int | None = None
    cores: int = 1
    operators: bool = False
    switch_models: bool = False

    def __post_init__(self) -> None:
        if not (self.latency or self.accuracy):
            raise UsageError("nothing to do: use just one of --no-latency and --no-accuracy")
        if self.mlperf and self.sustained is not None:
            raise UsageError("use just one of --mlperf and --sustained")
        if self.limit is not None and self.limit < 1:
            raise UsageError(f"--limit: found {self.limit}, expected at least 1 image")
        for name, whole in (("--repetitions", self.repetitions), ("--min-runs", self.min_runs)):
            if whole < 1:
                raise UsageError(f"{name}: found {whole}, expected at least 1")
        for name, value, least in (
            ("--min-seconds", self.min_seconds, 0.0),
            ("--max-seconds", self.max_seconds, 0.001),
            ("--precision", self.precision, 0.001),
            ("--sustained", self.sustained, 1.0),
            ("--memory-limit", self.memory_limit_mb, 1),
        ):
            if value is not None and not least <= value < float("inf"):
                raise UsageError(f"{name}: found {value:g}, expected at least {least:g}")

    @property
    def processes(self) -> int:
        """Independent processes that are measured in any case."""
        return 1 if self.mlperf or self.sustained is not None else self.repetitions

    @property
    def seeks_precision(self) -> bool:
        """Whether processes are added until the median is known well enough."""
        return self.precision is not None and not self.mlperf and self.sustained is None

    @property
    def runs_a_process(self) -> int:
        """Least number of steady inferences of one process."""
        return ceil(self.min_runs / self.processes)

    @property
    def seconds_a_process(self) -> float:
        """Least time of steady inferences of one process."""
        return self.sustained if self.sustained is not None else self.min_seconds / self.processes

    @property
    def patience_s(self) -> float:
        """How long one process is given to settle and to collect its samples."""
        return max(LEAST_PATIENCE_S, 3 * self.seconds_a_process)
