"""Time to decode the outputs of one image: a YOLO table of 8,400 × 84 and final detections of 300 × 6.

Run `python -m tests.benchmarks.bench_decoding`. The target for 8,400 × 84 is 2 ms; on a busy machine look at the
ratio to the copy of the table, which the load slows alike.
"""

import time

import numpy as np

from harness.cards import DecoderSpec
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.tflite.tensor_info import TensorInfo
from tests.benchmarks.bench_nms import median_ms

SIDE, CELLS, CLASSES = 640, 8400, 80


def yolo_table(random):
    """A table like a trained model's: a few hundred rows score above the threshold, all others near 0."""
    rows = np.zeros((CELLS, 4 + CLASSES), np.float32)
    rows[:, :2] = random.uniform(0, SIDE, (CELLS, 2))
    rows[:, 2:4] = random.uniform(8, 300, (CELLS, 2))
    rows[:, 4:] = random.uniform(0, 5e-4, (CELLS, CLASSES))
    some = random.choice(CELLS, 600, replace=False)
    rows[some, 4 + random.integers(0, CLASSES, 600)] = random.beta(0.5, 3, 600)
    return rows


def cpu_ms(work):
    begin = time.process_time()
    work()
    return (time.process_time() - begin) * 1e3


def report(name, tensor, spec):
    infos = [TensorInfo("out", tensor.shape, "float32")]
    decode = make_decoder(spec, infos, ModelContext(SIDE, SIDE))
    found = decode([tensor])
    copy = median_ms(lambda: np.ascontiguousarray(tensor.T))
    cpu = min(cpu_ms(lambda: decode([tensor])) for _ in range(30))
    wall = median_ms(lambda: decode([tensor]))
    print(
        f"{name}: {cpu:.2f} ms of CPU at least, {wall:.2f} ms, {len(found.scores)} detections (a copy: {copy:.2f} ms)"
    )


def main():
    random = np.random.default_rng(5)
    table = yolo_table(random)
    report("[1, 84, 8400] yolov8", table.T[None].copy(), DecoderSpec(name="yolov8"))
    report("[1, 8400, 84] yolov8", table[None], DecoderSpec(name="yolov8"))
    final = np.zeros((1, 300, 6), np.float32)
    final[0, :, :4] = np.sort(random.uniform(0, SIDE, (300, 4)), axis=1)
    final[0, :, 4], final[0, :, 5] = np.linspace(0.9, 0.001, 300), random.integers(0, CLASSES, 300)
    report("[1, 300, 6] end2end", final, DecoderSpec(name="end2end"))


if __name__ == "__main__":
    main()
