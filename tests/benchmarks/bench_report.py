"""A report of cells whose records were copied from elsewhere: without cached rows, with them, and as a page.

    python -m tests.benchmarks.bench_report [--cells 10000]

Each report is a process of its own; printed are its seconds of CPU and of the clock and its greatest memory. The first
one pays for the rows of all; the ratio is what keeping them saves.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from harness.rows.row_cache import SETTLED_S
from tests.benchmarks.bench_html import write_run
from tests.support.paths import REPOSITORY

CELLS_A_RUN = 100


class Cost(NamedTuple):
    """What a process needed."""

    cpu_s: float
    wall_s: float
    peak_mb: float


def main() -> int:
    """Write the records and print what each report needs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=10_000)
    cells = parser.parse_args().cells
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for number in range(-(-cells // CELLS_A_RUN)):
            run = folder / "results" / f"20261121-{number:06d}-abcd"
            write_run(run, min(CELLS_A_RUN, cells - number * CELLS_A_RUN))
        print(f"{cells} cells", flush=True)
        time.sleep(SETTLED_S)
        first = told("without rows", report(folder))
        again = told("with rows", report(folder))
        told("page", report(folder, "-o", str(folder / "report.html")))
        print(f"ratio with to without {again.cpu_s / first.cpu_s:.2f}")
    return 0


def told(what: str, cost: Cost) -> Cost:
    """Print what a report needed."""
    words = f"{cost.cpu_s:.2f} s of CPU, {cost.wall_s:.2f} s, peak {cost.peak_mb:.0f} MB"
    print(f"{what:18} {words}", flush=True)
    return cost


def report(folder: Path, *more: str) -> Cost:
    """Run the command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HARNESS_CACHE": str(folder / "cache")}
    command = [sys.executable, "-m", "harness", "report", str(folder / "results"), *more]
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=environment, cwd=REPOSITORY, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    wall_s = time.perf_counter() - begin
    return Cost(used.ru_utime + used.ru_stime, wall_s, used.ru_maxrss * 1024 / 1e6)


if __name__ == "__main__":
    raise SystemExit(main())
