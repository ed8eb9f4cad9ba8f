"""Which class a model gives the objects that its boxes lie on: names that are mixed up show as a renaming."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np

from harness.accuracy.agnostic import Sample
from harness.accuracy.boxes import overlaps
from harness.accuracy.scene import THRESHOLDS

FEWEST = 5
"""Objects of a class from which on a renaming of it is believed."""
MOSTLY = 0.6
SELDOM = 0.2


@dataclass(frozen=True)
class Naming:
    """What the best detection on each object calls it.

    Attributes:
        counts: Objects by (their category, that of the detection).
    """

    counts: Counter[tuple[int, int]]

    @property
    def n_found(self) -> int:
        """Objects with a detection on them."""
        return self.counts.total()

    @property
    def right(self) -> float:
        """Share of them whose detection has their category."""
        return self._share({of: of for of, _ in self.counts})

    def renaming(self) -> dict[int, int]:
        """Return which category's objects are called what, one to one, the most frequent pairs first."""
        pairs: dict[int, int] = {}
        for (of, called), _ in self.counts.most_common():
            if of not in pairs and called not in pairs.values():
                pairs[of] = called
        return pairs

    def renamed(self) -> dict[int, int]:
        """Return the categories of which most objects are called by one other name and few by their own."""
        return {
            of: called for of, called in self.renaming().items() if called != of and self._sure(of, called)
        }

    def gain(self) -> float:
        """Return how many more of the objects are named rightly after the renaming, as a share."""
        return self._share(self.renaming()) - self.right

    def _share(self, pairs: dict[int, int]) -> float:
        return sum(self.counts[pair] for pair in pairs.items()) / max(self.n_found, 1)

    def _sure(self, of: int, called: int) -> bool:
        n = sum(count for (category, _), count in self.counts.items() if category == of)
        return n >= FEWEST and self.counts[of, called] >= MOSTLY * n and self.counts[of, of] <= SELDOM * n


def naming(one: Sample) -> Naming:
    """Count what the detection with the best score on each object calls it; an overlap of 0.5 is on it."""
    detections, objects = one.pairs
    boxes, no_crowd = one.table.boxes[detections], np.zeros(len(objects), np.bool_)
    on = overlaps(boxes, one.truth.boxes[objects], no_crowd) >= THRESHOLDS[0]
    detections, objects = detections[on], objects[on]
    best_first = np.argsort(-one.table.scores[detections], kind="stable")
    found, first = np.unique(objects[best_first], return_index=True)
    called = one.table.category_ids[detections[best_first[first]]]
    by_image = np.argsort(one.truth.image_ids[found], kind="stable")
    categories = one.truth.category_ids[found]
    return Naming(Counter(zip(categories[by_image].tolist(), called[by_image].tolist(), strict=True)))
