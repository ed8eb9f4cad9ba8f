"""A worker's life outside measuring, started anew and forked by a prepared process, in turn.

    python -m tests.benchmarks.bench_workers [--pairs 20] [--model models/…]

Both ways carry out the same job. Printed are the seconds of a worker's life outside its inferences, from the first to
the last (wanted: ≤ 0.06 s forked), and what must not differ between the two ways: the median of the
inferences, how much the processes differ, the peak of memory and the first inference.
"""

import argparse
import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

from harness.bench.engines import worker_process
from harness.drivers.base import Device
from harness.drivers.local import LocalDevice
from harness.records.samples import load_samples
from harness.statistics.comparing import compare
from harness.worker.jobs import LatencyJob
from harness.worker.results import LatencyResult
from tests.support.paths import REPOSITORY

MODEL = REPOSITORY / "models" / "shapes" / "shapes_float32.tflite"


class ThroughTheDevice:
    """This computer, used as any device is: every worker is started anew."""

    name = "local"
    run = LocalDevice().run


def life(device: Device, job: LatencyJob, folder: Path) -> dict[str, float]:
    """Carry out a job and take its figures."""
    folder.mkdir()
    begin = time.perf_counter()
    answer = worker_process.run_worker(
        device, dataclasses.replace(job, output=str(folder)), LatencyResult, folder, 60
    )
    wall = time.perf_counter() - begin
    samples = load_samples(folder / "samples.npy")
    measured = float(samples["start_ns"][-1] + samples["duration_ns"][-1] - samples["start_ns"][0]) / 1e9
    result = answer.result
    return {
        "outside": wall - measured,
        "median": float(np.median(samples["duration_ns"][5:])) / 1e6,
        "first": result.first_inference_ns / 1e6,
        "peak": (result.peak_memory_bytes or 0) / 2**20,
        "init": result.init_ns / 1e6,
    }


def main() -> None:
    """Run both ways in turn and print what they give."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--model", type=Path, default=MODEL)
    options = parser.parse_args()
    job = LatencyJob(str(options.model), "cpu", 1, None, 30, 0.1, 2.0, 0, "")
    ways: dict[str, list[dict[str, float]]] = {"anew": [], "forked": []}
    with tempfile.TemporaryDirectory() as folder, worker_process.workers_ready([LocalDevice()]):
        for pair in range(options.pairs + 1):
            for way in sorted(ways, reverse=bool(pair % 2)):
                device = LocalDevice() if way == "forked" else ThroughTheDevice()
                figures = life(device, job, Path(folder) / f"{way}-{pair}")
                if pair:  # the first loads files into memory
                    ways[way].append(figures)
    report(ways)


def report(ways: dict[str, list[dict[str, float]]]) -> None:
    """Print a line for each figure: both ways, and their ratio."""
    for name, unit in (("outside", "s"), ("median", "ms"), ("first", "ms"), ("init", "ms"), ("peak", "MiB")):
        anew, forked = ([one[name] for one in ways[way]] for way in ("anew", "forked"))
        middle = statistics.median(anew), statistics.median(forked)
        spread = statistics.stdev(anew), statistics.stdev(forked)
        print(
            f"{name:8} anew {middle[0]:8.3f} {unit:3} (sd {spread[0]:.3f})   forked {middle[1]:8.3f} {unit:3} "
            f"(sd {spread[1]:.3f})   ratio {middle[1] / middle[0]:.3f}"
        )
    first, second = ([[one["median"]] for one in ways[way]] for way in ("anew", "forked"))
    print(f"medians differ: {compare([np.array(a) for a in first], [np.array(b) for b in second])}")


if __name__ == "__main__":
    main()
