"""`harness evaluate`: the COCO figures of a file of detections, wherever they were made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness import units
from harness.cli.common import CONTEXT, emit, examples, format_option, warn

if TYPE_CHECKING:
    from harness.accuracy.bootstrap import Interval
    from harness.accuracy.coco import Evaluation
    from harness.accuracy.coco_engines import Engine
    from harness.accuracy.detections import DetectionTable

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
COLUMNS = (*FIGURES, "n_images", "map_low", "map_high", "engine")


@click.command(
    "evaluate",
    context_settings=CONTEXT,
    epilog=examples(
        "harness evaluate --annotations instances_val2017.json --detections detections.json",
        "harness evaluate --annotations a.json --detections d.json --image-ids ids.txt --format json",
    ),
)
@click.option("--annotations", required=True, type=click.Path(path_type=Path), help="COCO instances file.")
@click.option("--detections", required=True, type=click.Path(path_type=Path), help="COCO result file.")
@click.option(
    "--engine",
    type=click.Choice(["hotcoco", "pycocotools"]),
    default="hotcoco",
    show_default=True,
    help="What computes the figures; both give the same numbers.",
)
@click.option(
    "--image-ids",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Evaluate these images only: one id a line, or a JSON list.",
)
@format_option()
def command(
    annotations: Path, detections: Path, engine: Engine, image_ids: Path | None, format_: str
) -> None:
    """Compute COCO's 12 figures of a file of detections: the numbers of pycocotools, in a second."""
    from harness.accuracy import coco
    from harness.accuracy.annotations import read_annotations
    from harness.accuracy.bootstrap import map_interval
    from harness.accuracy.detections import load_detections
    from harness.accuracy.image_ids import read_image_ids
    from harness.accuracy.plausibility import refuse_wrong_units

    truth = read_annotations(annotations)
    table = load_detections(detections)
    coco.refuse_unknown_ids(truth, table)
    refuse_wrong_units(truth, table)
    chosen = None if image_ids is None else read_image_ids(image_ids)
    evaluation = coco.evaluate(truth, table, chosen, engine)
    _warn(evaluation, table, detections)
    _print(row(evaluation, map_interval(truth, table, chosen)), format_)


def row(evaluation: Evaluation, interval: Interval) -> dict[str, Any]:
    """Return the one object that the command prints."""
    figures = {name: getattr(evaluation.figures, name) for name in FIGURES}
    ends = {"map_low": interval.low, "map_high": interval.high}
    return {**figures, "n_images": evaluation.n_images, **ends, "engine": evaluation.engine}


def _warn(evaluation: Evaluation, table: DetectionTable, path: Path) -> None:
    if not len(table):
        warn(f"{path}: no detections; every figure is 0")
    if evaluation.figures.map is None:
        warn("no annotations in these images; there is nothing to average")
    for sentence in evaluation.warnings:
        warn(sentence)


def _print(values: dict[str, Any], format_: str) -> None:
    if format_ != "table":
        emit([values], COLUMNS, format_)
        return
    lines = [{"figure": text, "value": units.metric(values[name])} for name, text in FIGURES.items()]
    ends = " to ".join(units.metric(values[name]) for name in ("map_low", "map_high"))
    if values["map_low"] is not None:
        lines.insert(1, {"figure": "     95 % interval over images", "value": ends})
    lines.append({"figure": "images", "value": units.count(values["n_images"])})
    lines.append({"figure": "computed by", "value": values["engine"]})
    emit(lines, ("figure", "value"))
