"""Small random data sets with what makes matching hard: crowds, ties, equal boxes, the id 0, empty classes."""

import contextlib
import io
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from harness.accuracy.annotations import GroundTruth, ImageRow
from harness.accuracy.detections import DetectionTable


def _boxes(random, n):
    """On a grid, where IoUs of exactly 0.5 and 0.75 occur, or anywhere."""
    return (
        random.integers(0, 7, (n, 4)) * 10.0
        if random.random() < 0.5
        else random.random((n, 4)).round(2) * 250
    )


def _mixed(random, pool, n, share):
    return np.where(random.random((n, 1)) < share, pool[random.integers(0, len(pool), n)], _boxes(random, n))


def make_truth(random):
    """1…4 images, 1…3 categories, 0…14 annotations, a quarter of them crowds; and the boxes they come from."""
    images = random.choice(20, random.integers(1, 5), replace=False)
    categories = np.sort(random.choice(10, random.integers(1, 4), replace=False))
    n, pool = random.integers(0, 15), _boxes(random, 6)
    boxes = _mixed(random, pool, n, 0.5)
    truth = GroundTruth(
        path=Path("random"),
        sha256="",
        images=tuple(ImageRow(int(number)) for number in images),
        categories={int(number): f"name {number}" for number in categories},
        info=None,
        ids=random.permutation(np.arange(n) + random.integers(0, 2)).astype(np.int64),
        image_ids=random.choice(images, n),
        category_ids=random.choice(categories, n),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3] * random.choice([1, 0.4], n),
        crowd=random.random(n) < 0.25,
    )
    return truth, pool


def one_object(box):
    """Image 1 with one object of category 1."""
    return GroundTruth(
        path=Path("one"),
        sha256="",
        images=(ImageRow(1),),
        categories={1: "thing"},
        info=None,
        ids=np.array([1]),
        image_ids=np.array([1]),
        category_ids=np.array([1]),
        boxes=np.array([box], float),
        areas=np.array([box[2] * box[3]], float),
        crowd=np.array([False]),
    )


def make_detections(random, truth, pool, ties=True):
    """0…59 detections, most of them on the annotations' boxes."""
    n = random.integers(0, 60)
    boxes = _mixed(random, pool, n, 0.7) + random.integers(-1, 2, (n, 4)).clip(0)
    scores = random.choice([0.1, 0.5, 0.9], n) if ties and random.random() < 0.4 else random.random(n)
    images = random.choice([row.id for row in truth.images], n)
    categories = random.choice(list(truth.categories), n)
    return DetectionTable(np.column_stack([images, boxes, scores, categories]).reshape(-1, 7).astype(float))


def make_subset(random, truth):
    """Some of the images, or None for all."""
    ids = [row.id for row in truth.images]
    return (
        None
        if random.random() < 0.5
        else random.permutation(ids)[: random.integers(1, len(ids) + 1)].tolist()
    )


def pycocotools(truth, table, image_ids=None, area=(0.0, 1e10), limit=100):
    """Evaluate with pycocotools itself, from its own kind of objects, in one range of areas."""
    keys = ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
    columns = (
        truth.ids,
        truth.image_ids,
        truth.category_ids,
        truth.boxes,
        truth.areas,
        truth.crowd.astype(int),
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    with contextlib.redirect_stdout(io.StringIO()):
        annotations, detections = COCO(), COCO()
        annotations.dataset = {
            "images": [{"id": row.id} for row in truth.images],
            "categories": [{"id": number, "name": name} for number, name in truth.categories.items()],
            "annotations": [dict(zip(keys, row, strict=True)) for row in rows],
        }
        annotations.createIndex()
        if len(table):
            found = [
                {"image_id": int(r[0]), "bbox": r[1:5], "score": r[5], "category_id": int(r[6])}
                for r in table.rows.tolist()
            ]
            detections = annotations.loadRes(found)
        evaluation = COCOeval(annotations, detections, "bbox")
        if image_ids is not None:
            evaluation.params.imgIds = list(image_ids)
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [list(area)], ["one"]
        evaluation.params.maxDets = [limit]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation
