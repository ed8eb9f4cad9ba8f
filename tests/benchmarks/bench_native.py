"""Hold the native worker's times against the Python worker's, in turn, and measure what it adds between inferences.

    python -m tests.benchmarks.bench_native [--pairs 15] [--runs 100] [--threads 1] [MODEL…]

Both run the same model file with the same input on the LiteRT of the same wheel: the Python worker with its
interpreter, ours with LiteRT's compiled model. One process each in turn; printed is a JSON line a model: the median of
the pairs' ratios of medians with its 95 % interval by ranks (wanted: within 1 %), the same of the fastest twentieth,
which a busy computer disturbs less, and the median and 99th percentile of the time between two inferences (wanted:
< 20 µs beside the copy of the input, which both workers make there; the first line has next to no input).
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

from harness.bench.engines import worker_process
from harness.drivers.local import LocalDevice
from harness.native.job import input_value, time_command
from harness.native.programs import find_program
from harness.native.protocol import Samples
from harness.records.samples import load_samples
from harness.statistics.latency import order_ranks
from harness.worker.jobs import LatencyJob
from harness.worker.results import LatencyResult
from tests.support.litert_stand_in import stand_in
from tests.support.native_worker import Worker, make_images
from tests.support.paths import MODELS

WARM_UP = 5
"""The trace's first fifth is not looked at, in both."""
SECONDS = 600.0


def figures(durations: np.ndarray) -> np.ndarray:
    """Return the median and the 5th percentile behind the warm-up."""
    return np.quantile(durations[len(durations) // WARM_UP :], (0.5, 0.05))


def native(worker: Worker, model: Path, image: np.ndarray, runs: int, threads: int) -> Samples:
    """Measure with our worker."""
    ended = worker.model(model, input_value(0, image), time_command(runs, 0, SECONDS), threads=threads)
    assert ended.status == 0, ended.log
    (samples,) = ended.all(Samples)
    return samples


def python(model: Path, image: np.ndarray, runs: int, threads: int, folder: Path) -> np.ndarray:
    """Measure with the Python worker."""
    folder.mkdir()
    np.save(folder / "inputs.npy", image)
    inputs = str(folder / "inputs.npy")
    job = LatencyJob(str(model), "cpu", threads, inputs, runs, 0.0, SECONDS, 0, str(folder))
    worker_process.run_worker(LocalDevice(), job, LatencyResult, folder, SECONDS)
    return load_samples(folder / "samples.npy")["duration_ns"][:runs]


def gap_us(samples: Samples) -> list[float]:
    """Return the median and the 99th percentile of the time between two inferences."""
    between = samples.starts_ns[1:] - samples.starts_ns[:-1] - samples.durations_ns[:-1]
    return [round(float(value) / 1e3, 2) for value in np.quantile(between, (0.5, 0.99))]


def interval(values: list[float]) -> list[float]:
    """Return the median and its 95 % interval by ranks, the whole range where there are too few pairs for one."""
    low, high = order_ranks(len(values), 0.5)
    ordered = sorted(values)
    ends = ordered[max(low, 1) - 1], ordered[min(high, len(values)) - 1]
    return [round(float(value), 4) for value in (np.median(values), *ends)]


def main() -> None:
    """Measure in turn and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", nargs="*", type=Path, metavar="MODEL")
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    worker = Worker([str(find_program("linux", "x86_64").path)])
    small = native(
        Worker(worker.command, stand_in()), Path("any"), np.zeros((1, 4, 4, 3), np.uint8), 10_000, 1
    )
    print(
        json.dumps(
            {"between_us": gap_us(small), "of": "a model that takes no time, with an input of 48 bytes"}
        )
    )
    for model in options.models or sorted((MODELS / "shapes").glob("*.tflite")):
        (image,) = make_images(model, 1)
        ratios, gaps = [], []
        with tempfile.TemporaryDirectory() as folder:
            for pair in range(options.pairs):
                found = {}
                for way in ("ours", "python") if pair % 2 else ("python", "ours"):
                    if way == "ours":
                        ours = native(worker, model, image, options.runs, options.threads)
                        found[way] = figures(ours.durations_ns)
                        gaps.append(gap_us(ours))
                    else:
                        place = Path(folder) / str(pair)
                        times = python(model, image, options.runs, options.threads, place)
                        found[way] = figures(times)
                ratios.append(found["ours"] / found["python"])
        between = [round(float(value), 2) for value in np.median(gaps, axis=0)]
        facts = {"model": model.name, "pairs": options.pairs, "between_us": between}
        for name, values in zip(("ratio", "ratio_of_fastest"), np.transpose(ratios), strict=True):
            facts[name] = interval(list(values))
        print(
            json.dumps({**facts, "input_bytes": image.nbytes, "ms": round(found["ours"][0] / 1e6, 3)}),
            flush=True,
        )


if __name__ == "__main__":
    main()
