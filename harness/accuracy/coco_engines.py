"""What computes COCO's metrics: this package, and two programs that it can be held against.

Each is a function from arrays to precision and recall, given the same arrays, parsed once by this package, so
that they can differ in the computation only.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from harness.accuracy import array_curves
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.detections import DetectionTable
from harness.version import __version__

Engine: TypeAlias = Literal["harness", "hotcoco", "pycocotools"]


@dataclass(frozen=True)
class Curves:
    """What COCOeval.accumulate gives; -1 where there is no ground truth.

    Attributes:
        precision: float64 [T, R, K, A]: 10 IoU thresholds, 101 recalls, categories by id, 4 areas (all,
            small, medium, large), of at most 100 detections per image.
        recall: float64 [T, K, A, M]: 3 limits of detections per image (1, 10, 100).
    """

    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]


def compute(engine: Engine, truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> Curves:
    """Compute the curves with one of the engines, in this process.

    Args:
        engine: Which one.
        truth: The ground truth.
        table: Detections of images and categories that are in the ground truth.
        image_ids: The images to evaluate; at least one.
    """
    return _ENGINES[engine](truth, table, list(image_ids))


def describe(engine: Engine) -> str:
    """Return the engine's name and version."""
    if engine == "harness":
        return f"harness {__version__}"
    from importlib.metadata import version  # late: it takes as long as all of this room

    return f"{engine} {version(engine)}"


def compute_tide(truth: GroundTruth, table: DetectionTable, image_ids: Sequence[int]) -> dict[str, Any]:
    """Sort the errors at IoU 0.5 into TIDE's kinds, with hotcoco: `counts` and `delta_ap` by kind."""
    evaluation = _hotcoco_evaluation(truth, table, list(image_ids))
    return dict(evaluation.tide_errors(pos_thr=0.5, bg_thr=0.1))


def _hotcoco(truth: GroundTruth, table: DetectionTable, image_ids: list[int]) -> Curves:
    evaluation = _hotcoco_evaluation(truth, table, image_ids)
    evaluation.accumulate()
    return _curves(evaluation)


def _hotcoco_evaluation(truth: GroundTruth, table: DetectionTable, image_ids: list[int]) -> Any:
    from hotcoco import COCO, COCOeval

    annotations = COCO.from_arrays(
        _images(truth),
        _categories(truth),
        truth.image_ids,
        truth.category_ids,
        truth.boxes,
        ids=truth.ids,
        area=truth.areas,
        iscrowd=truth.crowd.astype(np.int64),
    )
    evaluation: Any = COCOeval(annotations, annotations.load_res(table.rows), "bbox")
    evaluation.params.img_ids = image_ids
    evaluation.evaluate()
    return evaluation


def _pycocotools(truth: GroundTruth, table: DetectionTable, image_ids: list[int]) -> Curves:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):  # it reports its progress with print
        annotations, detections = COCO(), COCO()
        annotations.dataset = {
            "images": _images(truth),
            "categories": _categories(truth),
            "annotations": _annotation_objects(truth),
        }
        annotations.createIndex()
        if len(table):  # loadRes looks at the first detection without asking whether there is one
            detections = annotations.loadRes(_detection_objects(table))
        evaluation = COCOeval(annotations, detections, "bbox")
        evaluation.params.imgIds = image_ids
        evaluation.evaluate()
        evaluation.accumulate()
    return _curves(evaluation)


def _curves(evaluation: Any) -> Curves:
    return Curves(evaluation.eval["precision"][..., -1].copy(), evaluation.eval["recall"])


def _images(truth: GroundTruth) -> list[dict[str, Any]]:
    return [{"id": row.id} for row in truth.images]


def _categories(truth: GroundTruth) -> list[dict[str, Any]]:
    return [{"id": number, "name": name} for number, name in truth.categories.items()]


def _annotation_objects(truth: GroundTruth) -> list[dict[str, Any]]:
    names = ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
    columns = (
        truth.ids,
        truth.image_ids,
        truth.category_ids,
        truth.boxes,
        truth.areas,
        truth.crowd.astype(int),
    )
    return [dict(zip(names, row, strict=True)) for row in zip(*(c.tolist() for c in columns), strict=True)]


def _detection_objects(table: DetectionTable) -> list[dict[str, Any]]:
    return [
        {"image_id": int(row[0]), "bbox": row[1:5], "score": row[5], "category_id": int(row[6])}
        for row in table.rows.tolist()
    ]


def _harness(truth: GroundTruth, table: DetectionTable, image_ids: list[int]) -> Curves:
    return Curves(*array_curves.compute(truth, table, image_ids))


_ENGINES: dict[Engine, Callable[[GroundTruth, DetectionTable, list[int]], Curves]] = {
    "harness": _harness,
    "hotcoco": _hotcoco,
    "pycocotools": _pycocotools,
}
