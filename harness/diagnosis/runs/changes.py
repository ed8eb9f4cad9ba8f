"""Changes to a model for a trial, and the results with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.accuracy.bootstrap import PairedDifference
from harness.accuracy.detections import DetectionTable
from harness.accuracy.prepare import Geometry, Tensor
from harness.cards import ModelCard
from harness.records.records import DelegateFacts
from harness.tflite.model import ModelDescription

Outputs = Sequence[npt.NDArray[np.generic]]


@dataclass(frozen=True)
class Change:
    """A change to a model for a trial; everything else stays as it is.

    Attributes:
        words: The change in words, for reports; with `feed` also its identity, so that inferences can be kept.
        card: Another card for the same file: preparation, decoder settings, labels.
        file: Another .tflite instead of the model's, read with the card.
        described: The facts of that file where they are known, or it is read for them.
        feed: Turns each prepared input tensor into the one to feed.
        further: Whether the further outputs are decoded that a model gives that is `Runs.laid_open`.
        outputs: Turns each image's raw outputs, as the interpreter gives them, into the ones to decode.
    """

    words: str = ""
    card: ModelCard | None = None
    file: Path | None = None
    described: ModelDescription | None = None
    feed: Callable[[Tensor], Tensor] | None = None
    further: bool = False
    outputs: Callable[[Outputs], Outputs] | None = None


AS_IS = Change()


@dataclass(frozen=True)
class ImageOutputs:
    """The raw outputs of a model for one image.

    Attributes:
        image_id: Id in the dataset.
        outputs: The output tensors in the order of the model's output list; None where the image cannot be read.
        geometry: The place of the image in the model's input; None likewise.
        problem: Why the image cannot be read; None where it can.
        further: The outputs that the model gives behind its own where it was laid open; None elsewhere.
    """

    image_id: int
    outputs: Outputs | None
    geometry: Geometry | None
    problem: str | None = None
    further: Outputs | None = None

    @property
    def n_bytes(self) -> int:
        """Memory of the outputs, without the further ones."""
        return sum(array.nbytes for array in self.outputs or ())

    @property
    def n_further_bytes(self) -> int:
        """Memory of the further outputs."""
        return sum(array.nbytes for array in self.further or ())


@dataclass(frozen=True)
class Detections:
    """The detections of a model.

    Attributes:
        table: Rows in pixels of the images, boxes rounded to 3 decimals as `harness run` stores them.
        image_ids: The images that could be read.
        unreadable: One sentence for each image that could not be read.
        delegate: The delegates that were requested and that ran, with the evidence.
        runtime: Name and version of the runtime.
    """

    table: DetectionTable
    image_ids: tuple[int, ...]
    unreadable: tuple[str, ...]
    delegate: DelegateFacts
    runtime: str


@dataclass(frozen=True)
class Trial:
    """A change and its effect on the mAP of the model.

    Attributes:
        change: The change.
        detections: The detections with the change.
        difference: `first` is the model as it is, `second` with the change; positive when the change helps.
    """

    change: Change
    detections: Detections
    difference: PairedDifference

    @property
    def map(self) -> float | None:
        """The mAP with the change."""
        return self.difference.second

    @property
    def gain(self) -> float | None:
        """The gain of the change, in mAP."""
        return self.difference.difference
