"""Tell of two rows whether the mAP of one is shown to be the higher one, by the detections of both."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from harness.rows import pareto
from harness.rows.frame import KEY, CellKey, Results
from harness.rows.pareto import Row

if TYPE_CHECKING:
    from harness.comparison.accuracy import AnnotationFinder

MOST_IMAGES = 10_000
"""Images of all pairs together that a table compares: some seconds. Beyond, only intervals that lie apart show."""


class PairedAccuracy:
    """Whether one of two rows is shown to be the more accurate: each pair is computed once.

    Args:
        results: Where the records of the rows are.
    """

    def __init__(self, results: Results) -> None:
        self._results = results
        self._left = MOST_IMAGES
        self._found: dict[tuple[CellKey, CellKey], bool] = {}

    def __call__(self, first: Row, second: Row) -> bool:
        """Whether the mAP of the first row is shown to be higher than that of the second."""
        if pareto.more_accurate(first, second):
            return True
        if first["map"] <= second["map"]:
            return False
        key = row_key(first), row_key(second)
        if key not in self._found:
            self._found[key] = self._is_better(*key, first["n_images"] or 0)
        return self._found[key]

    @property
    def pairs(self) -> list[tuple[CellKey, CellKey]]:
        """The pairs of which the first was shown to be the more accurate by its detections alone."""
        return [pair for pair, is_better in self._found.items() if is_better]

    @cached_property
    def _annotations(self) -> AnnotationFinder:
        from harness.comparison.accuracy import AnnotationFinder

        return AnnotationFinder()

    def _is_better(self, first: CellKey, second: CellKey, n_images: int) -> bool:
        if n_images > self._left:
            return False
        new, base = self._results.find(first), self._results.find(second)
        if new is None or base is None:
            return False
        from harness.comparison.accuracy import accuracy_difference
        from harness.comparison.match import RecordPair

        self._left -= n_images
        return accuracy_difference(RecordPair(base, new), self._annotations).decision == "better"


def row_key(row: Row) -> CellKey:
    """Return what tells a row from all others."""
    return tuple(row[name] for name in KEY)
