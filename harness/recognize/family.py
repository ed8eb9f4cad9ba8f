"""A recognized family of detectors: its decoder, labels and preparation; `registry` finds the family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.cards import DecoderSpec, Labels
from harness.detectors.base import ModelContext
from harness.tflite import trace
from harness.tflite.graph import Graph
from harness.tflite.metadata import BACKGROUND, Metadata
from harness.tflite.model import ModelDescription
from harness.tflite.tensor_info import TensorInfo

COCO_IDS_90 = 90
COCO_CLASSES_80 = 80
MeanAndStd = tuple[float | tuple[float, float, float], float | tuple[float, float, float]]


@dataclass(frozen=True)
class Facts:
    """The facts that a recognizer may use."""

    description: ModelDescription
    graph: Graph
    metadata: Metadata

    @property
    def outputs(self) -> tuple[TensorInfo, ...]:
        """The model's outputs."""
        return self.description.outputs

    @property
    def context(self) -> ModelContext:
        """The size of the image input, 0 × 0 where there is none or it is dynamic."""
        for info in self.description.inputs:
            if len(info.shape) == 4 and 3 in (info.shape[1], info.shape[3]):
                height, width = info.shape[1:3] if info.shape[3] == 3 else info.shape[2:4]
                return ModelContext(max(width, 0), max(height, 0), self.description.path)
        return ModelContext(file=self.description.path)

    def activated(self, output: int, part: int = 0) -> bool | None:
        """Whether an output comes from a sigmoid or softmax; None where the graph does not show it."""
        found = trace.source(self.graph, self.graph.primary.outputs[output], part)
        if found is None or found.name not in {*trace.ACTIVATED, *trace.RAW}:
            return None
        return found.name in trace.ACTIVATED


@dataclass(frozen=True)
class Family:
    """A family of detectors, as it fits one model.

    Attributes:
        decoder: Name and settings of the decoder.
        labels: The meaning of a class index.
        evidence: The evidence, a sentence each.
        normalization: (mean, std) of such models' float input; real = (pixel − mean) / std.
        open: Decoders that the file leaves open, the usual one first, which is `decoder`. The model's outputs for some
            pictures decide.
        settled: Whether the usual decoder is kept where the pictures do not decide.
        resize: How such models' images are resized.
        pad_value: Value of the border of letterboxed images.
        pad_position: Position of a letterboxed image.
        channels: Order of the channels.
    """

    decoder: DecoderSpec
    labels: Labels
    evidence: tuple[str, ...]
    normalization: MeanAndStd | None = None
    open: tuple[DecoderSpec, ...] = ()
    settled: bool = False
    resize: Literal["stretch", "letterbox"] = "stretch"
    pad_value: int = 114
    pad_position: Literal["center", "corner"] = "center"
    channels: Literal["rgb", "bgr"] = "rgb"


@dataclass(frozen=True)
class Refusal:
    """A model that must not be measured as a detector, or not as it is.

    Attributes:
        looks_like: The kind of model that it seems to be.
        evidence: The evidence, and what to do, a sentence each.
    """

    looks_like: str
    evidence: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the evidence as for a card."""
        return (
            f"decoder: this looks like {self.looks_like}; its latency can be measured with --no-accuracy.",
            *self.evidence,
        )


def ssd_labels(n_classes: int, metadata: Metadata) -> tuple[Labels, str]:
    """Return the labels of a TF Object Detection API model: classes count from 0, without the background."""
    names, source = class_names(n_classes, metadata)
    if n_classes == COCO_CLASSES_80:
        return Labels(map="coco80", names=names), f"labels: 80 classes are COCO's contiguous ids{source}."
    if n_classes == COCO_IDS_90:
        return Labels(offset=1, names=names), f"labels: 90 classes are COCO's 90 ids, class + 1{source}."
    return Labels(
        offset=1, names=names
    ), f"labels: {n_classes} classes, ids from 1 as in a TF label map{source}."


def contiguous_labels(n_classes: int, metadata: Metadata) -> tuple[Labels, str]:
    """Return the labels of a model that counts its own list of classes from 0 (YOLO); 80 are COCO's."""
    names, source = class_names(n_classes, metadata)
    if n_classes == COCO_CLASSES_80:
        return Labels(map="coco80", names=names), f"labels: 80 classes are COCO's contiguous ids{source}."
    return Labels(names=names), f"labels: {n_classes} classes, ids from 0{source}."


def class_names(n_classes: int, metadata: Metadata) -> tuple[tuple[str, ...] | None, str]:
    """Return one name a class index, and their source; None when the file has none that fit."""
    names = metadata.labels
    if len(names) == n_classes + 1 and names[0].lower() in BACKGROUND:
        names = names[1:]
    if len(names) != n_classes:
        return None, ""
    return names, f", named by the model's own {metadata.label_file}"
