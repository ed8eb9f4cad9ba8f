"""COCO's metrics of detections: equal to pycocotools on the same detections, on subsets of the images too."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.accuracy import coco_engines, curves
from harness.accuracy.annotations import GroundTruth, read_annotations
from harness.accuracy.coco_engines import Curves, Engine
from harness.accuracy.coco_json import first_few
from harness.accuracy.detections import DetectionTable, as_table
from harness.errors import DatasetError, UsageError
from harness.records.figures import CocoFigures


@dataclass(frozen=True)
class Evaluation:
    """The accuracy of detections.

    Attributes:
        figures: COCO's 12 figures, 0…1.
        engine: The program that computed them, with its version.
        n_images: How many images were evaluated.
        ap_per_category: AP@[.5:.95] by category name; None without ground truth in these images.
        warnings: What the reader of the figures should know, one sentence each.
    """

    figures: CocoFigures
    engine: str
    n_images: int
    ap_per_category: dict[str, float | None]
    warnings: tuple[str, ...] = field(default=())


def evaluate(
    annotations: Path | GroundTruth,
    detections: Path | DetectionTable | npt.NDArray[Any] | Sequence[Mapping[str, Any]],
    image_ids: Sequence[int] | None = None,
    engine: Engine = "harness",
) -> Evaluation:
    """Compute COCO's 12 figures and the AP of each category.

    Args:
        annotations: A COCO `instances` file, or one that was read already.
        detections: A COCO result file, a table, an array [N, 7] as pycocotools takes it (image id, x, y,
            width, height, score, category id), or COCO result objects.
        image_ids: Evaluate these images only (pycocotools' `params.imgIds`); all for None.
        engine: `harness`, `hotcoco`, or `pycocotools` itself: the same numbers, slower.

    Raises:
        DatasetError: The annotations or detections cannot be used, or detections are of unknown images.
        UsageError: `image_ids` is empty or names images that are not in the annotations.
    """
    truth = annotations if isinstance(annotations, GroundTruth) else read_annotations(Path(annotations))
    table = as_table(detections)
    chosen = chosen_images(truth, image_ids)
    _refuse_unknown_images(truth, table)
    table, warnings = _known_categories(truth, table)
    engine, doubts = able_engine(truth, engine)
    found = curves.run(engine, truth, table, chosen)
    return Evaluation(
        figures=figures(found),
        engine=coco_engines.describe(engine),
        n_images=len(chosen),
        ap_per_category=_ap_per_category(truth, found),
        warnings=(*warnings, *doubts),
    )


def figures(curves: Curves) -> CocoFigures:
    """Average the curves into the 12 figures.

    Source: pycocotools `COCOeval.summarize` (`_summarizeDets`), where -1 stands for nothing to average.
    """
    precision, recall = curves.precision, curves.recall
    return CocoFigures(
        map=mean(precision[:, :, :, 0]),
        ap50=mean(precision[0, :, :, 0]),
        ap75=mean(precision[5, :, :, 0]),
        ap_small=mean(precision[:, :, :, 1]),
        ap_medium=mean(precision[:, :, :, 2]),
        ap_large=mean(precision[:, :, :, 3]),
        ar1=mean(recall[:, :, 0, 0]),
        ar10=mean(recall[:, :, 0, 1]),
        ar100=mean(recall[:, :, 0, 2]),
        ar_small=mean(recall[:, :, 1, 2]),
        ar_medium=mean(recall[:, :, 2, 2]),
        ar_large=mean(recall[:, :, 3, 2]),
    )


def mean(values: npt.NDArray[np.float64]) -> float | None:
    """Average what is known; -1 stands for unknown, as in pycocotools."""
    known = values[values > -1]
    return float(known.mean()) if known.size else None


def _ap_per_category(truth: GroundTruth, curves: Curves) -> dict[str, float | None]:
    names = category_names(truth)
    return {name: mean(curves.precision[:, :, k, 0]) for k, name in enumerate(names)}


def category_names(truth: GroundTruth) -> list[str]:
    """Return the categories' names in the order of their ids, with the id where two share a name."""
    shared = {name for name, n in Counter(truth.categories.values()).items() if n > 1}
    return [f"{name} ({number})" if name in shared else name for number, name in truth.categories.items()]


def clusters_of(truth: GroundTruth, image_ids: Sequence[int]) -> npt.NDArray[np.int64] | None:
    """Return the number of the video of each image, int64 [I]; None where no two images are of one.

    Images without a `video_id` stand for themselves. Frames of a clip show the same things: they count as one draw.
    """
    wanted = set(image_ids)
    videos = {row.id: row.video_id for row in truth.images if row.id in wanted and row.video_id is not None}
    if len(set(videos.values())) == len(videos):
        return None
    keys = [
        ("video", str(videos[number])) if number in videos else ("image", str(number)) for number in image_ids
    ]
    return np.unique(np.array(["\0".join(key) for key in keys]), return_inverse=True)[1].astype(np.int64)


def chosen_images(truth: GroundTruth, image_ids: Sequence[int] | None) -> list[int]:
    """Return the ids to evaluate, sorted, each once; all images for None.

    Raises:
        UsageError: There are none, or some are not in the annotations.
    """
    known = {row.id for row in truth.images}
    chosen = known if image_ids is None else {int(value) for value in image_ids}
    if not chosen:
        raise UsageError("no image ids: give at least one image to evaluate")
    foreign = sorted(chosen - known)
    if foreign:
        raise UsageError(
            f"{len(foreign)} of {len(chosen)} image ids are not in {truth.path}: {first_few(foreign)}"
        )
    return sorted(chosen)


def refuse_unknown_ids(truth: GroundTruth, table: DetectionTable) -> None:
    """Refuse detections of images or categories that the annotations do not have.

    Raises:
        DatasetError: Says how many there are and names the first ids.
    """
    _refuse_unknown_images(truth, table)
    count, ids = _unknown_categories(truth, table)
    if ids:
        raise DatasetError(
            f"{count} of {len(table)} detections have {len(ids)} category id(s) that are not in "
            f"{truth.path}: {first_few(ids)}; expected its category ids ({_span(list(truth.categories))})"
        )


def _refuse_unknown_images(truth: GroundTruth, table: DetectionTable) -> None:
    """As pycocotools does: such detections were made on another set of images."""
    unknown = ~np.isin(table.image_ids, [row.id for row in truth.images])
    if unknown.any():
        ids = np.unique(table.image_ids[unknown]).tolist()
        raise DatasetError(
            f"{int(unknown.sum())} of {len(table)} detections are of {len(ids)} image id(s) that are not in "
            f"{truth.path}: {first_few(ids)}; are they of another split?"
        )


def _unknown_categories(truth: GroundTruth, table: DetectionTable) -> tuple[int, list[int]]:
    unknown = ~np.isin(table.category_ids, list(truth.categories))
    return int(unknown.sum()), sorted(set(table.category_ids[unknown].tolist()))


def _span(ids: list[int]) -> str:
    return f"{len(ids)} from {min(ids)} to {max(ids)}" if ids else "none"


def _known_categories(truth: GroundTruth, table: DetectionTable) -> tuple[DetectionTable, tuple[str, ...]]:
    """As pycocotools does, leave out detections of categories that the annotations do not have."""
    count, ids = _unknown_categories(truth, table)
    if not ids:
        return table, ()
    warning = (
        f"{count} of {len(table)} detections have {len(ids)} category id(s) that are not in the annotations "
        f"and count for nothing: {first_few(ids)}"
    )
    return DetectionTable(table.rows[np.isin(table.category_ids, list(truth.categories))]), (warning,)


def able_engine(truth: GroundTruth, engine: Engine) -> tuple[Engine, tuple[str, ...]]:
    """Use ours where hotcoco differs or cannot: an annotation with id 0, and negative ids.

    Pycocotools marks a match with the annotation's id, so it never counts id 0 as found; hotcoco does.
    The reference's number is the one that can be compared with other people's.
    """
    n_never = int((truth.ids == 0).sum())
    if n_never:
        warning = (
            f"{n_never} of {len(truth)} annotations can never be found: it has the id 0, which COCO's evaluation does "
            "not count; number the annotations from 1"
        )
        return ("harness" if engine == "hotcoco" else engine), (warning,)
    lowest = min(truth.ids.min(initial=0), *truth.categories, *(row.id for row in truth.images))
    return ("harness" if engine == "hotcoco" and lowest < 0 else engine), ()
