"""`harness.evaluate`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from harness.api.frames import path_of, to_frame

if TYPE_CHECKING:
    import pandas as pd

    from harness.accuracy.evaluation_input import EvaluationInput
    from harness.settings import CocoEngine


def evaluate(
    annotations: str | Path,
    detections: str | Path,
    *,
    engine: CocoEngine = "harness",
    image_ids: str | Path | Iterable[int | str] | None = None,
    against: str | Path | None = None,
    breakdown: bool = False,
    curves: str | Path | None = None,
    worst: int | None = None,
    images: str | Path | None = None,
    output: str | Path | None = None,
) -> pd.DataFrame:
    """Compute COCO's 12 figures of a file of detections, as `harness evaluate` does.

    Args:
        annotations: COCO instances file, or a dataset: a folder (COCO, VOC or YOLO labels), data.yaml or card.
        detections: COCO result file.
        engine: What computes the figures; both give the same numbers.
        image_ids: Evaluate these images only: their ids or file names, or a file with one a line or a JSON list.
        against: Detections of another model on the same images: return the paired difference from it instead.
        breakdown: Return AP by class and size and the kinds of errors instead.
        curves: A file to write the precision-recall curves to, as CSV.
        worst: Draw so many images with the most errors, from `images` to `output`, and return those instead.
        images: Folder of the images, for `worst`.
        output: Folder of the drawings, for `worst`.

    Returns:
        One row with the 12 figures (0…1), `n_images`, the 95 % interval of the mAP over images, the engine, and with
        `status` and `checks` what contradicts the figures; or what `against`, `breakdown` or `worst` say.
        `frame.attrs["remarks"]` is what the command would have warned of.

    Raises:
        DatasetError: The annotations or detections cannot be used, or do not belong together.
        UsageError: Wrong image ids, or keywords that exclude each other.

    Example:
        >>> import harness, pathlib
        >>> frame = harness.run("shapes-float32", delegates="cpu:1", latency=False, limit=10)
        >>> (detections,) = pathlib.Path(frame.attrs["folder"]).glob("cells/*/detections.json")
        >>> figures = harness.evaluate("models/shapes/dataset", detections, image_ids=range(1, 11))
        >>> print(figures["map"][0] == frame["map"][0])
        True
    """
    from harness import outputs
    from harness.accuracy.evaluation_input import load
    from harness.report import evaluation

    evaluation.refuse_options(against, breakdown, worst, images, output)
    if curves is not None:
        outputs.check(curves, outputs.CSV_ENDINGS)
    ids = Path(image_ids) if isinstance(image_ids, (str, Path)) else image_ids
    loaded = load(Path(annotations), Path(detections), ids)
    parts = _parts(loaded, engine, path_of(curves)) if breakdown or curves else None
    if parts is not None and breakdown:
        return parts
    if worst and images and output:
        rows = evaluation.worst_rows(loaded, worst, Path(images), Path(output))
        return to_frame(rows, evaluation.WORST_COLUMNS)
    return (
        _figures(loaded, engine, Path(detections)) if against is None else _difference(loaded, Path(against))
    )


def _figures(loaded: EvaluationInput, engine: CocoEngine, detections: Path) -> pd.DataFrame:
    from harness.accuracy.evaluated import evaluate_input
    from harness.report import evaluation

    found = evaluate_input(loaded, engine)
    row = evaluation.figures_row(found)
    return to_frame([row], evaluation.COLUMNS, evaluation.remarks(found, loaded.table, detections))


def _difference(loaded: EvaluationInput, against: Path) -> pd.DataFrame:
    from harness.accuracy.bootstrap import paired_difference
    from harness.accuracy.evaluation_input import read_detections
    from harness.report import evaluation

    base = read_detections(loaded.truth, against)
    result = paired_difference(loaded.truth, base, loaded.table, loaded.chosen)
    without = evaluation.without_detections(loaded, base)
    remarks = evaluation.without_remarks(without, result.n_images)
    return to_frame([evaluation.against_row(result, without)], evaluation.AGAINST_COLUMNS, remarks)


def _parts(loaded: EvaluationInput, engine: CocoEngine, curves: Path | None) -> pd.DataFrame:
    from harness import outputs
    from harness.accuracy.breakdown import break_down
    from harness.report import evaluation

    result = break_down(loaded.truth, loaded.table, loaded.chosen, engine)
    if curves is not None:
        outputs.write(curves, evaluation.curves_csv(result.curves).encode("utf-8"))
    return to_frame(evaluation.breakdown_rows(result), evaluation.BREAKDOWN_COLUMNS)
