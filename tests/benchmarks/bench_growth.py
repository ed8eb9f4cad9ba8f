"""How the work of what users wait for grows: each part at one size and at ten times that, and the exponent between.

    python -m tests.benchmarks.bench_growth

1 is linear; sorting adds a little. The bootstrap is linear in the images, as its resamples stay; so is a diagnosis, but
for reading the models and for the layers, whose tensors and costs are measured on some of the images.
"""

from __future__ import annotations

import math
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.accuracy import array_curves
from harness.accuracy.annotations import GroundTruth, ImageRow
from harness.accuracy.bootstrap import map_interval
from harness.accuracy.coco import evaluate
from harness.accuracy.detections import DetectionTable
from harness.accuracy.matches import match
from harness.accuracy.pixel_values import values_by
from harness.detectors.nms import NmsSettings, suppress
from harness.diagnosis.diagnose import gather
from harness.diagnosis.request import Request, make_case
from harness.rows.reading import read_rows
from tests.benchmarks.bench_html import write_run
from tests.benchmarks.bench_metrics import make_data
from tests.support.paths import REPOSITORY

TIMES = 10
CATEGORIES, DETECTIONS_EACH, OBJECTS_EACH = 80, 98, 7
CELLS_A_RUN = 50
MOST = 1.25
"""Greatest exponent: what is linear, with caches that no longer hold the larger size."""


def data(n_images: int) -> tuple[GroundTruth, DetectionTable]:
    """Draw annotations and detections near them."""
    random = np.random.default_rng(n_images)
    n_objects, n_found = n_images * OBJECTS_EACH, n_images * DETECTIONS_EACH
    boxes = np.hstack([random.uniform(0, 400, (n_objects, 2)), random.uniform(8, 200, (n_objects, 2))])
    images, classes = (
        random.integers(1, n_images + 1, n_objects),
        random.integers(1, CATEGORIES + 1, n_objects),
    )
    of = np.sort(random.integers(0, n_objects, n_found))
    found = boxes[of] * random.normal(1, 0.1, (n_found, 4))
    rows = np.column_stack([images[of], found, random.random(n_found), classes[of]]).astype(np.float64)
    truth = GroundTruth(
        path=REPOSITORY,
        sha256="",
        images=tuple(ImageRow(number) for number in range(1, n_images + 1)),
        categories={number: str(number) for number in range(1, CATEGORIES + 1)},
        info=None,
        ids=np.arange(1, n_objects + 1),
        image_ids=images,
        category_ids=classes,
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=np.zeros(n_objects, np.bool_),
    )
    return truth, DetectionTable(rows)


def figures(n_images: int) -> Callable[[], object]:
    """COCO's figures."""
    truth, table = data(n_images)
    return lambda: array_curves.compute(truth, table, [row.id for row in truth.images])


def matching(n_images: int) -> Callable[[], object]:
    """Which detection found which annotation."""
    truth, table = data(n_images)
    return lambda: match(truth, table)


def bootstrap(n_images: int) -> Callable[[], object]:
    """An interval of an mAP, 100 resamples."""
    truth, table = data(n_images)
    return lambda: map_interval(truth, table, resamples=100)


def pixels(n_rows: int) -> Callable[[], object]:
    """Pixels of so many rows to values."""
    mean, std = (127.5,) * 3, (127.5,) * 3
    values = values_by(((np.arange(256) - 127.5) / 127.5).astype(np.float32), mean, std)
    image = np.random.default_rng(0).integers(0, 256, (n_rows, 640, 3), np.uint8)
    return lambda: values(image)


def suppression(n_boxes: int) -> Callable[[], object]:
    """Suppression of so many boxes, of which as many as ever are kept."""
    random = np.random.default_rng(1)
    low = random.uniform(0, 1, (n_boxes, 2)).astype(np.float32)
    boxes = np.hstack([low, low + random.uniform(0.02, 0.4, (n_boxes, 2)).astype(np.float32)])
    scores = random.uniform(0, 1, (n_boxes, CATEGORIES)).astype(np.float32)
    return lambda: suppress(boxes, scores, NmsSettings("class-aware", 0.001, 0.6, 300))


def evaluation(n_images: int) -> Callable[[], object]:
    """An evaluation from its two files to the figures."""
    place = kept_folder()
    make_data(place, n_images, n_images * OBJECTS_EACH, n_images * DETECTIONS_EACH)
    return lambda: evaluate(place / "instances.json", place / "detections.json")


def report(n_cells: int) -> Callable[[], object]:
    """The rows of so many cells in runs of a few, from records and samples, with no rows kept."""
    place = kept_folder()
    for number in range(n_cells // CELLS_A_RUN):
        write_run(place / "results" / f"20261121-{number:06d}-abcd", CELLS_A_RUN)

    def read() -> object:
        os.environ["HARNESS_CACHE"] = str(kept_folder())
        return read_rows([place / "results"])

    return read


def diagnosis(n_images: int) -> Callable[[], object]:
    """The measurements of a diagnosis of the bundled pair."""
    dataset = REPOSITORY / "models" / "shapes" / "dataset"
    request = Request("shapes-float32", "shapes-full-integer", dataset=dataset, limit=n_images)
    case = make_case(request, lambda _: None)
    return lambda: gather(case)


def kept_folder() -> Path:
    """Make a folder that lasts as long as the benchmark."""
    return Path(tempfile.mkdtemp(dir=FOLDER.name))


FOLDER = tempfile.TemporaryDirectory()
PARTS = {
    "COCO's figures, images": (figures, 400),
    "matching, images": (matching, 400),
    "bootstrap, images": (bootstrap, 400),
    "pixels to values, rows": (pixels, 300),
    "NMS, boxes of 80 classes": (suppression, 2_500),
    "evaluation of files, images": (evaluation, 200),
    "report, cells": (report, 300),
    "diagnosis, images": (diagnosis, 22),
}


def main() -> int:
    """Print a line a part, and fail where one grows faster than it may."""
    worst = 0.0
    print(f"{'':30}{'size':>8}{'ms':>10}{'× 10: ms':>12}{'exponent':>10}")
    for name, (make, size) in PARTS.items():
        one, ten = (least_ms(make(n)) for n in (size, size * TIMES))
        exponent = math.log(ten / one, TIMES)
        worst = max(worst, exponent)
        print(f"{name:30}{size:8}{one:10.1f}{ten:12.1f}{exponent:10.2f}", flush=True)
    print(f"wanted: at most {MOST}")
    return 0 if worst <= MOST else 1


def least_ms(work: Callable[[], object]) -> float:
    """Return the least CPU milliseconds of some repetitions."""
    times = []
    for _ in range(4):
        begin = time.process_time()
        work()
        times.append(time.process_time() - begin)
    return min(times) * 1e3


if __name__ == "__main__":
    raise SystemExit(main())
