"""Mix detections: take some parts of them from the float model and the others from the quantized one.

Where both models have raw heads, the tensors are mixed candidate by candidate before suppression. A candidate's scores
are split in two: its best score (`scores`: it ranks the detections), and the ratios of its classes' scores (`labels`:
they choose the class). Where candidates do not correspond, finished detections are mixed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from harness.accuracy.boxes import pairwise_overlaps
from harness.detectors.base import Detections
from harness.detectors.heads import Candidates
from harness.detectors.nms import Floats, NmsSettings, greatest_of_rows, least_needed
from harness.diagnosis.loss.shapley import Subset

CANDIDATE_PARTS = ("scores", "boxes", "labels", "missed")
DETECTION_PARTS = ("scores", "boxes", "labels", "missed", "extra")
PASSES = ((True, 0.5), (False, 0.5), (True, 0.1))
"""How detections are paired: first those of one class that overlap by half, then any that do, then, for boxes that
came out far too large or small, those of one class that overlap at all."""
_Pairs = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


@dataclass(frozen=True)
class CandidateMixer:
    """Mixer of the candidates of one image.

    Attributes:
        first: Those of the float model.
        second: Those of the quantized model; as many boxes and classes.
        threshold: Score below which the float model's suppression drops a candidate.
    """

    first: Candidates
    second: Candidates
    threshold: float

    def mix(self, quantized: Subset) -> Candidates:
        """Return candidates with the parts `quantized` of the quantized model and the others of the float model."""
        boxes = (self.second if "boxes" in quantized else self.first).boxes
        labels = "labels" in quantized
        own, best = (self.second if labels else self.first), self._best_of_labels[labels]
        # `missed` decides where only one of the models has the candidate at all, `scores` everywhere else.
        weights = self._weights[labels]["scores" in quantized]
        if ("scores" in quantized) != ("missed" in quantized):
            weights = weights.copy()
            weights[self._differ] = self._weights[labels]["missed" in quantized][self._differ]
        return Candidates(boxes, own.scores, weights, best)

    @cached_property
    def _weights(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """The weights that bring a model's scores to the levels of a model, by whose scores, then by whose levels."""
        (a, b), (first, second) = self._levels, self._best_of_labels
        # Where level and classes are of one model nothing is computed, so that no digit of its scores changes.
        return (
            (_own_weights(self.first, first), _scaled(b, first)),
            (_scaled(a, second), _own_weights(self.second, second)),
        )

    @cached_property
    def _best_of_labels(self) -> tuple[Floats, Floats]:
        """Each candidate's greatest score, without its weight: the float model's, the quantized one's."""
        return greatest_of_rows(self.first.scores), greatest_of_rows(self.second.scores)

    @cached_property
    def _levels(self) -> tuple[Floats, Floats]:
        """Each candidate's best score: the float model's, the quantized one's."""
        return best_scores(self.first), best_scores(self.second)

    @cached_property
    def _differ(self) -> npt.NDArray[np.intp]:
        """Candidates that only one of the models has."""
        least = np.float32(max(self.threshold, float(np.finfo(np.float32).tiny)))
        a, b = (np.greater_equal(levels, least) for levels in self._levels)
        return np.flatnonzero(np.not_equal(a, b))

    @property
    def same_candidates(self) -> bool:
        """Whether both models have the same candidates above the threshold, so that `missed` changes nothing."""
        return not self._differ.size

    def is_too_low(
        self, other: Candidates, mixed: Candidates, kept: Detections, settings: NmsSettings
    ) -> bool:
        """Tell whether what is kept of another mixture, with or without `missed`, is the same.

        It is where what `missed` changes scores less, in both mixtures, than what suppression took last: candidates are
        taken by falling score until there are enough.

        Args:
            other: The other mixture: `missed` is all that differs.
            mixed: The mixture.
            kept: What suppression kept of it.
            settings: Those of the suppression.
        """
        least, rows = least_needed(kept.scores, mixed.scores.shape[1], settings), self._differ
        if least is None:
            return False
        best = self._best_of_labels[mixed.scores is self.second.scores][rows]
        weights = [one.weights for one in (other, mixed)]
        return all(w is not None and bool(((w[rows] >= 0) & (best * w[rows] < least)).all()) for w in weights)


def drop_low_candidates(
    first: Candidates, second: Candidates, threshold: float
) -> tuple[Candidates, Candidates]:
    """Drop the candidates that both models score below the threshold: no mixture of them would be kept."""
    rows = np.flatnonzero(np.maximum(best_scores(first), best_scores(second)) >= np.float32(threshold))
    chosen = [
        Candidates(
            model.boxes[rows], model.scores[rows], None if model.weights is None else model.weights[rows]
        )
        for model in (first, second)
    ]
    return chosen[0], chosen[1]


def _own_weights(found: Candidates, best: Floats) -> Floats:
    return np.ones_like(best) if found.weights is None else found.weights.astype(np.float32)


def _scaled(levels: Floats, best: Floats) -> Floats:
    """Return the weights that bring scores, of which the best are given, to other levels."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(best > 0, levels / best, np.float32(0)).astype(np.float32)


def best_scores(found: Candidates) -> Floats:
    """Return each candidate's best score, float32 [N]; 0 where it is no number."""
    best = greatest_of_rows(found.scores)
    best = best if found.weights is None else best * found.weights
    values: Floats = np.nan_to_num(best, nan=0.0)
    return values


@dataclass(frozen=True)
class DetectionMixer:
    """Mixer of the detections of one image, float64 [N, 7] rows of a detection table each.

    Attributes:
        first: Those of the float model.
        second: Those of the quantized model.
        pairs: Rows of the first and of the second that were paired.
    """

    first: npt.NDArray[np.float64]
    second: npt.NDArray[np.float64]
    pairs: _Pairs

    def mix(self, quantized: Subset) -> npt.NDArray[np.float64]:
        """Return rows with the parts `quantized` of the quantized model and the others of the float model."""
        of_first, of_second = self.pairs
        rows = self.first[of_first].copy()
        for part, columns in (("boxes", slice(1, 5)), ("scores", slice(5, 6)), ("labels", slice(6, 7))):
            if part in quantized:
                rows[:, columns] = self.second[of_second, columns]
        places = [of_second if "scores" in quantized else of_first]
        parts = [rows]
        for part, own, paired, wanted in (
            ("missed", self.first, of_first, False),
            ("extra", self.second, of_second, True),
        ):
            if (part in quantized) is wanted:
                alone = np.setdiff1d(np.arange(len(own)), paired)
                parts.append(own[alone])
                places.append(alone)
        # Equal scores are ranked as they stand: nothing swapped, and all swapped, keep the order of their side.
        return np.concatenate(parts)[np.argsort(np.concatenate(places), kind="stable")]


def pair_detections(first: npt.NDArray[np.float64], second: npt.NDArray[np.float64]) -> _Pairs:
    """Pair the detections of one image by overlap, each at most once: see `PASSES`.

    Args:
        first: float64 [N, 7], rows of a detection table.
        second: float64 [M, 7].
    """
    overlap = pairwise_overlaps(first[:, 1:5], second[:, 1:5])
    same = first[:, 6][:, None] == second[:, 6][None]
    free_first, free_second = np.ones(len(first), np.bool_), np.ones(len(second), np.bool_)
    chosen: list[tuple[int, int]] = []
    for same_class, least in PASSES:
        i, j = np.nonzero((overlap >= least) & (same | (not same_class)))
        for k in np.argsort(-overlap[i, j], kind="stable"):
            if free_first[i[k]] and free_second[j[k]]:
                free_first[i[k]] = free_second[j[k]] = False
                chosen.append((int(i[k]), int(j[k])))
    found = np.array(sorted(chosen), np.intp).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def rows_of(table: npt.NDArray[np.float64], image_ids: Sequence[int]) -> list[npt.NDArray[np.float64]]:
    """Split a table's rows by image, in the order of `image_ids`."""
    order = np.argsort(table[:, 0], kind="stable")
    ids = table[order, 0]
    return [
        table[order[np.searchsorted(ids, one, "left") : np.searchsorted(ids, one, "right")]]
        for one in image_ids
    ]
