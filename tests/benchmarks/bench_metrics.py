"""COCO metrics at the size of COCO val2017: this package against pycocotools.

    python -m tests.benchmarks.bench_metrics [--images 5000] [--annotations 36000] [--detections 490000]

Makes a seeded data set, runs each engine in a process of its own from the two files to the 12 figures, and
prints the seconds of CPU and of the clock (imports left out, and for the whole process), their ratio, the peak memory
and whether the figures are equal.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CATEGORIES = 80
WIDTH, HEIGHT = 640, 480
TOLERANCE = 1e-9


def main() -> int:
    """Run the benchmark, or one engine of it."""
    arguments = _arguments()
    if arguments.engine:
        return _one_engine(arguments.engine, arguments.folder)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder, arguments.images, arguments.annotations, arguments.detections)
        ours = [_measure("harness", folder) for _ in range(arguments.repeat)]
        theirs = _measure("pycocotools", folder)
    return _report(min(ours, key=lambda result: result["cpu"]), theirs)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=5_000)
    parser.add_argument("--annotations", type=int, default=36_000)
    parser.add_argument("--detections", type=int, default=490_000)
    parser.add_argument("--repeat", type=int, default=3, help="runs of this package; the fastest counts")
    parser.add_argument("--engine", choices=("harness", "pycocotools"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def make_data(folder: Path, n_images: int, n_annotations: int, n_detections: int, seed: int = 0) -> None:
    """Write `instances.json` and `detections.json`: boxes near the truth, and false ones, on every image."""
    random = np.random.default_rng(seed)
    truth = _boxes(random, n_annotations)
    images = random.integers(1, n_images + 1, n_annotations)
    categories = random.integers(1, CATEGORIES + 1, n_annotations)
    of = random.integers(0, n_annotations, n_detections)
    near = truth[of] * random.normal(1, 0.08, (n_detections, 4))
    is_near = random.random(n_detections) < 0.3
    found = np.round(np.where(is_near[:, None], near, _boxes(random, n_detections)), 3)
    scores = np.where(is_near, random.beta(3, 2, n_detections), random.beta(1, 6, n_detections))
    _write_truth(folder / "instances.json", random, n_images, images, categories, truth)
    rows = zip(
        images[of].tolist(),
        categories[of].tolist(),
        found.tolist(),
        scores.astype("f4").tolist(),
        strict=True,
    )
    names = ("image_id", "category_id", "bbox", "score")
    (folder / "detections.json").write_text(json.dumps([dict(zip(names, row, strict=True)) for row in rows]))


def _boxes(random: np.random.Generator, n: int) -> np.ndarray:
    size = np.exp(random.uniform(np.log(8), np.log(300), (n, 2)))
    corner = random.random((n, 2)) * np.maximum([WIDTH, HEIGHT] - size, 1)
    return np.round(np.hstack([corner, size]), 2)


def _write_truth(
    path: Path,
    random: np.random.Generator,
    n_images: int,
    images: np.ndarray,
    categories: np.ndarray,
    boxes: np.ndarray,
) -> None:
    n = len(boxes)
    outlines = np.round(boxes[:, None, :2] + random.random((n, 25, 2)) * boxes[:, None, 2:], 2).reshape(n, -1)
    names = ("id", "image_id", "category_id", "bbox", "area", "iscrowd", "segmentation")
    areas = np.round(boxes[:, 2] * boxes[:, 3] * 0.6, 4).tolist()
    crowd = (random.random(n) < 0.01).astype(int).tolist()
    columns = (
        range(1, n + 1),
        images.tolist(),
        categories.tolist(),
        boxes.tolist(),
        areas,
        crowd,
        outlines.tolist(),
    )
    sizes = {"width": WIDTH, "height": HEIGHT}
    document = {
        "images": [{"id": k, "file_name": f"{k:012d}.jpg", **sizes} for k in range(1, n_images + 1)],
        "annotations": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)],
        "categories": [{"id": k, "name": f"category {k}"} for k in range(1, CATEGORIES + 1)],
    }
    path.write_text(json.dumps(document))


def _measure(engine: str, folder: Path) -> dict:
    start, cpu = time.perf_counter(), _children_cpu()
    command = [sys.executable, __file__, "--engine", engine, "--folder", str(folder)]
    environment = dict(os.environ)
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as after an installation
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    whole = {"process": time.perf_counter() - start, "process_cpu": _children_cpu() - cpu}
    return {**json.loads(done.stdout.splitlines()[-1]), **whole}


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _one_engine(engine: str, folder: Path) -> int:
    run = _harness if engine == "harness" else _pycocotools
    figures, times = run(folder / "instances.json", folder / "detections.json")
    print(json.dumps({"figures": figures, **times, "peak_mb": peak_bytes() / 1e6}))
    return 0


def peak_bytes() -> float:
    """On Linux from /proc: getrusage counts what the parent held when it started this process."""
    status = Path("/proc/self/status")
    if status.is_file():
        return 1024.0 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _harness(annotations: Path, detections: Path) -> tuple[list[float | None], dict[str, float]]:
    import msgspec

    from harness.accuracy.coco import evaluate

    start = time.perf_counter(), time.process_time()
    evaluation = evaluate(annotations, detections)
    return list(msgspec.structs.astuple(evaluation.figures)), _since(*start)


def _since(wall: float, cpu: float) -> dict[str, float]:
    return {"seconds": time.perf_counter() - wall, "cpu": time.process_time() - cpu, "start_cpu": cpu}


def _pycocotools(annotations: Path, detections: Path) -> tuple[list[float | None], dict[str, float]]:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    start = time.perf_counter(), time.process_time()
    truth = COCO(str(annotations))
    evaluation = COCOeval(truth, truth.loadRes(str(detections)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    figures = [None if value == -1 else float(value) for value in evaluation.stats]
    return figures, _since(*start)


def _report(ours: dict, theirs: dict) -> int:
    columns = ("cpu", "seconds", "process_cpu", "process")
    print(f"{'':14}{'CPU s':>10}{'clock s':>10}{'process':>10}{'clock s':>10}{'peak MB':>10}")
    for name, result in (("harness", ours), ("pycocotools", theirs)):
        print(
            f"{name:14}" + "".join(f"{result[key]:>10.2f}" for key in columns) + f"{result['peak_mb']:>10.0f}"
        )
    print(f"{'ratio':14}" + "".join(f"{theirs[key] / ours[key]:>10.1f}" for key in columns))
    print("wanted: 90 and, of the whole process, 75 times as fast; 200 MB at most")
    rest = ours["process_cpu"] - ours["cpu"] - ours["start_cpu"]
    print(
        f"of the process, Python, NumPy and imports take {ours['start_cpu']:.2f} s of CPU, its end {rest:.2f} s"
    )
    pairs = list(zip(ours["figures"], theirs["figures"], strict=True))
    worst = max((abs(a - b) for a, b in pairs if a is not None and b is not None), default=0.0)
    equal = worst <= TOLERANCE and all((a is None) == (b is None) for a, b in pairs)
    print(f"12 figures {'equal' if equal else 'DIFFER'}, greatest difference {worst:.1e}")
    return 0 if equal else 1


if __name__ == "__main__":
    sys.exit(main())
