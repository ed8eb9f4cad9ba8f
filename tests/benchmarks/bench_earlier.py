"""What users wait for, against an earlier build of this package, side by side.

    python -m tests.benchmarks.bench_earlier [--commit 2e0b796] [--rounds 1] [ROW …]

The earlier build is a worktree of git in a temporary folder, used with the same Python and packages. Each row is a
command; both builds carry it out in turn, and printed are the least seconds of CPU of all its processes and of the
clock, with their ratio. Both have their byte code, as after an installation. The default is the last commit whose
workers were started anew. Below a run stands what no build can save: the time for which its processes measured, and
the inferences of its images, with as many cores as the delegate has threads.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from harness.records.samples import load_samples
from tests.support.paths import REPOSITORY

COMMIT = "2e0b796"
HARNESS = [sys.executable, "-m", "harness"]
PAIR = ["shapes-float32", "shapes-full-integer", "--dataset", "models/shapes/dataset"]
ROWS = {
    "run": ("README's main job, after install", [*HARNESS, "run", "--output", "{folder}/run"]),
    "dry-run": ("harness run MODEL --dry-run", [*HARNESS, "run", "shapes-float32", "--dry-run"]),
    "help": ("harness --help", [*HARNESS, "--help"]),
    "diagnose": (
        "diagnose the bundled pair with --try",
        [*HARNESS, "diagnose", *PAIR, "--try", "--try-dir", "{folder}/try", "--format", "json"],
    ),
}


def main() -> int:
    """Run the rows and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of {', '.join(ROWS)}; all by default")
    parser.add_argument("--commit", default=COMMIT)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        earlier = Path(name) / "earlier"
        git("worktree", "add", "--detach", str(earlier), options.commit)
        try:
            for checkout in (earlier, REPOSITORY):
                seconds([sys.executable, "-m", "compileall", "-q", "harness"], checkout)
            print(f"{'':40}{'before':>16}{'now':>16}{'ratio':>14}   (CPU s, clock s)")
            for row in options.rows or ROWS:
                compare(row, {"before": earlier, "now": REPOSITORY}, Path(name), options.rounds)
        finally:
            git("worktree", "remove", "--force", str(earlier))
    return 0


def git(*arguments: str) -> None:
    """Run git in the checkout."""
    subprocess.run(["git", "-C", str(REPOSITORY), *arguments], check=True, capture_output=True)


def compare(row: str, builds: dict[str, Path], folder: Path, rounds: int) -> None:
    """Carry out a command with both builds in turn, and print the least of each."""
    title, command = ROWS[row]
    least = {build: (float("inf"), float("inf")) for build in builds}
    for number in range(rounds):
        for build, checkout in builds.items():
            own = folder / f"{row}-{build}-{number}"
            own.mkdir()
            taken = seconds([part.format(folder=own) for part in command], checkout)
            least[build] = min(least[build][0], taken[0]), min(least[build][1], taken[1])
    before, now = least["before"], least["now"]
    ratio = f"{now[0] / before[0]:.2f} {now[1] / before[1]:5.2f}"
    print(
        f"{title:40}{before[0]:8.2f}{before[1]:8.2f}{now[0]:8.2f}{now[1]:8.2f}{ratio:>14}",
        flush=True,
    )
    records = sorted(folder.glob(f"{row}-now-0/run/*/cells/*/record.json"))
    if records:
        print(floor(records, before))


def floor(records: list[Path], before: tuple[float, float]) -> str:
    """Say how much of a run is windows of measuring and inferences of images, on a quiet computer."""
    windows, inferences = (np.sum(each, axis=0) for each in zip(*map(measuring, records), strict=True))
    used, passed = windows + inferences
    return (
        f"    of which measuring {windows[0]:.2f} {windows[1]:.2f}, inferences of images {inferences[0]:.2f} "
        f"{inferences[1]:.2f}: the ratio is at least {used / before[0]:.2f} {passed / before[1]:.2f}"
    )


def measuring(path: Path) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return the seconds of CPU and of the clock of a cell's windows, and of its images' inferences at their best."""
    record = json.loads(path.read_text(encoding="utf-8"))
    threads, processes = record["threads"], record["processes"]
    watched = sum(one["watched_s"] for one in processes)
    durations = np.concatenate(
        [load_samples(path.parent / one["samples"])["duration_ns"] for one in processes]
    )
    images = record["accuracy"]["n_images"] * float(durations.min()) / 1e9
    at_once = max(1, (os.cpu_count() or 1) // threads)
    return (watched * threads, watched), (images * threads, images / at_once)


def seconds(command: list[str], checkout: Path) -> tuple[float, float]:
    """Return the seconds of CPU, of all processes, and of the clock that a command takes."""
    begin, used = time.perf_counter(), cpu()
    environment = {**os.environ, "PYTHONPATH": str(checkout)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise SystemExit(f"{command}: exit status {done.returncode}\n{done.stderr[-2000:]}")
    return cpu() - used, time.perf_counter() - begin


def cpu() -> float:
    """Return the CPU seconds of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    raise SystemExit(main())
