"""`harness evaluate`: the COCO figures of a file of detections, wherever they were made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness import units
from harness.cli.common import CONTEXT, emit, emit_text, examples, format_option, note, warn
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.accuracy.annotations import GroundTruth
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
        "harness evaluate --annotations a.json --detections quantized.json --against float.json",
        "harness evaluate --annotations a.json --detections d.json --breakdown --curves curves.csv",
        "harness evaluate --annotations a.json --detections d.json --worst 20 --images val2017 -o worst",
    ),
)
@click.option(
    "--annotations",
    required=True,
    type=click.Path(path_type=Path),
    help="COCO instances file, or a dataset: a folder (COCO, VOC or YOLO labels), data.yaml or card.",
)
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
@click.option(
    "--against",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Detections of another model on the same images: print the paired difference from it instead.",
)
@click.option("--breakdown", is_flag=True, help="Print AP by class and size and the kinds of errors instead.")
@click.option(
    "--curves",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the precision-recall curves as CSV.",
)
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw the N images with the most errors, from --images DIR to -o DIR, and print those instead.",
)
@click.option(
    "--images", type=click.Path(path_type=Path), metavar="DIR", help="Folder of the images, for --worst."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PLACE",
    help="Write to a file instead of stdout; with --worst, the folder of the drawings.",
)
@format_option()
def command(
    annotations: Path,
    detections: Path,
    engine: Engine,
    image_ids: Path | None,
    against: Path | None,
    breakdown: bool,
    curves: Path | None,
    worst: int | None,
    images: Path | None,
    output: Path | None,
    format_: str,
) -> None:
    """Compute COCO's 12 figures of a file of detections: the numbers of pycocotools, in a second."""
    _check_options(against, breakdown, worst, images, output)
    truth = _read_truth(annotations)
    table, chosen = _read_table(truth, detections), _read_ids(truth, image_ids)
    if breakdown or curves:
        _print_parts(truth, table, chosen, engine, breakdown, curves, output, format_)
    if worst:
        _print_worst(truth, table, chosen, worst, images, output, format_)
    elif against:
        _print_difference(truth, table, chosen, against, output, format_)
    elif not breakdown:
        _print_figures(truth, table, chosen, engine, detections, output, format_)


def _check_options(
    against: Path | None, breakdown: bool, worst: int | None, images: Path | None, output: Path | None
) -> None:
    if sum(map(bool, (against, breakdown, worst))) > 1:
        raise UsageError("use just one of --against, --breakdown and --worst")
    if worst and (images is None or output is None):
        raise UsageError("--worst needs --images DIR, where the images are, and -o DIR, where to draw them")
    if images and not worst:
        raise UsageError("--images is used with --worst only")


def _read_truth(annotations: Path) -> GroundTruth:
    from harness.accuracy.annotations import read_annotations
    from harness.accuracy.dataset import find_dataset

    return read_annotations(
        find_dataset(annotations).annotations if _is_dataset(annotations) else annotations
    )


def _read_table(truth: GroundTruth, detections: Path) -> DetectionTable:
    from harness.accuracy import coco
    from harness.accuracy.detections import load_detections
    from harness.accuracy.plausibility import refuse_wrong_units

    table = load_detections(detections)
    coco.refuse_unknown_ids(truth, table)
    refuse_wrong_units(truth, table)
    return table


def _read_ids(truth: GroundTruth, path: Path | None) -> list[int] | None:
    from harness.accuracy.coco import chosen_images
    from harness.accuracy.image_ids import read_image_ids

    return None if path is None else chosen_images(truth, read_image_ids(path))


def _is_dataset(path: Path) -> bool:
    """Whether it is a folder or a card of a dataset (VOC's and YOLO's too) and not the annotations themselves."""
    return path.is_dir() or path.suffix in {".toml", ".yaml", ".yml"}


def _print_figures(
    truth: GroundTruth,
    table: DetectionTable,
    chosen: list[int] | None,
    engine: Engine,
    path: Path,
    output: Path | None,
    format_: str,
) -> None:
    from harness.accuracy import coco
    from harness.accuracy.bootstrap import map_interval

    evaluation = coco.evaluate(truth, table, chosen, engine)
    _warn(evaluation, table, path)
    _print(row(evaluation, map_interval(truth, table, chosen)), format_, output)


def _print_difference(
    truth: GroundTruth,
    table: DetectionTable,
    chosen: list[int] | None,
    against: Path,
    output: Path | None,
    format_: str,
) -> None:
    from harness.accuracy.bootstrap import paired_difference
    from harness.cli import evaluate_parts

    result = paired_difference(truth, _read_table(truth, against), table, chosen)
    emit([evaluate_parts.against_row(result)], evaluate_parts.AGAINST_COLUMNS, format_, output)


def _print_parts(
    truth: GroundTruth,
    table: DetectionTable,
    chosen: list[int] | None,
    engine: Engine,
    breakdown: bool,
    curves: Path | None,
    output: Path | None,
    format_: str,
) -> None:
    from harness.accuracy.breakdown import break_down
    from harness.cli import evaluate_parts

    result = break_down(truth, table, chosen, engine)
    if curves:
        emit_text(evaluate_parts.curves_csv(result.curves), curves)
    if breakdown and format_ == "table" and output is None:
        for rows, columns in evaluate_parts.tables(result):
            emit(rows, columns)
    elif breakdown:
        emit(evaluate_parts.breakdown_rows(result), evaluate_parts.BREAKDOWN_COLUMNS, format_, output)


def _print_worst(
    truth: GroundTruth,
    table: DetectionTable,
    chosen: list[int] | None,
    n: int,
    images: Path | None,
    output: Path | None,
    format_: str,
) -> None:
    from harness.cli import evaluate_parts

    assert images is not None
    assert output is not None
    rows = evaluate_parts.worst_rows(truth, table, chosen, n, images, output)
    if not rows:
        note("no image has an error at IoU 0.5; nothing is drawn")
    emit(rows, evaluate_parts.WORST_COLUMNS, format_)


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


def _print(values: dict[str, Any], format_: str, output: Path | None) -> None:
    if format_ != "table":
        emit([values], COLUMNS, format_, output)
        return
    lines = [{"figure": text, "value": units.metric(values[name])} for name, text in FIGURES.items()]
    ends = " to ".join(units.metric(values[name]) for name in ("map_low", "map_high"))
    if values["map_low"] is not None:
        lines.insert(1, {"figure": "     95 % interval over images", "value": ends})
    lines.append({"figure": "images", "value": units.count(values["n_images"])})
    lines.append({"figure": "computed by", "value": values["engine"]})
    emit(lines, ("figure", "value"), output=output)
