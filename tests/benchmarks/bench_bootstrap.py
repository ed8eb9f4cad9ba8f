"""The interval of an mAP over images: its time and memory at the size of COCO val2017, and its coverage.

    python -m tests.benchmarks.bench_bootstrap [--quick] [--images 5000] [--resamples 1000] [--repeat 200]

Makes a seeded data set as bench_metrics.py does and computes the interval in a process of its own. Then draws
small data sets from populations whose mAP is known (that of 40,000 images and more) and prints how often the
interval holds it, the paired interval the true difference, and, beside them, what percentile intervals of the
bootstrap with replacement hold. The share of p < 0.05 is that of two equally good models.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from harness.accuracy.bootstrap import difference, interval, map_interval
from harness.accuracy.resample import Category, mean_average_precision
from tests.benchmarks.bench_metrics import make_data, peak_bytes

NONE = np.empty(0, np.int64)
MOST_SECONDS, WANTED_CPU_S = 30.0, 3.0
CASES = (
    *((50, 1), (50, 10), (50, 40), (100, 3), (100, 80), (200, 1), (200, 10), (200, 80)),
    *((500, 3), (500, 40), (1000, 10)),
)
QUICK_CASES = ((100, 3), (50, 40), (200, 10))
SHIFT = 0.15
"""How much easier every object is for the second model."""


def main() -> int:
    """Run the benchmark, or its timed process."""
    arguments = _arguments()
    if arguments.folder:
        return _timed(arguments.folder, arguments.resamples)
    ended = _time(arguments.images, arguments.resamples)
    print(f"\n{'images':>7}{'classes':>8}{'truth':>8}{'width':>8}{'covers':>8}{'percentile':>11}", end="")
    print(f"{'paired':>9}{'width':>8}{'p < 0.05':>9}   (95 % each; the last 5 %)")
    for n_images, n_classes in QUICK_CASES if arguments.quick else CASES:
        _cover(n_images, n_classes, arguments.repeat)
    return 0 if ended else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--repeat", type=int, help="data sets drawn for each line of the table")
    parser.add_argument("--quick", action="store_true", help="500 images, 60 data sets, two lines")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.images = arguments.images or (500 if arguments.quick else 5000)
    arguments.repeat = arguments.repeat or (60 if arguments.quick else 200)
    return arguments


def _time(n_images: int, resamples: int) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        make_data(Path(folder), n_images, n_images * 36 // 5, n_images * 98)
        command = [sys.executable, __file__, "--folder", folder, "--resamples", str(resamples)]
        result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
    print(f"{n_images} images, {n_images * 98} detections, {resamples} resamples, matching included:")
    print(
        f"{result['seconds']:.1f} s ({result['cpu']:.1f} s of CPU), peak {result['peak_mb']:.0f} MB", end=""
    )
    print(f", of which {result['data_mb']:.0f} MB with the data alone")
    print(f"wanted: {WANTED_CPU_S:.0f} s of CPU with 5,000 images and 1,000 resamples")
    return bool(result["seconds"] < MOST_SECONDS)


def _timed(folder: Path, resamples: int) -> int:
    from harness.accuracy.annotations import read_annotations
    from harness.accuracy.detections import load_detections

    truth, table = read_annotations(folder / "instances.json"), load_detections(folder / "detections.json")
    data, start, cpu = peak_bytes() / 1e6, time.perf_counter(), time.process_time()
    map_interval(truth, table, resamples=resamples)
    times = {"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu}
    print(json.dumps({**times, "peak_mb": peak_bytes() / 1e6, "data_mb": data}))
    return 0


# -- coverage ----------------------------------------------------------------------------------------------------


def sample(
    random: np.random.Generator, n_images: int, n_classes: int, shift: float = SHIFT
) -> list[list[Category]]:
    """Draw what two models find in the same images; the k-th class has 1.2 / k objects an image."""
    models: list[list[Category]] = [[], []]
    hard = random.normal(0, 0.7, n_images)
    for k in range(1, n_classes + 1):
        objects = random.poisson(1.2 / k * random.gamma(1.0, 1.0, n_images))
        truth = np.repeat(np.arange(n_images), objects)
        ease = 0.6 - hard[truth] + random.normal(0, 0.8, len(truth))
        for model, more in zip(models, (0.0, shift), strict=True):
            if len(truth):
                model.append(_found(random, n_images, truth, ease + more, 2.4 / k * np.exp(0.5 * hard)))
    return models


def _found(
    random: np.random.Generator, n_images: int, truth: np.ndarray, ease: np.ndarray, wrong: np.ndarray
) -> Category:
    ease = ease + random.normal(0, 0.6, len(ease))
    right, ease = truth[ease > 0], ease[ease > 0]
    false = np.repeat(np.arange(n_images), random.poisson(wrong))
    scores = np.concatenate(
        [0.6 * ease + random.normal(0.8, 1, len(ease)), random.normal(-0.8, 1, len(false))]
    )
    quality = np.concatenate([0.5 * (1 + random.beta(2, 2, len(ease))) + 0.05 * ease, np.zeros(len(false))])
    order = np.argsort(-scores)
    hits = tuple(np.flatnonzero(quality[order] >= t) for t in np.linspace(0.5, 0.95, 10))
    return Category(truth, np.concatenate([right, false])[order], hits, (NONE,) * 10)


def _cover(n_images: int, n_classes: int, repeat: int, resamples: int = 200) -> None:
    random = np.random.default_rng(n_images + n_classes)
    many = 100_000 if n_classes <= 3 else 40_000
    population = sample(random, many, n_classes)
    first, second = (mean_average_precision(m, np.ones((1, many), np.int32))[0] for m in population)
    single, percentile, paired, equal = [], [], [], []
    for seed in range(repeat):
        models = sample(random, n_images, n_classes)
        ends = interval(models[0], n_images, resamples, seed)
        single.append((ends.low, ends.high))
        percentile.append(_percentile(random, models[0], n_images, resamples))
        change = difference(*models, n_images, resamples, seed)
        paired.append((change.low, change.high))
        equal.append(difference(*sample(random, n_images, n_classes, 0.0), n_images, resamples, seed).p)
    shares = _share(single, first), _share(percentile, first), _share(paired, second - first)
    false = np.mean(np.array(equal) < 0.05)
    print(f"{n_images:>7}{n_classes:>8}{first:>8.3f}{_width(single):>8.3f}{shares[0]:>8.1%}", end="")
    print(f"{shares[1]:>11.1%}{shares[2]:>9.1%}{_width(paired):>8.3f}{false:>9.1%}", flush=True)


def _percentile(
    random: np.random.Generator, model: list[Category], n_images: int, resamples: int
) -> np.ndarray:
    weights = random.multinomial(n_images, np.full(n_images, 1 / n_images), resamples).astype(np.int32)
    return np.nanquantile(mean_average_precision(model, weights), [0.025, 0.975])


def _share(ends: list, value: float) -> float:
    low, high = np.array(ends).T
    return float(((low <= value) & (value <= high)).mean())


def _width(ends: list) -> float:
    low, high = np.array(ends).T
    return float((high - low).mean() / 2)


if __name__ == "__main__":
    sys.exit(main())
