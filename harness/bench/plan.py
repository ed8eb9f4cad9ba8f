"""Cells: which (model, device, delegate) are measured, how, and in which order."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import ceil
from typing import Literal

import msgspec

from harness.accuracy.dataset import Dataset
from harness.cards import Model
from harness.delegates import Delegate
from harness.errors import UsageError
from harness.tflite.model import ModelDescription

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


@dataclass(frozen=True)
class Cell:
    """One (model, device, delegate) to measure.

    Attributes:
        index: Its place in the plan, from 1.
        model: Card and file.
        facts: What the file really is.
        device: Name of the device.
        delegate: The delegate asked for.
        settings: How it is measured.
        dataset: Images for accuracy and realistic inputs; None for neither.
        skip: Why it is known in advance not to work; None when it is to be measured.
        other: The model that is run in between with `switch_models`.
    """

    index: int
    model: Model
    facts: ModelDescription
    device: str
    delegate: Delegate
    settings: Settings = field(default_factory=Settings)
    dataset: Dataset | None = None
    skip: str | None = None
    other: Model | None = None

    @property
    def id(self) -> str:
        """A name that sorts in plan order and is safe as a folder's name."""
        words = (self.model.name, self.device, str(self.delegate))
        return f"{self.index:04d}-" + "-".join(_safe(word) for word in words)

    @property
    def wants_accuracy(self) -> bool:
        """Whether it is to be run over its dataset."""
        return self.skip is None and self.settings.accuracy and self.dataset is not None

    @property
    def wants_latency(self) -> bool:
        """Whether it is to be timed."""
        return self.skip is None and self.settings.latency

    @property
    def wants_operators(self) -> bool:
        """Whether the times of its operators are to be recorded."""
        return self.skip is None and self.settings.operators


def _safe(text: str) -> str:
    """Keep letters, digits, dots and underscores; at most 60 of them."""
    return re.sub(r"[^A-Za-z0-9._]+", "_", text)[:60]


@dataclass(frozen=True)
class Task:
    """One process to start: a repetition of a cell's latency, the times of its operators, or its accuracy."""

    cell: Cell
    kind: Literal["latency", "operators", "accuracy"]
    repetition: int = 0


@dataclass(frozen=True)
class Plan:
    """The cells of a run, over all its devices."""

    cells: tuple[Cell, ...]
    seed: int = 0

    def of_device(self, device: str) -> Plan:
        """The part of the plan that one device measures."""
        return Plan(tuple(cell for cell in self.cells if cell.device == device), self.seed)

    def shuffled(self, cells: Sequence[Cell], turn: int) -> list[Cell]:
        """Return the cells of one round in their seeded random order.

        The repetitions of the cells are interleaved in rounds, each in an order of its own, so that drift of the
        machine does not favour one cell (Google Benchmark's random interleaving). The order of a round depends on
        nothing but the seed and its number, so a resumed run goes on as it would have gone.
        """
        chance = random.Random(f"{self.seed}/{turn}")  # noqa: S311 - an order, not a secret
        return chance.sample(list(cells), len(cells))

    @property
    def n_tasks(self) -> int:
        """Processes that are started in any case."""
        timed = sum(cell.settings.processes for cell in self.cells if cell.wants_latency)
        return timed + sum(cell.wants_accuracy + cell.wants_operators for cell in self.cells)


def plan_facts(plan: Plan) -> dict[str, object]:
    """The plan as data, for `run.json`: enough to see whether a run that is resumed is still the same."""
    return {"seed": plan.seed, "cells": [_cell_facts(cell) for cell in plan.cells]}


def _cell_facts(cell: Cell) -> dict[str, object]:
    return {
        "cell": cell.id,
        "model_sha256": cell.facts.sha256,
        "card": msgspec.to_builtins(cell.model.card),
        "device": cell.device,
        "delegate": str(cell.delegate),
        "delegate_options": dict(cell.delegate.options),
        "dataset_sha256": None if cell.dataset is None else cell.dataset.annotations_sha256,
        "n_images": None if cell.dataset is None else len(cell.dataset.images),
        "settings": asdict(cell.settings),
        "skip": cell.skip,
    }
