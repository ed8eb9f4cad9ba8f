"""Measure how much accuracy is lost: both models on the same images, and the paired interval of the difference."""

from __future__ import annotations

from dataclasses import dataclass

from harness.accuracy.bootstrap import Interval, PairedDifference, map_interval
from harness.accuracy.coco import evaluate
from harness.delegates import UNKNOWN, parse_delegate
from harness.diagnosis.runs.changes import Detections
from harness.diagnosis.runs.model_pair import ComparedModel, ModelPair
from harness.diagnosis.runs.runs import Runs
from harness.records.figures import CocoFigures
from harness.tflite.known_faults import FoundFault, faults_of


@dataclass(frozen=True)
class Accuracy:
    """The accuracy of a model.

    Attributes:
        model: The model.
        detections: Its detections.
        figures: COCO's 12 figures, 0…1.
        interval: The mAP with its 95 % interval over images.
    """

    model: ComparedModel
    detections: Detections
    figures: CocoFigures
    interval: Interval


@dataclass(frozen=True)
class Loss:
    """The loss of accuracy.

    Attributes:
        float: Accuracy of the float model; None without it.
        quantized: Accuracy of the quantized model.
        difference: `first` is the float model, `second` the quantized one; None without a float model.
        n_images: Number of images that were evaluated.
        remarks: Doubts about the figures, a sentence each.
    """

    float: Accuracy | None
    quantized: Accuracy
    difference: PairedDifference | None
    n_images: int
    remarks: tuple[str, ...] = ()


def measure_loss(pair: ModelPair, runs: Runs) -> Loss:
    """Measure both models on all images.

    Raises:
        ModelError: A card does not fit its file.
        JobError: A model failed.
    """
    models = {model.role: _accuracy(model, runs) for model in pair.models}
    reference, quantized = models.get("float"), models["quantized"]
    difference = None if reference is None else runs.compare(reference.detections, quantized.detections)
    remarks = tuple(sentence for accuracy in models.values() for sentence in remarks_on(accuracy, runs))
    return Loss(reference, quantized, difference, len(quantized.detections.image_ids), remarks)


def _accuracy(model: ComparedModel, runs: Runs) -> Accuracy:
    found = runs.detections(model)
    figures = evaluate(runs.truth, found.table, found.image_ids).figures
    interval = map_interval(runs.truth, found.table, found.image_ids, known=runs.halves)
    return Accuracy(model, found, figures, interval)


def remarks_on(accuracy: Accuracy, runs: Runs) -> list[str]:
    """Return the doubts about a model's figures, a sentence each."""
    found, name = accuracy.detections, accuracy.model.name
    remarks = []
    if found.unreadable:
        remarks.append(
            f"{len(found.unreadable)} image(s) could not be read and are left out: {found.unreadable[0]}"
        )
    if not len(found.table):
        remarks.append(f"{name} detects nothing at all: every figure of it is 0")
    known = [row in runs.truth.categories for row in set(found.table.category_ids.tolist())]
    if not all(known):
        remarks.append(f"{name} gives {known.count(False)} category id(s) that the annotations do not have")
    doubt = _doubt(accuracy)
    return [*remarks, *([doubt] if doubt else []), *(one.sentence for one in known_faults_of(accuracy.model))]


def known_faults_of(model: ComparedModel) -> list[FoundFault]:
    """Return what is known beforehand of a model where it runs, from its graph, threads and delegate."""
    delegate = parse_delegate(model.place.delegate)
    found = faults_of(model.description, None, delegate.threads or 1, delegate.kind_and_maker)
    return [one for one in found if not one.fault.avoided]


def _doubt(accuracy: Accuracy) -> str | None:
    """Return a sentence where another delegate ran than was asked for, or none is proven."""
    asked, ran = parse_delegate(accuracy.model.place.delegate), accuracy.detections.delegate.actual
    wanted = f"{accuracy.model.name}: {asked} was asked for on {accuracy.model.place.device}"
    if ran == UNKNOWN:
        return f"{wanted}, and what ran is not proven"
    if ran not in {asked.kind, asked.traits.runs_as}:
        return f"{wanted}, and {ran} ran: the figures are not that delegate's"
    return None
