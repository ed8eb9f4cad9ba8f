"""Hold the interval of an mAP and of paired differences against populations of boxes whose mAP is known.

    python -m tests.benchmarks.bench_populations [--quick] [--seed N] [--images 50,100] [KIND …]

Draws data sets of boxes, not of matches: objects of several sizes in images that are harder and easier, found with
errors, twice, or not at all, and false ones. The truth is the mAP of 20,000 images of the same kind. Printed are, for
each kind and number of images, how much the point is too high on average, how often the interval holds the truth and on
which side it misses, how often the paired interval holds the true difference of a model that is a little better, and
how often an equally good model is called different.

common N: N classes that are equally frequent, 7 objects an image together. rare N: the k-th has 1.2 / k objects.
crowds:   10 classes, one annotation in five is a crowd. clips: 10 classes, ten frames a clip, resampled by clip; clips
          as images: the same, resampled by image, which is what not knowing of clips does.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.accuracy import bootstrap
from harness.accuracy.annotations import GroundTruth, ImageRow
from harness.accuracy.coco import clusters_of
from harness.accuracy.detections import DetectionTable
from harness.accuracy.matches import match
from harness.accuracy.resample import categories, mean_average_precision

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

SIZES = (50, 100, 200, 500, 2000)
POPULATION = 20_000
RESAMPLES = 100
SHIFT = 0.15
"""How much easier every object is for the better model."""
FRAMES = 10
DRAWS = {50: 100, 100: 100, 200: 60, 500: 30, 2000: 12}
"""Data sets a line; more images take longer."""
WIDTH, HEIGHT = 640.0, 480.0


@dataclass(frozen=True)
class Kind:
    """What a population is like: objects an image of each class, the share of crowds, frames a clip."""

    rates: Floats
    crowds: float = 0.0
    frames: int = 1
    known: bool = True


def common(n: int) -> Floats:
    return np.full(n, 7.0 / n)


KINDS: dict[str, Kind] = {
    "common 3": Kind(common(3)),
    "common 10": Kind(common(10)),
    "common 80": Kind(common(80)),
    "rare 10": Kind(1.2 / np.arange(1, 11)),
    "rare 80": Kind(1.2 / np.arange(1, 81)),
    "crowds": Kind(common(10), crowds=0.2),
    "clips": Kind(common(10), frames=FRAMES),
    "clips as images": Kind(common(10), frames=FRAMES, known=False),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", help=f"which of {', '.join(KINDS)}; all without")
    parser.add_argument("--images", default=",".join(map(str, SIZES)))
    parser.add_argument("--draws", type=int, help="data sets a line")
    parser.add_argument(
        "--quick", action="store_true", help="40 data sets a line, and no line of 2,000 images"
    )
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    sizes = [int(n) for n in options.images.split(",") if not (options.quick and int(n) > 500)]
    print(
        f"{'':18}{'images':>7}{'sets':>6}{'mAP':>7}{'bias':>8}{'width':>7}{'covers':>8}{'below':>7}{'above':>7}",
        end="",
    )
    print(f"{'paired':>8}{'alarms':>8}   (covers, below, above: of the mAP; %)")
    for name in options.kinds or KINDS:
        truths = _truths(KINDS[name], options.seed)
        for n in sizes:
            draws = options.draws or (40 if options.quick else DRAWS.get(n, 100))
            _line(name, n, draws, truths, options.seed)


def _line(name: str, n_images: int, draws: int, truths: Floats, seed: int) -> None:
    rng, begin = np.random.default_rng([seed, n_images, len(name)]), time.perf_counter()
    found = np.array([measured(rng, KINDS[name], n_images) for _ in range(draws)])
    value, low, high, apart_low, apart_high, same_low, same_high = found.T
    below, above = high < truths[0], low > truths[0]
    true = truths[1] - truths[0]
    paired = (apart_low <= true) & (true <= apart_high)
    alarms = (same_low > 0) | (same_high < 0)
    shares = " ".join(
        f"{100 * share:6.1f}" for share in (1 - (below | above).mean(), below.mean(), above.mean())
    )
    print(f"{name:18}{n_images:7}{draws:6}{truths[0]:7.3f}{value.mean() - truths[0]:+8.3f}", end="")
    print(f"{(high - low).mean() / 2:7.3f}  {shares}", end="")
    print(
        f"{100 * paired.mean():8.1f}{100 * alarms.mean():8.1f}   {time.perf_counter() - begin:.0f} s",
        flush=True,
    )


def _truths(kind: Kind, seed: int) -> Floats:
    """Return the mAPs of both models on many single images: those of one clip are, each alone, like any others."""
    rng = np.random.default_rng([seed, POPULATION])
    truth, tables = draw(rng, Kind(kind.rates, kind.crowds), POPULATION)
    weights = np.ones((1, POPULATION), np.int32)
    return np.array(
        [mean_average_precision(categories(match(truth, table)), weights)[0] for table in tables[:2]]
    )


def measured(rng: np.random.Generator, kind: Kind, n_images: int) -> Sequence[float]:
    """Draw a data set; return the mAP and the ends of its interval and of those of both differences."""
    truth, tables = draw(rng, kind, n_images)
    ids = list(range(n_images))
    clusters = clusters_of(truth, ids)
    drawn = np.arange(n_images) if clusters is None else clusters
    n_drawn = int(drawn.max()) + 1
    found = [categories(match(truth, table, ids)) for table in tables]
    # private: what `map_interval` and `paired_difference` do, of one drawing of halves for all
    whole, halves = bootstrap._evaluate(found, drawn, RESAMPLES, int(rng.integers(1 << 30)))
    ends = [whole[0], *bootstrap._bounds(whole[0], halves[0], n_drawn)]
    for k in (1, 2):
        ends += bootstrap._difference_bounds(whole[k] - whole[0], halves[k] - halves[0], n_drawn)[:2]
    return [np.nan if value is None else value for value in ends]


# -- one data set --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Scene:
    """Objects, the frames of a clip one after another."""

    images: Ints
    classes: Ints
    boxes: Floats
    ease: Floats
    crowd: npt.NDArray[np.bool_]
    hard: Floats


def draw(rng: np.random.Generator, kind: Kind, n_images: int) -> tuple[GroundTruth, list[DetectionTable]]:
    """Draw annotations and what three models find: the first, a better one, and one as good as the first."""
    scene = _scene(rng, kind, n_images)
    order = np.argsort(scene.images, kind="stable")
    truth = GroundTruth(
        path=Path("populations.json"),
        sha256="",
        images=tuple(
            ImageRow(k, video_id=k // kind.frames if kind.frames > 1 and kind.known else None)
            for k in range(n_images)
        ),
        categories={k: f"class {k}" for k in range(1, len(kind.rates) + 1)},
        info=None,
        ids=np.arange(1, len(order) + 1),
        image_ids=scene.images[order],
        category_ids=scene.classes[order],
        boxes=scene.boxes[order],
        areas=scene.boxes[order, 2:].prod(axis=1),
        crowd=scene.crowd[order],
    )
    return truth, [_found(rng, kind, scene, n_images, more) for more in (0.0, SHIFT, 0.0)]


def _scene(rng: np.random.Generator, kind: Kind, n_images: int) -> _Scene:
    n_clips = -(-n_images // kind.frames)
    hard = rng.normal(0, 0.7, n_clips)
    counts = rng.poisson(kind.rates * rng.gamma(1.0, 1.0, (n_clips, len(kind.rates))))
    clip, of = np.nonzero(counts)
    times = counts[clip, of]
    clips, classes = np.repeat(clip, times), np.repeat(of + 1, times)
    n = len(clips)
    size = np.exp(rng.normal(np.log(70), 0.8, (n, 1)) + rng.normal(0, 0.25, (n, 2))).clip(6, 400)
    boxes = np.hstack([rng.random((n, 2)) * np.maximum([WIDTH, HEIGHT] - size, 1), size])
    small = 0.5 * (np.log(size.prod(axis=1)) / 2 - np.log(70))
    crowd = rng.random(n) < kind.crowds
    boxes[crowd, 2:] *= 2
    ease = 0.6 - hard[clips] + small + rng.normal(0, 0.8, n)
    return _frames(rng, kind, n_images, _Scene(clips, classes, boxes, ease, crowd, hard))


def _frames(rng: np.random.Generator, kind: Kind, n_images: int, one: _Scene) -> _Scene:
    """Repeat each clip's objects in its frames, moved a little."""
    images = (one.images[:, None] * kind.frames + np.arange(kind.frames)).ravel()
    kept = images < n_images
    boxes = np.repeat(one.boxes, kind.frames, axis=0)
    if kind.frames > 1:
        boxes[:, :2] += rng.normal(0, 3, (len(boxes), 2))
    classes, ease, crowd = (np.repeat(part, kind.frames) for part in (one.classes, one.ease, one.crowd))
    hard = np.repeat(one.hard, kind.frames)[:n_images]
    return _Scene(images[kept], classes[kept], boxes[kept], ease[kept], crowd[kept], hard)


def _found(rng: np.random.Generator, kind: Kind, scene: _Scene, n_images: int, more: float) -> DetectionTable:
    """Return what a model finds: its errors on an object are much the same in all frames of a clip."""
    n = len(scene.images)
    ease = scene.ease + more + 0.6 * _same_in_clips(rng, kind, n)
    seen = np.flatnonzero((ease > 0) & ~scene.crowd)
    again = rng.choice(seen, len(seen) // 12)
    inside = (
        rng.choice(np.flatnonzero(scene.crowd), 3 * int(scene.crowd.sum())) if scene.crowd.any() else seen[:0]
    )
    spread = np.stack([_same_in_clips(rng, kind, n) for _ in range(4)], axis=1)
    of = np.concatenate([seen, again, inside])
    steady = np.concatenate([spread[seen], rng.normal(0, 2, (len(again) + len(inside), 4))])
    boxes = _blurred(scene.boxes[of], steady * 0.10 / np.maximum(0.7 + ease[of].clip(0)[:, None], 0.5))
    scores = 0.6 * ease[of] + rng.normal(0.8, 0.7, len(of)) - 1.5 * (np.arange(len(of)) >= len(seen))
    false = _false(rng, kind, scene, n_images)
    rows = np.column_stack([scene.images[of], boxes, 1 / (1 + np.exp(-scores)), scene.classes[of]])
    return DetectionTable(np.concatenate([rows, false]))


def _same_in_clips(rng: np.random.Generator, kind: Kind, n: int) -> Floats:
    """Standard normal numbers; those of the frames of an object, which follow one another, agree to 90 %."""
    if kind.frames == 1:
        return rng.standard_normal(n)
    shared = np.repeat(rng.standard_normal(-(-n // kind.frames)), kind.frames)[:n]
    return np.sqrt(0.9) * shared + np.sqrt(0.1) * rng.standard_normal(n)


def _blurred(boxes: Floats, by: Floats) -> Floats:
    size = boxes[:, 2:]
    return np.hstack([boxes[:, :2] + by[:, :2] * size, size * np.exp(by[:, 2:])])


def _false(rng: np.random.Generator, kind: Kind, scene: _Scene, n_images: int) -> Floats:
    """Things that are none, more of them where a picture is hard; the same ones in all frames of a clip."""
    counts = rng.poisson(np.outer(np.exp(0.5 * scene.hard[:: kind.frames]), 1.5 * kind.rates))
    clip, of = np.nonzero(counts)
    times = counts[clip, of]
    clips, classes = np.repeat(clip, times), np.repeat(of + 1, times)
    size = np.exp(rng.normal(np.log(60), 0.8, (len(clips), 2))).clip(6, 400)
    boxes = np.hstack([rng.random((len(clips), 2)) * np.maximum([WIDTH, HEIGHT] - size, 1), size])
    scores = 1 / (1 + np.exp(-rng.normal(-0.8, 1, len(clips))))
    rows = np.repeat(np.column_stack([clips, boxes, scores, classes]), kind.frames, axis=0)
    rows[:, 0] = rows[:, 0] * kind.frames + np.tile(np.arange(kind.frames), len(clips))
    return rows[rows[:, 0] < n_images]


if __name__ == "__main__":
    main()
