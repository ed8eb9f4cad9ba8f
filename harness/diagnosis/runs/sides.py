"""The two models that are held against each other: the float one, and the one that lost accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.cards import Model
from harness.delegates import CPU, parse_delegate
from harness.tflite.graph import Graph
from harness.tflite.model import ModelDescription

Role = Literal["float", "quantized"]
HERE = "local"


@dataclass(frozen=True)
class Place:
    """Where a side runs.

    Attributes:
        device: A device as the user spelt it; `local` for this computer.
        delegate: As the user spelt it.
        workspace: Where the device's profile is looked up, as for every command.
        benchmark_binary: TFLite's native benchmark_model for the device; None for the one that is known.
    """

    device: str = HERE
    delegate: str = CPU
    workspace: str | None = None
    benchmark_binary: str | None = None

    @property
    def is_here(self) -> bool:
        """Whether it runs in this process, so that its raw outputs and its tensors can be read."""
        return self.device == HERE and parse_delegate(self.delegate).is_cpu

    def __str__(self) -> str:
        """`cpu` for this computer's, else `DELEGATE on DEVICE`."""
        return self.delegate if self.device == HERE else f"{self.delegate} on {self.device}"


@dataclass(frozen=True)
class Side:
    """One of the two models.

    Attributes:
        role: `float` for the reference, `quantized` for the one that is examined.
        model: Card and file.
        description: What the file says of itself.
        graph: The file's operators, tensors and constants.
        place: Where it runs.
    """

    role: Role
    model: Model
    description: ModelDescription
    graph: Graph
    place: Place = Place()

    @property
    def name(self) -> str:
        """The card's name."""
        return self.model.name

    @property
    def file(self) -> Path:
        """The .tflite."""
        return self.model.file


@dataclass(frozen=True)
class Pair:
    """Both sides.

    Attributes:
        float: The reference; None when only the quantized model was given.
        quantized: What is examined. It can be the very file of the reference, on a device or delegate.
    """

    float: Side | None
    quantized: Side

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that there are, the reference first."""
        return (self.quantized,) if self.float is None else (self.float, self.quantized)

    @property
    def same_file(self) -> bool:
        """Whether both run one file, so that only the place or the card can differ."""
        return self.float is not None and self.float.description.sha256 == self.quantized.description.sha256


def load_side(role: Role, model: Model, place: Place | None = None) -> Side:
    """Read a model's file.

    Raises:
        ModelError: It is not there, not a model, not the one its card speaks of, or no runtime can run it.
    """
    from harness.errors import ModelError
    from harness.fetch import verify
    from harness.tflite.model import load
    from harness.tflite.runnable import check_runnable

    if not model.available:
        raise ModelError(f"model {model.name!r}: {model.why_missing}")
    verify(model)
    description, graph = load(model.file)
    check_runnable(description)
    return Side(role, model, description, graph, place or Place())
