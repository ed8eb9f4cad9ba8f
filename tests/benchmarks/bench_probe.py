"""How long `harness models probe` takes, beside its inferences alone: the part that cannot be spared.

    python -m tests.benchmarks.bench_probe MODEL DATASET [--images 20] [--most 10]

The command runs in a process of its own, with all that users wait for. Then the model infers as many prepared images
one after another; that time divided among the cores is what the command cannot go below.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from harness.accuracy.dataset import find_dataset
from harness.accuracy.interpreters import InterpreterEngine, make_here
from harness.accuracy.prepare import Preparation
from harness.delegates import available_cores
from harness.recognize import readings
from harness.recognize.find import find_model
from harness.tflite.model import describe
from harness.workspace import find_workspace
from tests.support.paths import REPOSITORY


def main() -> int:
    """Print both sides, and fail above the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--most", type=float, default=10.0, help="seconds that the command may take")
    options = parser.parse_args()
    wall_s, cpu_s = command_seconds(options.model, options.dataset, options.images)
    count, inferring_s = inferences(options.model, options.dataset, options.images)
    print(f"probe, {options.images} images: {wall_s:.1f} s, {cpu_s:.1f} s of CPU")
    print(f"inferring alone, {count} times: {inferring_s:.1f} s of CPU, on {available_cores()} cores")
    print(f"ratio of CPU times {cpu_s / inferring_s:.2f}")
    return 0 if wall_s <= options.most else 1


def command_seconds(model: str, dataset: Path, images: int) -> tuple[float, float]:
    """Return the seconds of the clock and of CPU that the command takes."""
    command = [sys.executable, "-m", "harness", "models", "probe", model, "--dataset", str(dataset)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    begin = time.perf_counter()
    subprocess.run(
        [*command, "--limit", str(images)], check=True, capture_output=True, cwd=REPOSITORY, env=environment
    )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - begin, used.ru_utime + used.ru_stime


def inferences(name: str, folder: Path, images: int) -> tuple[int, float]:
    """Return how many inferences the readings need at least, and the CPU seconds of so many."""
    model, dataset = find_model(name, find_workspace()), find_dataset(folder)
    facts = describe(model.file)
    preparation, engine = (
        Preparation(model.card.input, facts.image_input),
        InterpreterEngine(make_here(model.file)),
    )
    tensors = [preparation.load(image.file)[0] for image in dataset.images[:images]]
    ways = 1 + sum(len(list(vary(model.card, facts))) for vary in readings.PREPARATIONS)
    begin = time.process_time()
    for tensor in tensors * ways:
        engine.infer(tensor)
    return len(tensors) * ways, time.process_time() - begin


if __name__ == "__main__":
    raise SystemExit(main())
