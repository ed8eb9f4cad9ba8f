"""Recognise a detector's family by its outputs: one function a family, one line each in `RECOGNISERS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from harness.cards import DecoderSpec, Labels
from harness.tflite import postprocess
from harness.tflite.graph import POSTPROCESS, Graph
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
    """

    decoder: DecoderSpec
    labels: Labels
    evidence: tuple[str, ...]
    normalization: tuple[float, float] | None = None
    resize: Literal["stretch", "letterbox"] = "stretch"


Recogniser = Callable[[Facts], Family | None]

_POSTPROCESS_ORDERS: dict[tuple[int | None, ...], tuple[str, str]] = {
    (0, 1, 2, 3): ("tf1", "boxes, classes, scores, count"),
    (2, 0, 3, 1): ("tf2", "scores, boxes, count, classes"),
}


def recognise(facts: Facts) -> Family | None:
    """Return what the first recogniser that knows the model says; None when none does."""
    return next((family for family in (look(facts) for look in RECOGNISERS) if family is not None), None)


def ssd_postprocess(facts: Facts) -> Family | None:
    """SSD models that end in `TFLite_Detection_PostProcess`; the operator's own outputs tell the order."""
    options = facts.description.postprocess
    places = postprocess.places(facts.graph)
    if options is None or places not in _POSTPROCESS_ORDERS:
        return None
    order, words = _POSTPROCESS_ORDERS[places]
    labels, label_evidence = ssd_labels(options.num_classes, facts.metadata)
    return Family(
        decoder=DecoderSpec(name="ssd-postprocess", order=order),
        labels=labels,
        evidence=(
            f"decoder: the model ends in the operator {POSTPROCESS}.",
            f"decoder.order: the model gives the operator's outputs as {words} ({order}).",
            label_evidence,
            *_quantized_results(facts.description),
        ),
        normalization=(127.5, 127.5),
    )


def _quantized_results(description: ModelDescription) -> tuple[str, ...]:
    """Warn of results that a quantizer squeezed into integers: class numbers become wrong."""
    names = [info.name for info in description.outputs if info.scale is not None]
    if not names:
        return ()
    return (
        f"warning: the results {', '.join(names)} are quantized after {POSTPROCESS}; they should stay float.",
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
    """Return one name a class index and where they come from; None when the file has none that fit."""
    names = metadata.labels
    if len(names) == n_classes + 1 and names[0].lower() in _BACKGROUND:
        names = names[1:]
    if len(names) != n_classes:
        return None, ""
    return names, f", named by the model's own {metadata.label_file}"


RECOGNISERS: tuple[Recogniser, ...] = (
    ssd_postprocess,  # boxes, classes, scores, count after NMS inside the model
)
