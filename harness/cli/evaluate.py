"""`harness evaluate`: the COCO figures of a file of detections, wherever they were made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click
from click.core import ParameterSource

from harness import outputs
from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.printing import emit, emit_text, note, show, warn
from harness.cli.types import OutputFile

if TYPE_CHECKING:
    from harness.accuracy.coco_engines import Engine
    from harness.accuracy.evaluation_input import EvaluationInput


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
    type=PATH,
    help="COCO instances file, or a dataset: a folder (COCO, exports, VOC, YOLO), data.yaml or card.",
)
@click.option("--detections", required=True, type=PATH, help="COCO result file.")
@click.option(
    "--engine",
    type=click.Choice(["harness", "hotcoco", "pycocotools"]),
    default="harness",
    show_default=True,
    help="What computes the figures; all give the same numbers.",
)
@click.option(
    "--image-ids",
    type=PATH,
    metavar="FILE",
    help="Evaluate these images only: one id or file name a line, or a JSON list. [default: all images]",
)
@click.option(
    "--against",
    type=PATH,
    metavar="FILE",
    help="Detections of another model on the same images: print the paired difference from it instead. "
    "[default: no comparison]",
)
@click.option("--breakdown", is_flag=True, help="Print AP by class and size and the kinds of errors instead.")
@click.option(
    "--curves",
    type=OutputFile(outputs.CSV_ENDINGS),
    metavar="FILE",
    help="Write the precision-recall curves as CSV. [default: not written]",
)
@click.option(
    "--worst",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw the N images with the most errors, from --images DIR to -o DIR, and print those instead. "
    "[default: draw nothing]",
)
@click.option("--images", type=PATH, metavar="DIR", help="Folder of the images, for --worst. [default: none]")
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="PLACE",
    help="Write to a file instead of stdout; with --worst, the folder of the drawings. [default: stdout]",
)
@format_option()
@click.pass_context
def command(
    ctx: click.Context,
    /,
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
    """Compute COCO's 12 figures of a file of detections: the numbers of pycocotools, in a second.

    Checks say what contradicts them. Exit status 1: they are `incorrect`, or those of a part of the images
    (`partial-data`).
    """
    from harness.accuracy.evaluation_input import load
    from harness.report.content import format_for
    from harness.report.evaluation import refuse_options

    refuse_options(against, breakdown, worst, images, output)
    given = ctx.get_parameter_source("format_") is not ParameterSource.DEFAULT
    format_ = format_for(None if worst else output, format_ if given else None)
    loaded = load(annotations, detections, image_ids)
    if breakdown or curves:
        _show_parts(loaded, engine, breakdown, curves, output, format_)
    if worst and images and output:
        _show_worst(loaded, worst, images, output, format_)
    elif against:
        _show_difference(loaded, against, output, format_)
    elif not breakdown and not _show_figures(loaded, engine, detections, output, format_):
        ctx.exit(1)


def _show_figures(
    loaded: EvaluationInput, engine: Engine, path: Path, output: Path | None, format_: str
) -> bool:
    """Show the figures and what contradicts them; return whether nothing makes them wrong or incomplete."""
    from harness.accuracy.evaluated import evaluate_input
    from harness.report import evaluation
    from harness.vocabulary import Status

    found = evaluate_input(loaded, engine)
    for sentence in evaluation.remarks(found, loaded.table, path):
        warn(sentence)
    show(evaluation.figures_content(found), format_, output)
    return found.status == Status.OK


def _show_difference(loaded: EvaluationInput, against: Path, output: Path | None, format_: str) -> None:
    from harness.accuracy.bootstrap import paired_difference
    from harness.accuracy.evaluation_input import read_detections
    from harness.report import evaluation

    base = read_detections(loaded.truth, against)
    result = paired_difference(loaded.truth, base, loaded.table, loaded.chosen)
    without = evaluation.without_detections(loaded, base)
    for sentence in evaluation.without_remarks(without, result.n_images):
        warn(sentence)
    emit([evaluation.against_row(result, without)], evaluation.AGAINST_COLUMNS, format_, output)


def _show_parts(
    loaded: EvaluationInput,
    engine: Engine,
    breakdown: bool,
    curves: Path | None,
    output: Path | None,
    format_: str,
) -> None:
    from harness.accuracy.breakdown import break_down
    from harness.report import evaluation

    result = break_down(loaded.truth, loaded.table, loaded.chosen, engine)
    if curves:
        emit_text(evaluation.curves_csv(result.curves), curves)
    if breakdown:
        show(evaluation.breakdown_content(result, in_file=output is not None), format_, output)


def _show_worst(loaded: EvaluationInput, n: int, images: Path, output: Path, format_: str) -> None:
    from harness.report import evaluation

    rows = evaluation.worst_rows(loaded, n, images, output)
    if not rows:
        note("no image has an error at IoU 0.5; nothing is drawn")
    emit(rows, evaluation.WORST_COLUMNS, format_)
