"""Time of host NMS, beside a plain loop over the same heads.

Run `python -m tests.benchmarks.bench_nms`. The targets are 3 ms for 1917 × 90 heads and 8 ms for a YOLO table of
25200 × 85; on a busy machine look at the ratio to the plain loop, which the load slows alike.
"""

import statistics
import time

import numpy as np

from harness.cards import DecoderSpec
from harness.detectors.base import ModelContext
from harness.detectors.nms import NmsSettings, suppress
from harness.detectors.registry import make_decoder
from harness.tflite.tensor_info import TensorInfo

ROUNDS = 30


def median_ms(function, rounds=ROUNDS):
    function()
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return statistics.median(times) * 1e3


def plain(boxes, scores, threshold, least, limit):
    """NMS class by class with one NumPy call a kept box, as most scripts have it."""
    found = []
    areas = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    for number in range(scores.shape[1]):
        rows = np.flatnonzero(scores[:, number] >= least)
        rows = rows[np.argsort(-scores[rows, number], kind="stable")]
        kept = 0
        while rows.size and kept < limit:
            best, others = rows[0], rows[1:]
            found.append((scores[best, number], number, best))
            kept += 1
            low = np.maximum(boxes[best, :2], boxes[others, :2])
            sides = np.maximum(np.minimum(boxes[best, 2:], boxes[others, 2:]) - low, 0)
            common = sides[:, 0] * sides[:, 1]
            rows = others[common / (areas[best] + areas[others] - common) <= threshold]
    return sorted(found, key=lambda item: -item[0])[:limit]


def random_boxes(random, n):
    center, size = random.uniform(0, 1, (n, 2)), random.uniform(0.02, 0.4, (n, 2))
    return np.concatenate([center - size / 2, center + size / 2], axis=1).astype(np.float32)


def line(name, ms, target, reference):
    ratio = (
        ""
        if reference is None
        else f", {reference / ms:.0f} times as fast as the plain loop ({reference:.0f} ms)"
    )
    print(f"{name:<48} {ms:6.2f} ms (target {target} ms){ratio}")


def main():
    random = np.random.default_rng(0)
    boxes, scores = random_boxes(random, 1917), random.uniform(0, 1, (1917, 90)).astype(np.float32)
    reference = median_ms(lambda: plain(boxes, scores, 0.6, 1e-8, 100), rounds=3)
    for kind in ("regular", "fast"):
        for limit in (10, 100):
            settings = NmsSettings(kind, 1e-8, 0.6, limit)
            ms = median_ms(lambda settings=settings: suppress(boxes, scores, settings))
            line(f"1917 × 90, {kind}, {limit} detections", ms, 3, reference if kind == "regular" else None)
    table = random.uniform(0, 1, (1, 25200, 85)).astype(np.float32)
    table[..., 2:4] *= 0.2
    for dtype, scale in (("float32", None), ("uint8", 1 / 255)):
        given = table if scale is None else np.rint(table / scale).astype(np.uint8)
        info = TensorInfo("out", table.shape, dtype, scale, None if scale is None else 0)
        decode = make_decoder(DecoderSpec(name="yolov5"), [info], ModelContext(640, 640))
        line(f"YOLO 25200 × 85 {dtype}, decode and NMS", median_ms(lambda d=decode, g=given: d([g])), 8, None)
    decoded, classes, weights = (
        random_boxes(random, 25200),
        table[0, :, 5:],
        np.ascontiguousarray(table[0, :, 4]),
    )
    settings = NmsSettings("class-aware", 0.001, 0.6, 300)
    ms = median_ms(lambda: suppress(decoded, classes, settings, weights))
    few = table[0, :2520]
    reference = 10 * median_ms(
        lambda: plain(decoded[:2520], few[:, 5:] * few[:, 4:5], 0.6, 0.001, 300), rounds=1
    )
    line("YOLO 25200 × 85, NMS alone", ms, 8, None)
    print(f"plain loop over a tenth of it, times ten: {reference:.0f} ms")


if __name__ == "__main__":
    main()
