"""Where accuracy is lost: AP per class and per size, precision-recall curves, and kinds of errors.

The kinds of errors, and what each of them costs, are TIDE's: D. Bolya, S. Foley, J. Hays, J. Hoffman: TIDE: A General
Toolbox for Identifying Object Detection Errors. ECCV 2020 (arXiv:2008.08115).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec
import numpy as np
import numpy.typing as npt

from harness.accuracy import curves as coco_curves
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.array_curves import RECALLS
from harness.accuracy.coco import able_engine, category_names, chosen_images, mean
from harness.accuracy.coco_engines import Curves, Engine
from harness.accuracy.detections import DetectionTable
from harness.accuracy.scene import AREAS, THRESHOLDS

SIZES = {name: area for name, area in AREAS.items() if name != "all"}
"""px², as in pycocotools' `areaRng`, both ends included."""
ERRORS = {
    "Loc": ("localization", "the right class, IoU 0.1…0.5"),
    "Cls": ("class", "IoU ≥ 0.5 with an object of another class"),
    "Both": ("both", "IoU 0.1…0.5 with an object of another class"),
    "Dupe": ("duplicate", "on an object that a higher score found already"),
    "Bkg": ("background", "IoU ≤ 0.1 with every object"),
    "Miss": ("missed", "an object that none of the errors above touches"),
}
"""TIDE's abbreviation, our word, and what it means."""


@dataclass(frozen=True)
class Part:
    """The accuracy of one class, or of objects of one size. Unknown is None, as in COCO."""

    name: str
    annotations: int
    map: float | None
    ap50: float | None
    ap75: float | None
    ar100: float | None


@dataclass(frozen=True)
class ClassPart(Part):
    """One class, with its AP by size and how often it was detected."""

    detections: int
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None


@dataclass(frozen=True)
class ErrorKind:
    """One of TIDE's kinds of errors at IoU 0.5.

    Attributes:
        name: One of `ERRORS`.
        count: How many detections (for `missed`: annotations) are of this kind.
        ap50_gain: How much AP50 would rise if these errors, and no others, were repaired.
        meaning: What makes an error one of this kind.
    """

    name: str
    count: int
    ap50_gain: float
    meaning: str


@dataclass(frozen=True)
class Curve:
    """Precision at 101 recalls.

    Attributes:
        name: The class; None for the mean of all.
        iou: The IoU threshold; None for the mean of 0.50:0.95.
        recall: float64 [101], 0…1.
        precision: float64 [101], the best at this recall or a higher one; 0 where it is not reached.
    """

    name: str | None
    iou: float | None
    recall: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Breakdown:
    """The parts of an evaluation."""

    classes: tuple[ClassPart, ...]
    sizes: tuple[Part, ...]
    errors: tuple[ErrorKind, ...]
    curves: tuple[Curve, ...]


def break_down(
    truth: GroundTruth,
    table: DetectionTable,
    image_ids: Sequence[int] | None = None,
    engine: Engine = "harness",
) -> Breakdown:
    """Break an evaluation down.

    Args:
        truth: The ground truth.
        table: Detections of its images and categories (`coco.refuse_unknown_ids`).
        image_ids: The images to evaluate; all for None.
        engine: What computes the curves.

    Raises:
        UsageError: `image_ids` is empty or names images that are not in the annotations.
    """
    chosen = chosen_images(truth, image_ids)
    able, _ = able_engine(truth, engine)
    curves = coco_curves.run(able, truth, table, chosen)
    names = category_names(truth)
    plain, found = _renumbered(truth, table, chosen)
    return Breakdown(
        classes=tuple(_class(plain, found, curves, k, name) for k, name in enumerate(names)),
        sizes=tuple(_size(plain, curves, number) for number in range(1, len(SIZES) + 1)),
        errors=_errors(plain, found),
        curves=tuple(_curves(names, curves)),
    )


def _renumbered(
    truth: GroundTruth, table: DetectionTable, chosen: list[int]
) -> tuple[GroundTruth, DetectionTable]:
    """Number the chosen images, the categories and the annotations from 1: hotcoco takes no negative ids."""
    images, numbers = np.array(chosen, np.int64), np.array(list(truth.categories), np.int64)
    own, rows = np.isin(truth.image_ids, images), table.rows[np.isin(table.image_ids, images)].copy()
    rows[:, 0] = np.searchsorted(images, rows[:, 0].astype(np.int64)) + 1
    rows[:, 6] = np.searchsorted(numbers, rows[:, 6].astype(np.int64)) + 1
    by_id = {row.id: row for row in truth.images}
    plain = replace(
        truth,
        images=tuple(msgspec.structs.replace(by_id[number], id=k) for k, number in enumerate(chosen, 1)),
        categories=dict(enumerate(truth.categories.values(), 1)),
        ids=np.arange(1, int(own.sum()) + 1),
        image_ids=np.searchsorted(images, truth.image_ids[own]) + 1,
        category_ids=np.searchsorted(numbers, truth.category_ids[own]) + 1,
        boxes=truth.boxes[own],
        areas=truth.areas[own],
        crowd=truth.crowd[own],
    )
    return plain, DetectionTable(rows)


def _class(truth: GroundTruth, table: DetectionTable, curves: Curves, k: int, name: str) -> ClassPart:
    precision = curves.precision[:, :, k]
    small, medium, large = (mean(precision[:, :, area]) for area in (1, 2, 3))
    return ClassPart(
        name=name,
        annotations=int(((truth.category_ids == k + 1) & ~truth.crowd).sum()),
        map=mean(precision[:, :, 0]),
        ap50=mean(precision[0, :, 0]),
        ap75=mean(precision[5, :, 0]),
        ar100=mean(curves.recall[:, k, 0, -1]),
        detections=int((table.category_ids == k + 1).sum()),
        ap_small=small,
        ap_medium=medium,
        ap_large=large,
    )


def _size(truth: GroundTruth, curves: Curves, number: int) -> Part:
    name, (low, high) = list(SIZES.items())[number - 1]
    precision = curves.precision[:, :, :, number]
    return Part(
        name=name,
        annotations=int(((truth.areas >= low) & (truth.areas <= high) & ~truth.crowd).sum()),
        map=mean(precision),
        ap50=mean(precision[0]),
        ap75=mean(precision[5]),
        ar100=mean(curves.recall[:, :, number, -1]),
    )


def _errors(truth: GroundTruth, table: DetectionTable) -> tuple[ErrorKind, ...]:
    found = coco_curves.tide(truth, table, [row.id for row in truth.images])
    counts, gains = found["counts"], found["delta_ap"]
    return tuple(
        ErrorKind(name, int(counts[key]), float(gains[key]), meaning)
        for key, (name, meaning) in ERRORS.items()
    )


def _curves(names: list[str], curves: Curves) -> Iterator[Curve]:
    """Yield the curves at IoU 0.5, 0.75 and on average, of all classes together and of each."""
    precision = curves.precision[:, :, :, 0]
    known = np.flatnonzero((precision > -1).all(axis=(0, 1)))
    parts: list[tuple[str | None, npt.NDArray[np.intp]]] = [(None, known)] if known.size else []
    parts += [(names[k], known[known == k]) for k in known]
    for name, members in parts:
        values = precision[:, :, members].mean(axis=2)
        yield Curve(name, None, RECALLS, values.mean(axis=0))
        for t in (0, 5):
            yield Curve(name, float(round(THRESHOLDS[t], 2)), RECALLS, values[t])
