"""How bad it is: the accuracy of both sides on the same images, and the paired interval of the difference."""

from __future__ import annotations

from dataclasses import dataclass

from harness.accuracy.bootstrap import Interval, PairedDifference, map_interval
from harness.accuracy.coco import evaluate
from harness.delegates import UNKNOWN, parse_delegate
from harness.diagnosis.runs.changes import Found
from harness.diagnosis.runs.runs import Runs
from harness.diagnosis.runs.sides import Pair, Side
from harness.records.records import CocoFigures


@dataclass(frozen=True)
class Accuracy:
    """What a side reaches.

    Attributes:
        side: Whose figures these are.
        found: Its detections.
        figures: COCO's 12 figures, 0…1.
        interval: The mAP with its 95 % interval over images.
    """

    side: Side
    found: Found
    figures: CocoFigures
    interval: Interval


@dataclass(frozen=True)
class Loss:
    """How bad it is.

    Attributes:
        float: What the float side reaches; None without it.
        quantized: What the quantized side reaches.
        difference: `first` is the float side, `second` the quantized one; None without a float side.
        n_images: How many images were evaluated.
        remarks: What the reader of the figures should know, a sentence each.
    """

    float: Accuracy | None
    quantized: Accuracy
    difference: PairedDifference | None
    n_images: int
    remarks: tuple[str, ...] = ()


def measure(pair: Pair, runs: Runs) -> Loss:
    """Measure both sides on all images.

    Raises:
        ModelError: A card does not fit its file.
        JobError: A model failed.
    """
    sides = {side.role: _accuracy(side, runs) for side in pair.sides}
    reference, quantized = sides.get("float"), sides["quantized"]
    difference = None if reference is None else runs.compare(reference.found, quantized.found)
    remarks = tuple(sentence for accuracy in sides.values() for sentence in remarks_on(accuracy, runs))
    return Loss(reference, quantized, difference, len(quantized.found.image_ids), remarks)


def _accuracy(side: Side, runs: Runs) -> Accuracy:
    found = runs.detections(side)
    figures = evaluate(runs.truth, found.table, found.image_ids).figures
    return Accuracy(side, found, figures, map_interval(runs.truth, found.table, found.image_ids))


def remarks_on(accuracy: Accuracy, runs: Runs) -> list[str]:
    """Return what puts a side's figures in doubt, a sentence each."""
    found, name = accuracy.found, accuracy.side.name
    remarks = []
    if found.unreadable:
        remarks.append(
            f"{len(found.unreadable)} image(s) could not be read and count as without detections: {found.unreadable[0]}"
        )
    if not len(found.table):
        remarks.append(f"{name} detects nothing at all: every figure of it is 0")
    known = [row in runs.truth.categories for row in set(found.table.category_ids.tolist())]
    if not all(known):
        remarks.append(f"{name} gives {known.count(False)} category id(s) that the annotations do not have")
    doubt = _doubt(accuracy)
    return [*remarks, doubt] if doubt else remarks


def _doubt(accuracy: Accuracy) -> str | None:
    """Say where the figures are not those of the delegate that was asked for, or where that is not proven."""
    asked, ran = parse_delegate(accuracy.side.place.delegate), accuracy.found.ran.actual
    wanted = f"{accuracy.side.name}: {asked} was asked for on {accuracy.side.place.device}"
    if ran == UNKNOWN:
        return f"{wanted}, and what ran is not proven"
    if ran not in {asked.kind, asked.traits.runs_as}:
        return f"{wanted}, and {ran} ran: the figures are not that delegate's"
    return None
