"""Attribute the loss to parts that add up to it, by swapping parts of the two models' outputs.

Every combination of the two models' boxes, scores, labels … is evaluated, and the loss is shared among the parts as
`harness.diagnosis.loss.shapley` says. What the real models lose beyond the combinations is `unexplained`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from harness.accuracy.bootstrap import contrasts
from harness.accuracy.detections import DetectionTable
from harness.accuracy.matches import match
from harness.accuracy.pipeline import ImageDetections, Recipe
from harness.accuracy.worst import best_threshold
from harness.detectors.base import Detections as KeptDetections
from harness.detectors.heads import Candidates, keep
from harness.detectors.nms import Overlaps
from harness.diagnosis.loss import shapley
from harness.diagnosis.loss.candidates import OpenedHeads, Readers
from harness.diagnosis.loss.loss import Loss
from harness.diagnosis.loss.mixing import (
    CANDIDATE_PARTS,
    DETECTION_PARTS,
    CandidateMixer,
    DetectionMixer,
    drop_low_candidates,
    pair_detections,
    rows_of,
)
from harness.diagnosis.loss.shapley import Subset
from harness.diagnosis.runs.changes import ImageOutputs
from harness.diagnosis.runs.model_pair import ModelPair
from harness.diagnosis.runs.runs import Runs, as_table

Method = Literal["raw heads", "matched detections"]


@dataclass(frozen=True)
class Part:
    """One part of the loss.

    Attributes:
        name: `scores`, `boxes`, `labels`, `missed`, `extra`, `settings` or `unexplained`.
        loss: mAP that is lost through it; negative where it helps.
        low: Lower end of its 95 % interval over images; None where there is none.
        high: Upper end.
        alone: mAP that is lost when only this part is the quantized model's and all else the float model's.
        rest: mAP that is lost when this part is the float model's and all else the quantized model's.
        meaning: Its meaning, in words.
    """

    name: str
    loss: float
    low: float | None
    high: float | None
    alone: float | None
    rest: float | None
    meaning: str


@dataclass(frozen=True)
class SizeLoss:
    """How much AP is lost on objects of one size: `small` (area < 32² px), `medium` or `large` (> 96²)."""

    name: str
    float_ap: float | None
    quantized_ap: float | None
    loss: float | None


@dataclass(frozen=True)
class Attribution:
    """The parts of the loss of mAP.

    Attributes:
        method: `raw heads` swaps tensors before suppression, candidate by candidate; `matched detections` swaps
            boxes, scores and labels of detections that were paired by overlap.
        reason: Why this method.
        total: mAP that was lost: float less quantized.
        parts: They add up to `total`, the last of them, `unexplained`, included.
        sizes: AP by the size of the objects.
        lost: Number of objects that the float model finds at IoU 0.5 and the quantized one does not.
        gained: Number of objects that only the quantized model finds.
        n_objects: Number of objects in the annotations.
    """

    method: Method
    reason: str
    total: float
    parts: tuple[Part, ...]
    sizes: tuple[SizeLoss, ...]
    lost: int
    gained: int
    n_objects: int

    def part(self, name: str) -> Part | None:
        """Return a part by its name; None where there is no such part."""
        return next((part for part in self.parts if part.name == name), None)


MEANINGS = {
    "scores": "how high the scores are: the ranking",
    "boxes": "where the boxes are",
    "labels": "which class a box is given",
    "missed": "candidates that only the float side has",
    "extra": "detections only the quantized side has",
    "settings": "score threshold, NMS and label numbers",
    "unexplained": "post-processing, reading of the outputs",
}
_MATCHED = {"missed": "detections that only the float side has"}
SIZES = ("small", "medium", "large")
_ROUNDING = 1e-12
Tables = dict[Subset, DetectionTable]


def attribute_loss(pair: ModelPair, runs: Runs, loss: Loss, heads: OpenedHeads) -> Attribution | None:
    """Share the loss among its parts; None without a float model, or without anything to average.

    Raises:
        JobError: A model failed.
    """
    if (
        pair.float is None
        or loss.float is None
        or loss.difference is None
        or loss.difference.difference is None
    ):
        return None
    readers, reason = heads.readers, heads.reason
    names, tables = _mix_detections(loss) if readers is None else _mix_candidates(readers, runs)
    method: Method = "matched detections" if readers is None else "raw heads"
    parts = _parts(names, tables, loss, runs, method)
    lost, gained, n_objects = _objects(loss, runs)
    total = -loss.difference.difference
    return Attribution(method, reason, total, parts, _sizes(loss), lost, gained, n_objects)


def _mix_detections(loss: Loss) -> tuple[tuple[str, ...], Tables]:
    """Mix finished detections."""
    assert loss.float is not None
    ids = loss.quantized.detections.image_ids
    rows = [rows_of(accuracy.detections.table.rows, ids) for accuracy in (loss.float, loss.quantized)]
    mixers = [DetectionMixer(a, b, pair_detections(a, b)) for a, b in zip(*rows, strict=True)]
    return DETECTION_PARTS, {
        subset: DetectionTable(np.concatenate([mixer.mix(subset) for mixer in mixers]))
        for subset in shapley.subsets(DETECTION_PARTS)
    }


def _mix_candidates(readers: Readers, runs: Runs) -> tuple[tuple[str, ...], Tables]:
    """Mix candidates before suppression, image by image."""
    first, second = readers
    differ = first.decoder.settings != second.decoder.settings or first.card.labels != second.card.labels
    names = (*CANDIDATE_PARTS, "settings") if differ else CANDIDATE_PARTS
    everything = shapley.subsets(names)
    recipes = [reader.recipe() for reader in readers]

    def work(raws: tuple[ImageOutputs, ImageOutputs]) -> list[ImageDetections]:
        return _mix_image(raws, readers, recipes, everything)

    pairs = zip(*(runs.raw(reader.model, reader.change) for reader in readers), strict=True)
    by_image = list(runs.in_threads(work, pairs, "swapping parts"))
    tables = [as_table(list(images)) for images in zip(*by_image, strict=True)]
    return names, dict(zip(everything, tables, strict=True))


def _mix_image(
    raws: tuple[ImageOutputs, ImageOutputs],
    readers: Readers,
    recipes: Sequence[Recipe],
    chosen: Sequence[Subset],
) -> list[ImageDetections]:
    """Return one image's detections for every combination."""
    if any(raw.outputs is None or raw.geometry is None for raw in raws):
        nothing = np.empty(0)
        empty = ImageDetections(raws[0].image_id, np.empty((0, 4)), nothing, np.empty(0, np.int64))
        return [empty] * len(chosen)
    found = [reader.decoder.read(raw.outputs or ()) for reader, raw in zip(readers, raws, strict=True)]
    thresholds = [reader.decoder.settings.score_threshold for reader in readers]
    mixer = CandidateMixer(*drop_low_candidates(found[0], found[1], min(thresholds)), thresholds[0])
    same_as: dict[Subset, Subset] = {}
    mixed: dict[Subset, tuple[Candidates, KeptDetections]] = {}
    overlaps: dict[tuple[bool, int], Overlaps] = {}
    for subset in chosen:
        which = int("settings" in subset)
        settings, before = readers[which].decoder.settings, subset - {"missed"}
        same_as[subset] = before
        if before != subset and mixer.same_candidates:
            continue
        candidates = mixer.mix(subset)
        if before == subset or not mixer.is_too_low(candidates, *mixed[before], settings):
            alike = "boxes" in subset, which
            if alike not in overlaps:
                overlaps[alike] = Overlaps(candidates.boxes, settings)
            mixed[subset] = candidates, keep(candidates, settings, overlaps[alike])
            same_as[subset] = subset
    made = _finish(raws, recipes, {subset: kept for subset, (_, kept) in mixed.items()})
    return [made[same_as[one]] for one in chosen]


def _finish(
    raws: tuple[ImageOutputs, ImageOutputs], recipes: Sequence[Recipe], kept: dict[Subset, KeptDetections]
) -> dict[Subset, ImageDetections]:
    """Turn what is kept of the combinations of one image into pixels, with each model's recipe all at once."""
    made: dict[Subset, ImageDetections] = {}
    for which, (raw, recipe) in enumerate(zip(raws, recipes, strict=True)):
        chosen = [subset for subset in kept if ("settings" in subset) == bool(which)]
        if chosen and raw.geometry is not None:
            found = [kept[subset] for subset in chosen]
            made |= zip(chosen, recipe.finish_several(raws[0].image_id, found, raw.geometry), strict=True)
    return made


def _parts(
    names: tuple[str, ...], tables: Tables, loss: Loss, runs: Runs, method: Method
) -> tuple[Part, ...]:
    """Evaluate all combinations and the two real models; return the shares, and what is unexplained."""
    assert loss.float is not None
    chosen = shapley.subsets(names)
    real = [loss.float.detections.table, loss.quantized.detections.table]
    shares = np.pad(shapley.weights(names), ((0, 0), (0, 2)))
    left = -shares.sum(axis=0) + np.array([0.0] * len(chosen) + [1.0, -1.0])
    values, sums = contrasts(
        runs.truth,
        [*(tables[subset] for subset in chosen), *real],
        np.vstack([shares, left]),
        loss.quantized.detections.image_ids,
        known=runs.halves,
    )
    by_subset = dict(zip(chosen, values, strict=False))
    whole = frozenset(names)
    words = {**MEANINGS, **_MATCHED} if method == "matched detections" else MEANINGS
    parts = []
    for name, found in zip((*names, "unexplained"), sums, strict=True):
        alone = _less(by_subset[frozenset()], by_subset.get(frozenset({name})))
        rest = _less(by_subset.get(whole - {name}), by_subset[whole])
        single = (None, None) if name == "unexplained" else (alone, rest)
        low, high = (None if end is None else _clean(end) for end in (found.low, found.high))
        parts.append(Part(name, _clean(found.value or 0.0), low, high, *single, words[name]))
    return tuple(parts)


def _clean(value: float) -> float:
    """Return 0 for the rounding error of a sum of equal numbers."""
    return 0.0 if abs(value) < _ROUNDING else value


def _less(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first - second


def _sizes(loss: Loss) -> tuple[SizeLoss, ...]:
    assert loss.float is not None
    found = []
    for name in SIZES:
        before, after = (getattr(accuracy.figures, f"ap_{name}") for accuracy in (loss.float, loss.quantized))
        found.append(SizeLoss(name, before, after, _less(before, after)))
    return tuple(found)


def _objects(loss: Loss, runs: Runs) -> tuple[int, int, int]:
    """Count the objects that only one of the models finds, at the score at which the float model's F1 is best."""
    assert loss.float is not None
    ids = loss.quantized.detections.image_ids
    found: list[npt.NDArray[np.bool_]] = []
    threshold, n_objects = 0.0, 0
    for accuracy in (loss.float, loss.quantized):
        table = accuracy.detections.table
        matches = match(runs.truth, table, ids)
        threshold = best_threshold(matches, table) if accuracy is loss.float else threshold
        hits = matches.found[0][(table.scores[matches.rows] >= threshold) & (matches.found[0] >= 0)]
        seen = np.zeros(len(runs.truth), np.bool_)
        seen[hits] = True
        found.append(seen)
        n_objects = len(matches.truth_rows)
    return int((found[0] & ~found[1]).sum()), int((found[1] & ~found[0]).sum()), n_objects
