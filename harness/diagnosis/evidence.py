"""The evidence that all causes are tested on."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.dataset import Dataset
from harness.diagnosis.layers.constants import Constants, compare_constants
from harness.diagnosis.layers.emulate import Emulator
from harness.diagnosis.layers.layers import Layers
from harness.diagnosis.loss.attribution import Attribution
from harness.diagnosis.loss.loss import Loss
from harness.diagnosis.runs.changes import Change, Trial
from harness.diagnosis.runs.model_pair import ComparedModel, ModelPair
from harness.diagnosis.runs.runs import Runs
from harness.tflite.reader import read_bytes


@dataclass(frozen=True)
class Evidence:
    """The measurements, and the means to measure more.

    Attributes:
        pair: The two models.
        dataset: The images that were evaluated.
        truth: Their annotations.
        runs: Detections of a model under changes; inferences are kept and not repeated.
        loss: How much accuracy is lost.
        attribution: The parts of the loss; None without a float model.
        layers: The error of each tensor; None where the tensors cannot be read.
        pipeline_config: A `pipeline.config` that the user gave.
        representative: The representative data that, the user says, the quantized model was made with.
        workspace: As for every command.
    """

    pair: ModelPair
    dataset: Dataset
    truth: GroundTruth
    runs: Runs
    loss: Loss
    attribution: Attribution | None = None
    layers: Layers | None = None
    pipeline_config: Path | None = None
    representative: Path | None = None
    workspace: str | None = None

    @cached_property
    def constants(self) -> Constants:
        """The constants of both files, compared; no inference."""
        return compare_constants(self.pair)

    @cached_property
    def emulator(self) -> Emulator:
        """The float model, to be quantized in parts."""
        assert self.pair.float is not None
        return Emulator(read_bytes(self.pair.float.file), self.pair.float.file)

    def trial(self, change: Change, model: ComparedModel | None = None, n_images: int | None = None) -> Trial:
        """Compare a model (the quantized one by default) with a change to the model as it is: see `Runs.trial`."""
        return self.runs.trial(model or self.pair.quantized, change, n_images)
