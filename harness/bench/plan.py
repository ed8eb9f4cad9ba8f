"""Cells: which (model, device, delegate) are measured, how, and in which order."""

from __future__ import annotations

import random
import re
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import msgspec

from harness.accuracy.classes import Matching
from harness.accuracy.dataset import Dataset
from harness.cards import Model
from harness.delegates import Delegate
from harness.errors import IncomparableError
from harness.settings import Settings
from harness.tflite.model import ModelDescription


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
        matching: How the model's classes were matched with the data set's; None without a data set.
        other: The model that is run in between with `switch_models`.
        problem: Why the model cannot be measured anywhere; None where it can.
        against: The model that it is measured in turn with and held against; None for none.
    """

    index: int
    model: Model
    facts: ModelDescription
    device: str
    delegate: Delegate
    settings: Settings = field(default_factory=Settings)
    dataset: Dataset | None = None
    skip: str | None = None
    matching: Matching | None = None
    other: Model | None = None
    problem: str | None = None
    against: str | None = None

    @property
    def is_tried(self) -> bool:
        """Whether a process is started for it."""
        return self.skip is None and self.problem is None

    @property
    def id(self) -> str:
        """A name that sorts in plan order and is safe as a folder's name."""
        words = (self.model.name, self.device, str(self.delegate))
        return f"{self.index:04d}-" + "-".join(_safe(word) for word in words)

    @property
    def place(self) -> tuple[str, str, str]:
        """Its model, device and delegate: no other cell of a plan has all three."""
        return self.model.name, self.device, str(self.delegate)

    @property
    def wants_accuracy(self) -> bool:
        """Whether it is to be run over its dataset."""
        return self.is_tried and self.settings.accuracy and self.dataset is not None

    @property
    def wants_latency(self) -> bool:
        """Whether it is to be timed."""
        return self.is_tried and self.settings.latency

    @property
    def wants_operators(self) -> bool:
        """Whether the times of its operators are to be recorded."""
        return self.is_tried and self.settings.operators


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

    def in_turn(self, turn: int) -> tuple[Cell, ...]:
        """Return the cells that are timed, in the seeded random order of one round.

        The repetitions of the cells are interleaved in rounds, each in an order of its own, so that drift of the
        machine does not favour one cell (Google Benchmark's random interleaving). The order of a round depends on
        nothing but the seed and its number, so a resumed run goes on as it would have gone.

        Cells that are held against each other follow each other, so that as little as can be changes between them. Of
        two rounds the second has the order of the first reversed: what is first or second of a round is so equally
        often.
        """
        chance = random.Random(f"{self.seed}/{turn}")  # noqa: S311 - an order, not a secret
        groups = self._groups()
        return tuple(
            cell for group in chance.sample(groups, len(groups)) for cell in self._balanced(group, turn)
        )

    def compared_with(self, cell: Cell) -> tuple[Cell, ...]:
        """Return the other cells that are timed in turn with one, because they are held against each other."""
        group = next((group for group in self._groups() if cell in group), ())
        return tuple(other for other in group if other is not cell)

    def _groups(self) -> list[list[Cell]]:
        """Return the cells that are timed, each base with those that are held against it."""
        timed = {cell.place: cell for cell in self.cells if cell.wants_latency}
        found: dict[str, list[Cell]] = {}
        for cell in timed.values():
            base = cell if cell.against is None else timed.get((cell.against, *cell.place[1:]), cell)
            found.setdefault(base.id, []).append(cell)
        return list(found.values())

    def _balanced(self, group: list[Cell], turn: int) -> list[Cell]:
        chance = random.Random(f"{self.seed}/{turn // 2}/{group[0].id}")  # noqa: S311 - an order, not a secret
        order = chance.sample(group, len(group))
        return order[::-1] if turn % 2 else order


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
        "categories": None if cell.matching is None else cell.matching.categories,
        "n_images": None if cell.dataset is None else len(cell.dataset.images),
        "settings": asdict(cell.settings),
        "skip": cell.skip,
        **({} if cell.problem is None else {"problem": cell.problem}),
        **({} if cell.against is None else {"against": cell.against}),
    }


def refuse_difference(stored: Any, present: Any, key: str) -> None:
    """Refuse the first value that differs between what a run was begun with and what there is now.

    Raises:
        IncomparableError: Names the key, and both values.
    """
    if isinstance(stored, dict) and isinstance(present, dict):
        for name in stored.keys() | present.keys():
            if name != "load_average":
                refuse_difference(stored.get(name), present.get(name), f"{key}.{name}")
    elif isinstance(stored, list) and isinstance(present, list) and len(stored) == len(present):
        for index, (a, b) in enumerate(zip(stored, present, strict=True)):
            refuse_difference(a, b, f"{key}[{index}]")
    elif stored != present:
        raise IncomparableError(key, stored, present, "parts of a resumed run")
