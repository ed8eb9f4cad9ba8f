"""Collect precision–recall curves and worst images, of cells whose detections, annotations and images are available.

Rules: the annotations must be those of the record (same hash). The first `MOST_GALLERIES` of the cells also show
images. Cells without available data are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.coco_engines import Curves
from harness.accuracy.curves import run
from harness.accuracy.dataset import Dataset, find_dataset, read_truth
from harness.accuracy.detections import load_detections
from harness.errors import HarnessError
from harness.records import records
from harness.records.records import StoredRecord
from harness.report.html import thumbnails
from harness.rows.frame import Results
from harness.units import metric
from harness.workspace import find_workspace

MOST_GALLERIES = 4
_OVERLAPS = {"0.50": 0, "0.75": 5}
"""IoU thresholds to show, with their places in COCO's ten."""


@dataclass
class Datasets:
    """Datasets and annotations, each read once."""

    found: dict[Path, Dataset | None] = field(default_factory=dict)
    truths: dict[Path, GroundTruth] = field(default_factory=dict)

    def of(self, stored: StoredRecord) -> Dataset | None:
        """Return the dataset that a record was measured on; None where it is not available or was changed."""
        facts = stored.record.accuracy
        for path in _places(stored):
            if path not in self.found:
                self.found[path] = _read(path)
            dataset = self.found[path]
            if dataset and facts and dataset.annotations_sha256 == facts.annotations_sha256:
                return dataset.limited(facts.n_images + len(facts.unreadable)).without(facts.unreadable_ids)
        return None

    def truth(self, dataset: Dataset) -> GroundTruth:
        """Return the annotations of a dataset."""
        if dataset.annotations not in self.truths:
            self.truths[dataset.annotations] = read_truth(dataset)
        return self.truths[dataset.annotations]


def document(results: Results, chosen: Iterable[tuple[int, Path]]) -> dict[str, Any]:
    """Return the curves and images by the index of their cell, of cells with their files of detections."""
    curves: dict[int, Any] = {}
    worst: dict[int, Any] = {}
    datasets = Datasets()
    for index, path in chosen:
        try:
            dataset = datasets.of(results.records[index])
            if dataset is None:
                continue
            truth, table = datasets.truth(dataset), load_detections(path)
            curves[index] = _curves(run("harness", truth, table, dataset.image_ids))
            if len(worst) < MOST_GALLERIES:
                worst[index] = thumbnails.worst(dataset, truth, table)
        except HarnessError:
            continue
    return {"curves": curves, "worst": {index: images for index, images in worst.items() if images}}


def _curves(curves: Curves) -> list[dict[str, Any]]:
    """Return precision at COCO's 101 recalls, the mean over the classes with annotations, for all areas."""
    told = []
    for iou, place in _OVERLAPS.items():
        by_class = curves.precision[place, :, :, 0]
        known = by_class[:, (by_class > -1).all(axis=0)]
        if known.size:
            mean = known.mean(axis=1)
            told.append({"iou": iou, "ap": metric(float(mean.mean())), "precision": mean.round(3).tolist()})
    return told


def _places(stored: StoredRecord) -> Iterator[Path]:
    """Yield the places where the dataset may be: the run's own path, then that of the model's card."""
    try:
        request = records.load_run(stored.folder.parent.parent).request
        if request.get("dataset"):
            yield Path(request["dataset"])
        named = (stored.record.model.card.get("dataset") or {}).get("path")
        if named:
            folder = (
                Path(request["workspace"]) if request.get("workspace") else find_workspace().models.parent
            )
            yield folder / "models" / named
    except (HarnessError, AttributeError, TypeError):
        return


def _read(path: Path) -> Dataset | None:
    try:
        return find_dataset(path)
    except (HarnessError, OSError):
        return None
