"""The two models that a diagnosis compares: the float one, and the quantized one that lost accuracy."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.cards import Model, ModelCard
from harness.delegates import CPU, parse_delegate
from harness.tflite.graph import Graph
from harness.tflite.model import ModelDescription

Role = Literal["float", "quantized"]
THIS_COMPUTER = "local"
"""The device name of this computer."""


@dataclass(frozen=True)
class Place:
    """Where a model runs.

    Attributes:
        device: A device as the user wrote it; `local` for this computer.
        delegate: As the user wrote it.
        workspace: Where the device's profile is looked up, as for every command.
        benchmark_binary: TFLite's native benchmark_model for the device; None for the default one.
    """

    device: str = THIS_COMPUTER
    delegate: str = CPU
    workspace: str | None = None
    benchmark_binary: str | None = None

    @property
    def in_process(self) -> bool:
        """Whether models run in this process, so that their raw outputs and tensors can be read."""
        return self.device == THIS_COMPUTER and parse_delegate(self.delegate).is_cpu

    def __str__(self) -> str:
        """`cpu` for this computer's, else `DELEGATE on DEVICE`."""
        return self.delegate if self.device == THIS_COMPUTER else f"{self.delegate} on {self.device}"


@dataclass(frozen=True)
class ComparedModel:
    """One of the two models that are compared, and where it runs.

    Attributes:
        role: `float` for the reference, `quantized` for the one that is examined.
        source: Card and file.
        description: The facts that the file states about itself.
        graph: The file's operators, tensors and constants.
        place: Where it runs.
    """

    role: Role
    source: Model
    description: ModelDescription
    graph: Graph
    place: Place = Place()

    @property
    def name(self) -> str:
        """The card's name."""
        return self.source.name

    @property
    def file(self) -> Path:
        """The .tflite."""
        return self.source.file

    @property
    def card(self) -> ModelCard:
        """The card: preparation, decoder and labels."""
        return self.source.card


@dataclass(frozen=True)
class ModelPair:
    """Both models.

    Attributes:
        float: The reference; None when only the quantized model was given.
        quantized: The model that is examined. It may be the file of the reference, on another device or delegate.
    """

    float: ComparedModel | None
    quantized: ComparedModel

    @property
    def models(self) -> tuple[ComparedModel, ...]:
        """The models that were given, the reference first."""
        return (self.quantized,) if self.float is None else (self.float, self.quantized)

    @property
    def same_file(self) -> bool:
        """Whether both have the same file, so that only place or card can differ."""
        return self.float is not None and self.float.description.sha256 == self.quantized.description.sha256


def load_model(role: Role, source: Model, place: Place | None = None) -> ComparedModel:
    """Read a model's file.

    Raises:
        ModelError: It does not exist, is no model or not the one of its card, or no runtime can run it.
    """
    from harness.errors import ModelError
    from harness.fetch import verify
    from harness.tflite.model import load
    from harness.tflite.runnable import check_runnable

    if not source.available:
        raise ModelError(f"model {source.name!r}: {source.why_missing}")
    verify(source)
    description, graph = load(source.file)
    check_runnable(description)
    return ComparedModel(role, source, description, graph, place or Place())
