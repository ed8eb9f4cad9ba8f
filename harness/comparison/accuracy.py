"""Compute the difference of two cells' mAPs on the same images, from their stored detections."""

from __future__ import annotations

import filecmp
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness.comparison.match import RecordPair
from harness.errors import HarnessError, RecordError
from harness.paths import found_in, is_file
from harness.records.records import AccuracyFacts, StoredRecord, load_run
from harness.vocabulary import NO_ACCURACY
from harness.workspace import Workspace

if TYPE_CHECKING:
    from harness.accuracy.annotations import GroundTruth

AccuracyDecision = Literal["better", "worse", "~"]
SIGNIFICANCE = 0.05


@dataclass(frozen=True)
class AccuracyDifference:
    """The difference of the new cell's mAP to the base's.

    `low` and `high` bound `change` (new less base) with 95 % over images; unknown is None and `reason` says why.
    `other_images` says that both have a mAP, but not of the same images.
    """

    change: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    decision: AccuracyDecision = "~"
    reason: str = ""
    other_images: bool = False


@dataclass
class AnnotationFinder:
    """Finder of the annotations that records were evaluated on; reads each file once.

    Attributes:
        datasets: Folders or cards of datasets that the user named.
        workspace: Workspace whose model cards name datasets, too; None for none.
    """

    datasets: tuple[Path, ...] = ()
    workspace: Workspace | None = None
    _by_path: dict[Path, GroundTruth | None] = field(default_factory=dict)

    def find(self, stored: StoredRecord) -> GroundTruth | None:
        """Return the annotations with the hash that the record states; None where they are not found."""
        assert stored.record.accuracy is not None
        wanted = stored.record.accuracy.annotations_sha256
        for path in dict.fromkeys(self._places(stored)):
            truth = self._read(path)
            if truth is not None and truth.sha256 == wanted:
                return truth
        return None

    def _places(self, stored: StoredRecord) -> Iterator[Path]:
        yield from self.datasets
        request = _request(stored)
        if request.get("dataset"):
            yield Path(request["dataset"])
        named = stored.record.model.card.get("dataset")
        if not isinstance(named, dict):
            return
        if self.workspace is not None:
            yield self.workspace.models / str(named.get("path"))
        if request.get("workspace"):
            yield Path(request["workspace"]) / "models" / str(named.get("path"))

    def _read(self, path: Path) -> GroundTruth | None:
        if path not in self._by_path:
            self._by_path[path] = _read(path)
        return self._by_path[path]


def _request(stored: StoredRecord) -> dict[str, Any]:
    try:
        return load_run(stored.folder.parent.parent).request
    except HarnessError:
        return {}


def _read(path: Path) -> GroundTruth | None:
    """Read the annotations of a dataset, whose images may be absent."""
    from harness.accuracy.annotations import read_annotations
    from harness.accuracy.dataset import read_truth_of_card

    try:
        return (
            read_truth_of_card(path) if path.suffix == ".toml" else read_annotations(_annotations_file(path))
        )
    except (HarnessError, OSError):
        return None


def _annotations_file(path: Path) -> Path:
    if is_file(path):
        return path
    return next(
        (file for part in (path, path / "annotations") for file in found_in(part, "instances*.json")), path
    )


def accuracy_difference(pair: RecordPair, annotations: AnnotationFinder) -> AccuracyDifference:
    """Compare the mAPs of two cells on the same images."""
    problem = _problem(pair)
    apart = problem or _other_images(pair)
    if apart:
        return AccuracyDifference(None, reason=apart, other_images=not problem)
    change = _map(pair.new) - _map(pair.base)
    try:
        files = _detections(pair.base, "base"), _detections(pair.new, "new")
    except RecordError as error:
        return AccuracyDifference(change, reason=str(error))
    if filecmp.cmp(files[0], files[1], shallow=False):
        return AccuracyDifference(0.0, 0.0, 0.0, 1.0, reason="the same detections to the last digit")
    truth = annotations.find(pair.new) or annotations.find(pair.base)
    if truth is None:
        return AccuracyDifference(
            change,
            reason="the annotations are not where they were, so chance is unknown: name the dataset with --dataset",
        )
    evaluated = [_evaluated(side) for side in (pair.base, pair.new)]
    if evaluated[0] != evaluated[1]:
        return AccuracyDifference(
            change, reason="the two mAPs are averages over other categories: give both the same --classes"
        )
    if evaluated[0]:
        truth = truth.of_categories([id_ for id_, name in truth.categories.items() if name in evaluated[0]])
    return _paired(truth, files[0], files[1], pair)


def _detections(stored: StoredRecord, side: str) -> Path:
    """Return the file with one side's detections.

    Raises:
        RecordError: It was not kept, or is damaged.
    """
    file = stored.intact_detections()
    if file is None or not is_file(file):
        raise RecordError(f"the detections of the {side} were not kept")
    return file


def _evaluated(stored: StoredRecord) -> frozenset[str]:
    """Return the names of the categories that a cell's mAP is the average over; none where the record has none."""
    accuracy = stored.record.accuracy
    return frozenset(() if accuracy is None else accuracy.ap_per_category)


def _problem(pair: RecordPair) -> str:
    for side, stored in (("base", pair.base), ("new", pair.new)):
        record = stored.record
        if record.status in NO_ACCURACY:
            return f"{side} has no mAP of its own: its status is {record.status}"
        if record.accuracy is None or record.accuracy.figures is None or record.accuracy.figures.map is None:
            return f"{side} has no mAP{_why(record.accuracy)}"
    return ""


def _other_images(pair: RecordPair) -> str:
    """Say how the images differ that the two were run over, whatever they were asked for; nothing where none does."""
    base, new = pair.base.record.accuracy, pair.new.record.accuracy
    assert base is not None and new is not None
    if base.annotations_sha256 != new.annotations_sha256:
        names = f"{base.dataset} and {new.dataset}"
        return f"the two mAPs are of different annotations ({names}): evaluate both on one dataset"
    if _n_planned(base) != _n_planned(new):
        counts = f"{_n_planned(base)} images of the base, {_n_planned(new)} of the new"
        return f"the two mAPs are of other images ({counts}): give both the same --limit"
    return ""


def _n_planned(accuracy: AccuracyFacts) -> int:
    """Return how many images a cell was run over: the first by id, those that were unreadable too."""
    return accuracy.n_images + len(accuracy.unreadable_ids)


def _why(accuracy: AccuracyFacts | None) -> str:
    if accuracy is None:
        return ": it was not measured"
    return f": {'; '.join(accuracy.reasons) or accuracy.status}"


def _map(stored: StoredRecord) -> float:
    accuracy = stored.record.accuracy
    assert accuracy is not None and accuracy.figures is not None and accuracy.figures.map is not None
    return accuracy.figures.map


def _paired(truth: GroundTruth, base: Path, new: Path, pair: RecordPair) -> AccuracyDifference:
    from harness.accuracy.bootstrap import paired_difference
    from harness.accuracy.detections import load_detections

    ids = _images(truth, pair)
    try:
        found = paired_difference(truth, load_detections(base), load_detections(new), ids)
    except HarnessError as error:
        return AccuracyDifference(None, reason=str(error))
    return AccuracyDifference(
        found.difference, found.low, found.high, found.p, *_decide(found.difference, found.p)
    )


def _images(truth: GroundTruth, pair: RecordPair) -> list[int]:
    """Return the images that both were run over: the first by id, less those that were unreadable."""
    parts = (pair.base.record.accuracy, pair.new.record.accuracy)
    assert parts[1] is not None
    ids = sorted(image.id for image in truth.images)[: _n_planned(parts[1])]
    left_out = {number for part in parts if part is not None for number in part.unreadable_ids}
    return [number for number in ids if number not in left_out]


def _decide(change: float | None, p: float | None) -> tuple[AccuracyDecision, str]:
    if change is None or p is None:
        return "~", "too few images to know what chance does"
    if p >= SIGNIFICANCE:
        return "~", f"no difference shown (p = {p:.2g})"
    return ("better" if change > 0 else "worse"), ""
