"""What a run costs besides measuring.

1. Seconds a cell outside the timed loop: start a worker, load the model, write samples and record.
2. Share of a run's wall time that planning, ordering, statistics and records take in the parent process.

    python -m tests.benchmarks.bench_cells [--cells 10]
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.records.records import load_records
from harness.rows import frame
from harness.session import carry_out, prepare
from harness.settings import Settings
from tests.support.paths import REPOSITORY


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        overhead(Path(folder), options.cells)
        share(Path(folder))


def request(output: Path, **settings) -> Request:
    return Request(
        models=("shapes-float32",),
        delegates=("cpu:1",),
        workspace=str(REPOSITORY),
        output=str(output),
        settings=Settings(accuracy=False, **settings),
        repetitions=settings.get("repetitions"),
    )


def overhead(folder: Path, n_cells: int) -> None:
    costs = []
    for _ in range(n_cells):
        ready = prepare(request(folder, repetitions=1, min_runs=20, min_seconds=0.1))
        begin = time.perf_counter()
        outcome = carry_out(ready, Silent())
        wall = time.perf_counter() - begin
        stored = load_records(outcome.folder)[0]
        (samples,) = stored.samples()
        last = samples[-1]
        costs.append(wall - float(last["start_ns"] + last["duration_ns"]) / 1e9)
    print(
        f"seconds a cell outside measuring: median {statistics.median(costs):.2f} "
        f"({min(costs):.2f}–{max(costs):.2f}, {n_cells} cells; wanted <= 1.5)"
    )


def share(folder: Path) -> None:
    begin, cpu = time.perf_counter(), time.process_time()
    ready = prepare(request(folder, repetitions=5, min_seconds=5.0))
    outcome = carry_out(ready, Silent())
    frame.load_results([outcome.folder])
    wall, own = time.perf_counter() - begin, time.process_time() - cpu
    print(f"parent's CPU time: {own:.2f} s of {wall:.1f} s of the run = {own / wall:.1%} (wanted < 2%)")


if __name__ == "__main__":
    main()
