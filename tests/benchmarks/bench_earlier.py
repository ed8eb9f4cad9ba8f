"""What users wait for, against an earlier build of this package, side by side.

    python -m tests.benchmarks.bench_earlier [--commit 2e0b796] [--rounds 1] [ROW …]

The earlier build is a worktree of git in a temporary folder, used with the same Python and packages. Each row is a
command; both builds carry it out in turn, and printed are the least seconds of CPU of all its processes and of the
clock, with their ratio. Both have their byte code, as after an installation. The default is the last commit whose
workers were started anew.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

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
