"""Cells: which (model, device, delegate) are measured, how, and in which order."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from harness.accuracy.dataset import Dataset
from harness.cards import Model
from harness.delegates import Delegate
from harness.errors import UsageError
from harness.tflite.model import ModelDescription

DEFAULT_MIN_RUNS = 50
DEFAULT_MIN_SECONDS = 1.0
DEFAULT_MAX_SECONDS = 30.0

CocoEngine = Literal["hotcoco", "pycocotools"]


@dataclass(frozen=True)
class Settings:
    """How every cell of a run is measured.

    Attributes:
        latency: Whether to time it.
        accuracy: Whether to run it over the dataset.
        repetitions: Independent processes a cell.
        min_runs: At least so many steady inferences a cell, over all its processes.
        min_seconds: At least so many seconds of steady inferences a cell, over all its processes.
        max_seconds: No process measures longer than this.
        limit: Only the first so many images of the dataset.
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
    limit: int | None = None
    seed: int = 0
    coco_engine: CocoEngine = "hotcoco"
    memory_limit_mb: int | None = None
    cores: int = 1

    def __post_init__(self) -> None:
        if not (self.latency or self.accuracy):
            raise UsageError("nothing to do: use just one of --no-latency and --no-accuracy")
        for name, value in (("--repetitions", self.repetitions), ("--min-runs", self.min_runs)):
            if value < 1:
                raise UsageError(f"{name}: found {value}, expected at least 1")
        if not 0 <= self.min_seconds < float("inf"):
            raise UsageError(f"--min-seconds: found {self.min_seconds}, expected a time of 0 or more")


@dataclass(frozen=True)
class Cell:
    """One (model, device, delegate) to measure.

    Attributes:
        index: Its place in the plan, from 1.
        model: Card and file.
        facts: What the file really is.
        device: Name of the device.
        delegate: The delegate asked for.
        dataset: Images for accuracy and realistic inputs; None for neither.
        skip: Why it is known in advance not to work; None when it is to be measured.
    """

    index: int
    model: Model
    facts: ModelDescription
    device: str
    delegate: Delegate
    dataset: Dataset | None = None
    skip: str | None = None

    @property
    def id(self) -> str:
        """A name that sorts in plan order and is safe as a folder's name."""
        words = (self.model.name, self.device, str(self.delegate))
        return f"{self.index:04d}-" + "-".join(_safe(word) for word in words)


def _safe(text: str) -> str:
    """Keep letters, digits, dots and underscores; at most 60 of them."""
    return re.sub(r"[^A-Za-z0-9._]+", "_", text)[:60]


@dataclass(frozen=True)
class Task:
    """One process to start: a repetition of a cell's latency, or its accuracy."""

    cell: Cell
    kind: Literal["latency", "accuracy"]
    repetition: int = 0


@dataclass(frozen=True)
class Plan:
    """The cells of one device and how they are measured."""

    cells: tuple[Cell, ...]
    settings: Settings

    def tasks(self) -> list[Task]:
        """Return what to start, in order.

        The repetitions of the cells are interleaved in rounds, and each round is in a seeded random order, so
        that drift of the machine does not favour one cell (Google Benchmark's random interleaving). Accuracy
        comes after, because it heats all cores.
        """
        chance = random.Random(self.settings.seed)  # noqa: S311 - an order, not a secret
        todo = [cell for cell in self.cells if cell.skip is None]
        tasks: list[Task] = []
        if self.settings.latency:
            for repetition in range(self.settings.repetitions):
                tasks += [Task(c, "latency", repetition) for c in chance.sample(todo, len(todo))]
        if self.settings.accuracy:
            tasks += [Task(c, "accuracy") for c in todo if c.dataset is not None]
        return tasks


def make_cells(
    models: Sequence[tuple[Model, ModelDescription, Dataset | None]],
    device: str,
    delegates: Sequence[Delegate],
    offered: Sequence[str],
) -> tuple[Cell, ...]:
    """Cross models and delegates; a delegate that the device does not offer makes a skipped cell with the reason."""
    cells: list[Cell] = []
    for model, facts, dataset in models:
        for delegate in delegates:
            skip = None
            if delegate.kind not in offered:
                skip = f"device {device!r} offers {', '.join(offered)}, not {delegate.kind}"
            cells.append(Cell(len(cells) + 1, model, facts, device, delegate, dataset, skip))
    return tuple(cells)


def limited(dataset: Dataset, limit: int | None) -> Dataset:
    """Apply `--limit`."""
    return dataset if limit is None else dataset.limited(limit)


def plan_facts(plan: Plan) -> dict[str, object]:
    """The plan as data, for `run.json`: enough to see later whether a run may be resumed."""
    settings = {name: getattr(plan.settings, name) for name in plan.settings.__dataclass_fields__}
    cells = [
        {
            "cell": cell.id,
            "model": cell.model.name,
            "model_file": str(cell.model.file),
            "model_sha256": cell.facts.sha256,
            "device": cell.device,
            "delegate": str(cell.delegate),
            "dataset": None if cell.dataset is None else str(cell.dataset.annotations),
        }
        for cell in plan.cells
    ]
    return {"settings": settings, "cells": cells}
