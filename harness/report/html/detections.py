"""Choose the cells whose detections the page looks into.

Rule: those with the highest mAP come first, until `MOST_CURVES` cells are chosen or `MOST_BYTES` are to be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.errors import RecordError
from harness.paths import is_file, size_of
from harness.records.records import StoredRecord
from harness.vocabulary import MEASURED

MOST_CURVES, MOST_BYTES = 16, 40_000_000


def with_detections(stored: Sequence[tuple[int, StoredRecord]]) -> Iterator[tuple[int, Path]]:
    """Yield the cells with detections and their files, the highest mAP first, as many as the rule allows."""
    known = [(index, one, _intact(one)) for index, one in stored if one.record.status in MEASURED]
    scored = [(index, _map(one), path) for index, one, path in known if path is not None and is_file(path)]
    read = 0
    for index, _, path in sorted(scored, key=lambda entry: -entry[1])[:MOST_CURVES]:
        read += size_of(path)
        if read > MOST_BYTES:
            return
        yield index, path


def _intact(stored: StoredRecord) -> Path | None:
    """Return the detections of a cell; None also where they are damaged, which stands in its row."""
    try:
        return stored.intact_detections()
    except RecordError:
        return None


def _map(stored: StoredRecord) -> float:
    facts = stored.record.accuracy
    return -1.0 if facts is None or facts.figures is None or facts.figures.map is None else facts.figures.map
