"""Tell of two rows whether the mAP of one is shown to be the higher one, by the detections of both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.comparison.accuracy import AnnotationFinder, accuracy_difference
from harness.comparison.match import RecordPair
from harness.records.records import StoredRecord
from harness.rows import pareto
from harness.rows.pareto import Row

MOST_IMAGES = 10_000
"""Images of all pairs together that a table compares: some seconds. Beyond, only intervals that lie apart show."""
_KEY = ("run_id", "model", "model_sha256", "device", "delegate_requested")


class PairedAccuracy:
    """Whether one of two rows is shown to be the more accurate: each pair is computed once.

    Args:
        stored: The records of the rows, which may be in any order.
    """

    def __init__(self, stored: Sequence[StoredRecord]) -> None:
        self._stored = {
            (r.run_id, r.model.name, r.model.sha256, r.device.name, r.delegate.requested): one
            for one in stored
            for r in (one.record,)
        }
        self._annotations = AnnotationFinder()
        self._left = MOST_IMAGES
        self._found: dict[tuple[tuple[Any, ...], tuple[Any, ...]], bool] = {}

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
    def pairs(self) -> list[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """The pairs of which the first was shown to be the more accurate by its detections alone."""
        return [pair for pair, is_better in self._found.items() if is_better]

    def _is_better(self, first: tuple[Any, ...], second: tuple[Any, ...], n_images: int) -> bool:
        new, base = self._stored.get(first), self._stored.get(second)
        if new is None or base is None or n_images > self._left:
            return False
        self._left -= n_images
        return accuracy_difference(RecordPair(base, new), self._annotations).decision == "better"


def row_key(row: Row) -> tuple[Any, ...]:
    """Return what tells a row from all others."""
    return tuple(row[name] for name in _KEY)
