"""Render the results of `harness evaluate`: figures, breakdown, curves, worst images, difference."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import units
from harness.accuracy.bootstrap import PairedDifference
from harness.accuracy.breakdown import Breakdown, Curve
from harness.accuracy.detections import DetectionTable
from harness.accuracy.evaluated import Evaluated
from harness.accuracy.evaluation_input import EvaluationInput
from harness.accuracy.worst import WorstImage, draw_worst, find_worst
from harness.errors import UsageError
from harness.report.content import Content, generic_table

if TYPE_CHECKING:
    from rich.console import RenderableType

FIGURES = {
    "map": "AP   IoU 0.50:0.95, all areas, 100 detections",
    "ap50": "AP   IoU 0.50",
    "ap75": "AP   IoU 0.75",
    "ap_small": "AP   small (area < 32²)",
    "ap_medium": "AP   medium",
    "ap_large": "AP   large (area > 96²)",
    "ar1": "AR   1 detection an image",
    "ar10": "AR   10 detections an image",
    "ar100": "AR   100 detections an image",
    "ar_small": "AR   small",
    "ar_medium": "AR   medium",
    "ar_large": "AR   large",
}
"""COCO's 12 figures in the order and words of its own summary."""
COLUMNS = (*FIGURES, "n_images", "map_low", "map_high", "engine", "status", "checks")
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
AGAINST_COLUMNS = (
    *("base_map", "new_map", "difference", "low", "high", "p", "decision", "n_images"),
    *("n_images_without_base", "n_images_without_new"),
)
SIGNIFICANCE = 0.05
CURVE_COLUMNS = ("class", "iou", "recall", "precision")


def refuse_options(against: object, breakdown: object, worst: object, images: object, output: object) -> None:
    """Refuse what does not go together.

    Raises:
        UsageError: Names the options.
    """
    if sum(map(bool, (against, breakdown, worst))) > 1:
        raise UsageError("use just one of --against, --breakdown and --worst")
    if worst and (images is None or output is None):
        raise UsageError("--worst needs --images DIR, where the images are, and -o DIR, where to draw them")
    if images and not worst:
        raise UsageError("--images is used with --worst only")


def figures_content(found: Evaluated) -> Content:
    """Return the figures as content: one a line for a person, one object for programs."""
    values = figures_row(found)
    return Content([values], COLUMNS, own={"table": lambda: Content(_lines(values), ("figure", "value"))})


def figures_row(found: Evaluated) -> dict[str, Any]:
    """Return the figures as one object."""
    evaluation = found.evaluation
    figures = {name: getattr(evaluation.figures, name) for name in FIGURES}
    ends = {"map_low": found.interval.low, "map_high": found.interval.high}
    judged = {"status": str(found.status), "checks": [check.as_row() for check in found.checks]}
    return {**figures, "n_images": evaluation.n_images, **ends, "engine": evaluation.engine, **judged}


def _lines(values: dict[str, Any]) -> list[dict[str, Any]]:
    lines = [{"figure": text, "value": units.metric(values[name])} for name, text in FIGURES.items()]
    ends = " to ".join(units.metric(values[name]) for name in ("map_low", "map_high"))
    if values["map_low"] is not None:
        lines.insert(1, {"figure": "     95 % interval over images", "value": ends})
    lines.append({"figure": "images", "value": units.count(values["n_images"])})
    lines.append({"figure": "computed by", "value": values["engine"]})
    if values["checks"]:
        lines.append({"figure": "status", "value": values["status"]})
    lines += [{"figure": check["name"], "value": check["verdict"]} for check in values["checks"]]
    return lines


def remarks(found: Evaluated, table: DetectionTable, detections: Path) -> Iterator[str]:
    """Return sentences about doubts in the figures."""
    if not len(table):
        yield f"{detections}: no detections; every figure is 0"
    if found.evaluation.figures.map is None:
        yield "no annotations in these images; there is nothing to average"
    yield from found.evaluation.warnings
    yield from (f"{detections}: {check.reason}" for check in found.checks)


def breakdown_content(result: Breakdown, *, in_file: bool = False) -> Content:
    """Return a breakdown as content: three tables on a terminal, else the rows of all."""
    rows = breakdown_rows(result)
    return Content(rows, BREAKDOWN_COLUMNS, own={} if in_file else {"table": lambda: _tables(result)})


def breakdown_rows(result: Breakdown) -> list[dict[str, Any]]:
    """Return one object a class, a size and a kind of error."""
    parts = (("class", result.classes), ("size", result.sizes), ("error", result.errors))
    return [{"part": part, **asdict(entry)} for part, entries in parts for entry in entries]


def _tables(result: Breakdown) -> RenderableType:
    """Return the three tables for a terminal, without classes that occur nowhere."""
    from rich.console import Group

    classes = [asdict(part) for part in result.classes if part.annotations or part.detections]
    sizes, errors = [asdict(part) for part in result.sizes], [asdict(part) for part in result.errors]
    return Group(
        generic_table(_rounded(classes, "class"), ("class", *BREAKDOWN_COLUMNS[2:11])),
        generic_table(_rounded(sizes, "size"), ("size", "annotations", "map", "ap50", "ap75", "ar100")),
        generic_table(_rounded(errors, "error"), ("error", "count", "ap50_gain", "meaning")),
    )


def _rounded(rows: list[dict[str, Any]], part: str) -> list[dict[str, Any]]:
    """Return rows named by their part with figures of 3 digits, as pycocotools prints them."""
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


def worst_rows(loaded: EvaluationInput, n: int, images: Path, output: Path) -> list[dict[str, Any]]:
    """Draw the worst images and return one object for each."""
    worst = find_worst(loaded.truth, loaded.table, n, loaded.chosen)
    files = draw_worst(worst, loaded.truth, loaded.table, images, output)
    names = {row.id: row.file_name for row in loaded.truth.images}
    return [_worst_row(image, names[image.image_id], file) for image, file in zip(worst, files, strict=True)]


def _worst_row(image: WorstImage, name: str, file: Path) -> dict[str, Any]:
    counts = {kind: len(getattr(image, kind)) for kind in ("found", "missed", "wrong")}
    # Without any right detection there is no threshold, or infinity, which JSON does not know.
    threshold = image.threshold if image.threshold < float("inf") else None
    rest = {"score_threshold": threshold, "file": str(file)}
    return {"image_id": image.image_id, "image": name, **counts, **rest}


def against_row(result: PairedDifference, without: tuple[int, int]) -> dict[str, Any]:
    """Return the object that `--against` prints; `decision` is about the detections that are evaluated.

    `without`: in how many images the base and the new detect nothing.
    """
    return {
        "base_map": result.first,
        "new_map": result.second,
        "difference": result.difference,
        "low": result.low,
        "high": result.high,
        "p": result.p,
        "decision": _decision(result),
        "n_images": result.n_images,
        "n_images_without_base": without[0],
        "n_images_without_new": without[1],
    }


def without_detections(loaded: EvaluationInput, base: DetectionTable) -> tuple[int, int]:
    """Return in how many of the evaluated images the base, and the new, detects nothing at all."""
    ids = [image.id for image in loaded.truth.images] if loaded.chosen is None else loaded.chosen
    counts = [len(set(ids) - set(table.image_ids.tolist())) for table in (base, loaded.table)]
    return counts[0], counts[1]


def without_remarks(without: tuple[int, int], n_images: int) -> Iterator[str]:
    """Say that one side has no detections in images where they count as nothing found."""
    if without[0] == without[1]:
        return
    for side, count in zip(("base", "new"), without, strict=True):
        if count:
            yield (
                f"the {side} has no detection in {count:,} of {n_images:,} images, which counts as nothing found: if "
                "it was not run on them, name those of both with --image-ids"
            )


def _decision(result: PairedDifference) -> str:
    if result.p is None or result.difference is None or result.p >= SIGNIFICANCE:
        return "~"
    return "better" if result.difference > 0 else "worse"
