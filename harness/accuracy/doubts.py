"""Whether an accuracy can be right: contradictions between detections, annotations, and what is known of the model.

COCO's evaluation gives a number for anything. What is read wrongly (coordinates, classes, images) leaves traces that
a right reading does not: each check here looks for one, and says its figure and what helps.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from harness.accuracy.agnostic import Sample, agnostic_ap50, class_ap50, highest_ap50, sample
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.coco_json import first_few
from harness.accuracy.detections import DetectionTable
from harness.accuracy.misread import MISREADINGS, Misreading
from harness.accuracy.naming import Naming, naming
from harness.records.checks import PROBE, Check, verdict

FEWEST_OBJECTS = 20
"""With fewer, a few boxes that fit by chance are a large share."""
FEWEST_IMAGES = 20
"""Images with objects from which on an accuracy of nearly 0 is no accident."""
CLEARLY = 0.1
"""AP50 of another reading that is worth a word."""
CERTAIN = 0.2
"""AP50 of another reading that leaves no doubt, where the present one has a third of it or less."""
BETTER = 1.15
"""Ratio from which on another reading of the boxes is worth a word; a right one fits best by far."""
NEARLY_NOTHING = 0.05
"""AP50 of classes or boxes that finds nearly nothing; published detectors of COCO's have 0.3 and more."""
GAIN = 0.2
"""Share of the objects that a renaming must put right to leave no doubt."""
ABOVE_ONE = 1.001


@dataclass(frozen=True)
class _Case:
    """What the checks look at; each figure is computed once."""

    one: Sample

    @cached_property
    def ap50(self) -> float:
        return class_ap50(self.one)

    @cached_property
    def agnostic(self) -> float:
        return agnostic_ap50(self.one)

    @cached_property
    def naming(self) -> Naming:
        return naming(self.one)

    @cached_property
    def refit(self) -> tuple[float, Misreading]:
        """AP50 of the boxes with the misreading undone after which they fit best, and that; 0 where none may.

        AP is computed only of those that may fit clearly better, which is told by how much of them overlaps objects.
        """
        read = [(one.undo(self.one.table.boxes, self.one.sizes), one) for one in MISREADINGS]
        promising = [
            (boxes, one) for boxes, one in read if highest_ap50(self.one, boxes) >= self.clearly_better
        ]
        fits = [(agnostic_ap50(self.one, boxes), one) for boxes, one in promising]
        return max(fits, key=lambda fit: fit[0], default=(0.0, MISREADINGS[0]))

    @cached_property
    def clearly_better(self) -> float:
        """AP50 from which on another reading of the boxes is worth a word."""
        return max(CLEARLY, BETTER * self.agnostic, self.agnostic + CLEARLY / 2)

    @cached_property
    def misplaced(self) -> bool:
        """Whether another reading of the boxes fits better."""
        return self.refit[0] >= self.clearly_better


def doubts(truth: GroundTruth, table: DetectionTable, image_ids: Collection[int]) -> tuple[Check, ...]:
    """Look for contradictions between detections and annotations.

    Args:
        truth: The annotations of the categories that are evaluated.
        table: The detections.
        image_ids: The evaluated images.
    """
    known = DetectionTable(table.rows[np.isin(table.category_ids, list(truth.categories))])
    one = sample(truth, known, tuple(image_ids))
    if not len(known):
        return tuple(_nothing_found(truth, image_ids))
    if one.n_objects < FEWEST_OBJECTS:
        return ()
    case = _Case(one)
    return tuple(doubt for check in CHECKS for doubt in check(case))


def _nothing_found(truth: GroundTruth, image_ids: Collection[int]) -> Iterator[Check]:
    there = np.isin(truth.image_ids, list(image_ids)) & ~truth.crowd
    n_objects, n_images = int(there.sum()), len(np.unique(truth.image_ids[there]))
    if n_objects >= FEWEST_OBJECTS:
        yield Check(
            name="nothing found",
            verdict=verdict(certain=n_images >= FEWEST_IMAGES),
            figures={"detections": 0, "images": n_images, "objects": n_objects},
            words=f"there is no detection of these classes on {n_images} images with {n_objects} objects",
            command=PROBE,
        )


def _scores(case: _Case) -> Iterator[Check]:
    highest = float(case.one.table.scores.max())
    if highest > ABOVE_ONE:
        yield Check(
            name="scores above 1",
            verdict="certain",
            figures={"highest_score": highest},
            words=f"scores go up to {highest:.3g} where a confidence ends at 1, so the outputs' order or activation is "
            "read wrongly",
            remedy="see the card's [decoder] order and activation",
            command=PROBE,
        )


def _coordinates(case: _Case) -> Iterator[Check]:
    fit, misreading = case.refit
    if case.misplaced:
        yield Check(
            name="coordinates read wrongly",
            verdict=verdict(certain=fit >= CERTAIN and case.agnostic <= fit / 3),
            figures={"ap50_any_class": case.agnostic, "ap50_any_class_otherwise": fit},
            words=f"the boxes fit better {misreading.words}, AP50 {fit:.3f} instead of {case.agnostic:.3f} whatever "
            "the classes",
            remedy=f"see {misreading.look_at}",
            command=PROBE,
        )


def _labels(case: _Case) -> Iterator[Check]:
    called = case.naming
    renamed = called.renamed() if called.n_found >= FEWEST_OBJECTS else {}
    low = case.ap50 <= case.agnostic / 3 and case.agnostic >= CLEARLY
    if len(renamed) < 2 and not low:
        return
    certain = case.agnostic >= CERTAIN and case.ap50 <= case.agnostic / 5
    yield Check(
        name="labels read wrongly",
        verdict=verdict(certain=certain or (len(renamed) >= 2 and called.gain() >= GAIN)),
        figures={"ap50": case.ap50, "ap50_any_class": case.agnostic, "named_rightly": called.right},
        words=f"AP50 is {case.ap50:.3f}, and {case.agnostic:.3f} whatever the classes{_mixed_up(case, renamed)}",
        remedy="see the card's [labels] names, ids and offset",
        command=PROBE,
    )


def _mixed_up(case: _Case, renamed: dict[int, int]) -> str:
    names = case.one.truth.categories
    pairs = [f"{names[of]} is called {names[called]}" for of, called in renamed.items() if called in names]
    return (
        f"; of {case.naming.n_found} objects with a box on them {case.naming.right:.0%} have the right name"
        + (f" ({first_few(pairs)})" if pairs else "")
    )


def _chance(case: _Case) -> Iterator[Check]:
    """Compare with the same boxes on other images: what fits no better than these says nothing of the image."""
    if len(case.one.image_ids) < FEWEST_IMAGES or case.misplaced:
        return
    chance = agnostic_ap50(_dealt_anew(case.one))
    if case.agnostic > max(2 * chance, chance + NEARLY_NOTHING / 2):
        return
    n_images, n_objects = len(case.one.image_ids), case.one.n_objects
    yield Check(
        name="no better than chance",
        verdict="certain",
        figures={"ap50_any_class": case.agnostic, "ap50_of_other_images": chance, "images": n_images},
        words=f"the boxes fit no better than those of other images, AP50 {case.agnostic:.3f}, and {chance:.3f} after "
        f"dealing them to other images ({n_images} images, {n_objects} objects)",
        command=PROBE,
    )


def _dealt_anew(one: Sample) -> Sample:
    """Give each image the detections of the next one, scaled to its size where that is known."""
    ids = np.array(one.image_ids, np.int64)
    place = np.searchsorted(ids, one.table.image_ids)
    rows = one.table.rows.copy()
    rows[:, 0] = ids[(place + 1) % len(ids)]
    return Sample(one.truth, DetectionTable(rows), one.image_ids, one.sizes)


def _nearly_nothing(case: _Case) -> Iterator[Check]:
    n_images, n_objects = len(case.one.image_ids), case.one.n_objects
    if n_images >= FEWEST_IMAGES and case.ap50 < NEARLY_NOTHING:
        yield Check(
            name="nearly nothing found",
            verdict="doubtful",
            figures={"ap50": case.ap50, "images": n_images, "objects": n_objects},
            words=f"AP50 is {case.ap50:.3f} on {n_images} images with {n_objects} objects, which is next to nothing",
            command=PROBE,
        )


CHECKS: tuple[Callable[[_Case], Iterator[Check]], ...] = (
    _scores,
    _coordinates,
    _labels,
    _chance,
    _nearly_nothing,
)
"""The most certain first."""
