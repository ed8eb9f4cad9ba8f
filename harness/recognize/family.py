"""What a family of detectors tells of a model, and what its class numbers mean; `recognisers` finds the family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.cards import DecoderSpec, Labels
from harness.tflite.graph import Graph
from harness.tflite.metadata import Metadata
from harness.tflite.model import ModelDescription

COCO_IDS_90 = 90
COCO_CLASSES_80 = 80
_BACKGROUND = {"???", "background", "__background__", "n/a"}


@dataclass(frozen=True)
class Facts:
    """All that a recogniser may look at."""

    description: ModelDescription
    graph: Graph
    metadata: Metadata


@dataclass(frozen=True)
class Family:
    """What a family tells of a model.

    Attributes:
        decoder: Name and settings of the decoder.
        labels: What a class index means.
        evidence: How that is known, a sentence each.
        normalization: (mean, std) of such models' float input; real = (pixel − mean) / std.
        resize: How such models' images are brought to size.
        pad_value: Of letterboxed images.
        pad_position: Where a letterboxed image stands.
        channels: Order of the channels.
    """

    decoder: DecoderSpec
    labels: Labels
    evidence: tuple[str, ...]
    normalization: tuple[float, float] | None = None
    resize: Literal["stretch", "letterbox"] = "stretch"
    pad_value: int = 114
    pad_position: Literal["center", "corner"] = "center"
    channels: Literal["rgb", "bgr"] = "rgb"


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
    """Return one name a class index and where they come from; None when the file has none that fit."""
    names = metadata.labels
    if len(names) == n_classes + 1 and names[0].lower() in _BACKGROUND:
        names = names[1:]
    if len(names) != n_classes:
        return None, ""
    return names, f", named by the model's own {metadata.label_file}"
