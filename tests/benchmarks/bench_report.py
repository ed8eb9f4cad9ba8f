"""A report of cells whose records were copied from elsewhere: without cached rows, with them, and as a page.

    python -m tests.benchmarks.bench_report [--cells 10000]

Each report is a process of its own, with its modules compiled as after an installation; printed are its seconds of CPU
and of the clock and its greatest memory. The first one pays for the rows of all; the ratio is what keeping them saves.
The limits say what no report can do without: every file opened, read and summed, the records understood, and without
rows to take, the figures computed; with rows, every record read and the time of every other file asked for.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec

from harness.records.files import checksum, read_whole
from harness.records.records import Record, StoredRecord
from harness.rows.row_cache import SETTLED_S
from harness.rows.summary import summarize_records
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
        write_run(folder / "compiled" / "20261121-000000-abcd", 1)
        report(folder, "-o", str(folder / "compiled.html"), results="compiled")
        report(folder, results="compiled")
        first = told("without rows", report(folder))
        again = told("with rows", report(folder))
        told("page", report(folder, "-o", str(folder / "report.html")))
        print(f"ratio with to without {again.cpu_s / first.cpu_s:.2f}")
        limits(folder)  # last: a process that is started has the greatest memory of the one that starts it
    return 0


def told(what: str, cost: Cost) -> Cost:
    """Print what a report needed."""
    words = f"{cost.cpu_s:.2f} s of CPU, {cost.wall_s:.2f} s, peak {cost.peak_mb:.0f} MB"
    print(f"{what:18} {words}", flush=True)
    return cost


def limits(folder: Path) -> None:
    """Print what the parts need that no report can do without."""
    cells = sorted((folder / "results").glob("*/cells/*"))
    paths = [str(path) for cell in cells for path in cell.iterdir()]
    of_records = [path for path in paths if path.endswith("record.json")]
    others = [path for path in paths if not path.endswith("record.json")]
    records: list[bytes] = []
    stored: list[StoredRecord] = []
    parts: dict[str, Callable[[], object]] = {
        "samples opened, read, summed": lambda: sum(checksum(read_whole(path)) for path in others),
        "records opened, read, summed": lambda: records.extend(filter(checksum, map(read_whole, of_records))),
        "their JSON understood": lambda: stored.extend(
            StoredRecord(msgspec.json.decode(data, type=Record), Path(path).parent)
            for data, path in zip(records, of_records, strict=True)
        ),
        "files read and figures computed": lambda: sum(1 for _ in summarize_records(stored)),
        "times of change asked for": lambda: sum(os.stat(path).st_size for path in others),  # noqa: PTH116
    }
    for name, work in parts.items():
        begin = time.process_time()
        work()
        print(f"limit: {name:32} {time.process_time() - begin:.2f} s of CPU", flush=True)


def report(folder: Path, *more: str, results: str = "results") -> Cost:
    """Run the command in a process of its own."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPYCACHEPREFIX": str(folder / "bytecode"),
        "PYTHONPATH": str(REPOSITORY),
        "HARNESS_CACHE": str(folder / "cache"),
    }
    command = [sys.executable, "-m", "harness", "report", str(folder / results), *more]
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
