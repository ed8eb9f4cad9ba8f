"""What `harness evaluate` prints instead of its one object: the breakdown, the curves, the worst images."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness import units
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.bootstrap import PairedDifference
from harness.accuracy.breakdown import Breakdown, Curve
from harness.accuracy.detections import DetectionTable
from harness.accuracy.worst import WorstImage, draw_worst, find_worst

BREAKDOWN_COLUMNS = (
    "part",
    "name",
    "annotations",
    "detections",
    "map",
    "ap50",
    "ap75",
    "ap_small",
    "ap_medium",
    "ap_large",
    "ar100",
    "count",
    "ap50_gain",
    "meaning",
)
"""`part` is `class`, `size` or `error`; `count`, `ap50_gain` and `meaning` are of errors, the rest of the others."""
WORST_COLUMNS = ("image_id", "image", "found", "missed", "wrong", "score_threshold", "file")
AGAINST_COLUMNS = ("base_map", "new_map", "difference", "low", "high", "p", "decision", "n_images")
SIGNIFICANCE = 0.05
CURVE_COLUMNS = ("class", "iou", "recall", "precision")


def breakdown_rows(result: Breakdown) -> list[dict[str, Any]]:
    """Return one object a class, a size and a kind of error."""
    parts = (("class", result.classes), ("size", result.sizes), ("error", result.errors))
    return [{"part": part, **asdict(entry)} for part, entries in parts for entry in entries]


def tables(result: Breakdown) -> list[tuple[list[dict[str, Any]], tuple[str, ...]]]:
    """Return rows and columns of the three tables for a terminal, without classes that occur nowhere."""
    classes = [asdict(part) for part in result.classes if part.annotations or part.detections]
    sizes, errors = [asdict(part) for part in result.sizes], [asdict(part) for part in result.errors]
    return [
        (_rounded(classes, "class"), ("class", *BREAKDOWN_COLUMNS[2:11])),
        (_rounded(sizes, "size"), ("size", "annotations", "map", "ap50", "ap75", "ar100")),
        (_rounded(errors, "error"), ("error", "count", "ap50_gain", "meaning")),
    ]


def _rounded(rows: list[dict[str, Any]], part: str) -> list[dict[str, Any]]:
    """Name the rows by their part and write figures with 3 digits, as pycocotools does."""
    return [
        {part: row["name"], **{k: units.metric(v) if isinstance(v, float) else v for k, v in row.items()}}
        for row in rows
    ]


def curves_csv(curves: Sequence[Curve]) -> str:
    """Return the precision-recall curves as CSV, one line a point.

    The class is `(all)` for the mean of all classes; the IoU is `0.50:0.95` for the mean of the thresholds.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CURVE_COLUMNS)
    for curve in curves:
        name = "(all)" if curve.name is None else curve.name
        iou = "0.50:0.95" if curve.iou is None else f"{curve.iou:.2f}"
        points = zip(curve.recall.tolist(), curve.precision.tolist(), strict=True)
        writer.writerows((name, iou, f"{recall:.2f}", f"{precision:.6g}") for recall, precision in points)
    return text.getvalue()


def worst_rows(
    truth: GroundTruth,
    table: DetectionTable,
    image_ids: Sequence[int] | None,
    n: int,
    images: Path,
    output: Path,
) -> list[dict[str, Any]]:
    """Draw the worst images and return one object for each."""
    worst = find_worst(truth, table, n, image_ids)
    files = draw_worst(worst, truth, table, images, output)
    names = {row.id: row.file_name for row in truth.images}
    return [_worst_row(image, names[image.image_id], file) for image, file in zip(worst, files, strict=True)]


def _worst_row(image: WorstImage, name: str, file: Path) -> dict[str, Any]:
    counts = {kind: len(getattr(image, kind)) for kind in ("found", "missed", "wrong")}
    # Without any right detection there is no threshold, or infinity, which JSON does not know.
    threshold = image.threshold if image.threshold < float("inf") else None
    rest = {"score_threshold": threshold, "file": str(file)}
    return {"image_id": image.image_id, "image": name, **counts, **rest}


def against_row(result: PairedDifference) -> dict[str, Any]:
    """Return the one object that `--against` prints; `decision` is of the detections that are evaluated."""
    return {
        "base_map": result.first,
        "new_map": result.second,
        "difference": result.difference,
        "low": result.low,
        "high": result.high,
        "p": result.p,
        "decision": _decision(result),
        "n_images": result.n_images,
    }


def _decision(result: PairedDifference) -> str:
    if result.p is None or result.difference is None or result.p >= SIGNIFICANCE:
        return "~"
    return "better" if result.difference > 0 else "worse"
