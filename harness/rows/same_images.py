"""Tell whether an accuracy of one's own and a published one are of the same images.

A mAP is a property of a model and of images: on 50 of them it is another number than on 5,000. Two are of the same
images where the names say the same data set and split, and the numbers of images are equal; where that is not shown,
nothing is divided, and a sentence says why.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.records.records import StoredRecord

Row = Mapping[str, Any]
Key = tuple[Any, ...]
_KEY = ("run_id", "started_at", "model", "device", "delegate_requested")
_NO_SPLIT = frozenset({"annotations", "instances"})
"""Words in names of files that say nothing of the images."""


@dataclass(frozen=True)
class Evaluated:
    """What a row was evaluated on, beyond its columns.

    Attributes:
        annotations: Name of the file with the annotations, without its ending: `instances_val2017`; `""` if unknown.
        limited: Whether only the first images were taken; None where that is not known.
        classes: Whether the mAP is the mean over chosen classes.
    """

    annotations: str = ""
    limited: bool | None = None
    classes: bool = False


def evaluated(stored: Iterable[StoredRecord]) -> dict[Key, Evaluated]:
    """Return what each cell was evaluated on, by the key of its row."""
    return {_of_record(one): _facts(one) for one in stored if one.record.accuracy is not None}


def why_other_images(row: Row, figure: Row, known: Mapping[Key, Evaluated]) -> str:
    """Return why two accuracies are not shown to be of the same images; `""` where they are.

    Args:
        row: One's own row.
        figure: The published one.
        known: What is known of one's own rows (`evaluated`).
    """
    own = known.get(tuple(row.get(name) for name in _KEY), Evaluated())
    if not figure["dataset"]:
        return "no mAP ratio: the source does not say of which images its mAP is"
    if own.classes:
        return "no mAP ratio: yours is the mean over chosen classes (--classes), the published one over all"
    if not _same_name(row, own, figure["dataset"]):
        return _different(row, own, figure)
    if figure["n_images"] is not None:
        return "" if row["n_images"] == figure["n_images"] else _different(row, own, figure)
    if own.limited is False:
        return ""
    return f"no mAP ratio: the source does not say of how many images of {figure['dataset']} its mAP is"


def _different(row: Row, own: Evaluated, figure: Row) -> str:
    """Say both data sets, and what would show that they are one."""
    mine = " ".join(filter(None, (row.get("dataset"), own.annotations and f"({own.annotations})")))
    return (
        f"no mAP ratio: the published mAP is of {figure['dataset']}{_count(figure)}, "
        f"yours of {mine or 'images without a name'}{_count(row)}"
    )


def _count(row: Row) -> str:
    n = row.get("n_images")
    return "" if n is None else f", {n:,} images"


def _same_name(row: Row, own: Evaluated, published: str) -> bool:
    """Whether folder, or card, and file say all words of a published name, and the folder no other."""
    name, split, theirs = map(_words, (row.get("dataset") or "", own.annotations, published))
    return theirs <= name | split and name <= theirs | split


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", text.lower().replace("_", " "))) - _NO_SPLIT


def _of_record(stored: StoredRecord) -> Key:
    record = stored.record
    return (
        record.run_id,
        record.started_at,
        record.model.name,
        record.device.name,
        record.delegate.requested,
    )


def _facts(stored: StoredRecord) -> Evaluated:
    accuracy, settings = stored.record.accuracy, stored.record.settings
    assert accuracy is not None
    return Evaluated(
        accuracy.annotations,
        bool(settings["limit"]) if "limit" in settings else None,
        bool(settings.get("classes")),
    )
