"""Hold COCO's figures against pycocotools itself on random sets full of edges, to the last digit.

    python -m tests.benchmarks.bench_parity [--sets 500] [--seed N]

Each set is written to two files; pycocotools reads them as its users do, all engines as ours do. The sets
have crowds, `ignore`, equal scores, equal boxes, boxes across and beyond the border and without a side, more than 100
detections an image and class, categories that the annotations do not know, images without anything, subsets of the
images, areas on the edges between small, medium and large, masks' areas that are not those of the boxes, annotations
with the id 0, and ids with gaps. Compared are the 12 figures and the AP of each category, with `==`. A set that
differs is printed with its number, so that it can be made again.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.accuracy.coco import evaluate

ENGINES = ("harness", "hotcoco", "pycocotools")
EDGES = (16, 32, 96, 31.999, 32.001, 95.999, 96.001)
"""Sides of squares on and beside the edges between COCO's areas, in pixels."""
WIDTH, HEIGHT = 320, 240


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seen, figures, different = Counter(), 0, []
        for number in range(options.sets):
            made = make(np.random.default_rng([options.seed, number]))
            seen.update(made["edges"])
            compared, problems = compare(made, Path(folder))
            figures += compared
            different += [f"set {number}: {problem}" for problem in problems]
    print(*different[:20], sep="\n")
    print(f"{options.sets} sets, {figures} figures of each of {', '.join(ENGINES)}: {len(different)} differ")
    print("sets with " + ", ".join(f"{name}: {count}" for name, count in sorted(seen.items())))
    return 1 if different else 0


# -- the sets ------------------------------------------------------------------------------------------------------


def make(rng: np.random.Generator) -> dict[str, Any]:
    """Draw a set: annotations, detections, the images to evaluate (None for all), and the edges that it has."""
    edges = [
        name
        for name in ("crowds", "ignore", "ties", "borders", "crowded", "area edges")
        if rng.random() < 0.5
    ]
    edges += [
        name for name in ("unknown categories", "subset", "masks", "id 0", "gaps") if rng.random() < 0.25
    ]
    step = 7 if "gaps" in edges else 1
    images = [1 + step * k for k in range(int(rng.integers(1, 9)))]
    categories = [1 + step * k for k in range(int(rng.integers(1, 6)))]
    annotations = _annotations(rng, images, categories, edges)
    return {
        "edges": edges,
        "annotations": {
            "images": [{"id": k, "width": WIDTH, "height": HEIGHT, "file_name": f"{k}.jpg"} for k in images],
            "categories": [{"id": k, "name": f"class {k}"} for k in categories],
            "annotations": annotations,
        },
        "detections": _detections(rng, images, categories, annotations, edges),
        "image_ids": _subset(rng, images) if "subset" in edges else None,
    }


def _subset(rng: np.random.Generator, images: list[int]) -> list[int]:
    return sorted(rng.choice(images, int(rng.integers(1, len(images) + 1)), replace=False).tolist())


def _annotations(rng, images: list[int], categories: list[int], edges: list[str]) -> list[dict[str, Any]]:
    found = []
    for number in range(int(rng.integers(1, 12 * len(images)))):
        box = _box(rng, edges)
        area = box[2] * box[3] * (float(rng.uniform(0.2, 1)) if "masks" in edges else 1.0)
        found.append(
            {
                "id": number + (0 if "id 0" in edges else 1),
                "image_id": int(rng.choice(images)),
                "category_id": int(rng.choice(categories)),
                "bbox": box,
                "area": area,
                "iscrowd": int("crowds" in edges and rng.random() < 0.25),
            }
        )
        if "ignore" in edges:
            found[-1]["ignore"] = int(rng.random() < 0.3)
    return found


def _box(rng: np.random.Generator, edges: list[str]) -> list[float]:
    if "area edges" in edges and rng.random() < 0.4:
        width = height = float(rng.choice(EDGES))
    else:
        width, height = np.round(np.exp(rng.uniform(np.log(4), np.log(200), 2)), 2).tolist()
    x, y = np.round(rng.uniform(0, [WIDTH, HEIGHT]) - [width / 2, height / 2], 2).tolist()
    if "borders" not in edges:
        x, y = max(x, 0.0), max(y, 0.0)
    return [x, y, width, height]


def _detections(rng, images, categories, annotations, edges: list[str]) -> list[dict[str, Any]]:
    near = [_near(rng, annotation) for annotation in annotations for _ in range(int(rng.integers(0, 4)))]
    far = [
        (int(rng.choice(images)), int(rng.choice(categories)), _box(rng, edges))
        for _ in range(int(rng.integers(1, 30)))
    ]
    if "crowded" in edges:
        image, category = int(rng.choice(images)), int(rng.choice(categories))
        far += [(image, category, _box(rng, edges)) for _ in range(int(rng.integers(95, 140)))]
    if "unknown categories" in edges:
        far += [(int(rng.choice(images)), max(categories) + 3, _box(rng, edges)) for _ in range(5)]
    if "borders" in edges:
        far += [(image, category, [*box[:2], 0.0, box[3]]) for image, category, box in far[:2]]
    rows = [*near, *far]
    names = ("image_id", "category_id", "bbox", "score")
    scores = _scores(rng, len(rows), "ties" in edges)
    return [dict(zip(names, (*rows[k], scores[k]), strict=True)) for k in rng.permutation(len(rows))]


def _near(rng: np.random.Generator, annotation: dict[str, Any]) -> tuple[int, int, list[float]]:
    """Return a detection of an annotation: exact, a little off, or so that the IoU is on a threshold."""
    x, y, width, height = annotation["bbox"]
    how = rng.random()
    if how < 0.2:
        box = [x, y, width, height]
    elif how < 0.4:
        box = [x, y, width, height * float(rng.choice([0.5, 0.75, 0.8, 0.95]))]
    else:
        moved = annotation["bbox"] + rng.normal(0, 0.1, 4) * [width, height, width, height]
        box = np.round(np.maximum(moved, [-50, -50, 0.5, 0.5]), 2).tolist()
    return annotation["image_id"], annotation["category_id"], box


def _scores(rng: np.random.Generator, n: int, ties: bool) -> list[float]:
    return (rng.integers(1, 6, n) / 5 if ties else np.round(rng.random(n), 5)).tolist()


# -- the comparison ------------------------------------------------------------------------------------------------


def compare(made: dict[str, Any], folder: Path) -> tuple[int, list[str]]:
    """Return how many figures an engine was asked for, and what differs from pycocotools."""
    truth, found = folder / "instances.json", folder / "detections.json"
    truth.write_text(json.dumps(made["annotations"]))
    found.write_text(json.dumps(made["detections"]))
    wanted = _reference(truth, found, made["image_ids"])
    problems = []
    for engine in ENGINES:
        seen = evaluate(truth, found, made["image_ids"], engine=engine)
        ours = [*msgspec.structs.astuple(seen.figures), *seen.ap_per_category.values()]
        for place, (mine, theirs) in enumerate(zip(ours, wanted, strict=True)):
            if (-1.0 if mine is None else mine) != theirs:
                problems.append(
                    f"{engine}, figure {place}: {mine!r}, pycocotools {theirs!r}; {made['edges']}"
                )
    return len(wanted), problems


def _reference(annotations: Path, detections: Path, image_ids: list[int] | None) -> list[float]:
    """Return the 12 figures and the categories' APs of pycocotools, run on the files; -1 is unknown."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(annotations))
        evaluation = COCOeval(truth, truth.loadRes(str(detections)), "bbox")
        if image_ids is not None:
            evaluation.params.imgIds = image_ids
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    known = [precision[:, :, k][precision[:, :, k] > -1] for k in range(precision.shape[2])]
    return [*evaluation.stats.tolist(), *(float(np.mean(part)) if part.size else -1.0 for part in known)]


if __name__ == "__main__":
    sys.exit(main())
