"""How long help and a plan take, against `python -c pass`: python -m tests.benchmarks.bench_startup [ROUNDS]

The commands are run in turn, so that a busy computer slows all; medians are compared, of the wall's seconds and of the
CPU's, those of child processes among them. The help is read from a pipe, which gets the page that is kept. All are as
after an installation, with byte code; the first plan tries the model, those that are timed know what the try took.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
START = [sys.executable, "-c", "from harness.cli.start import main; main()"]
"""What the installed command does, whichever harness is installed."""
PLAN = "run shapes-float32 --dry-run"
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "harness --help": [*START, "--help"],
    "harness --version": [*START, "--version"],
    "harness report --help": [*START, "report", "--help"],
    f"harness {PLAN}": [*START, "--workspace", str(REPOSITORY), *PLAN.split()],
}
HELP_LIMIT, PLAN_LIMIT_S = 6.0, 0.6
"""Times as long as Python alone, in wall and CPU seconds, and CPU seconds."""


def seconds(arguments: list[str], folder: str) -> tuple[float, float]:
    """Wall and CPU seconds of a command; what earlier runs found and cached is elsewhere."""
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PYTHONPYCACHEPREFIX": folder,
        "PYTHONPATH": str(REPOSITORY),
        "XDG_CACHE_HOME": folder,
        "HARNESS_CACHE": folder,
    }
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(arguments, check=True, env=environment, cwd=folder, **quiet)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main(rounds: int = 10) -> None:
    """Print the medians and their ratios, and fail above the limits."""
    with tempfile.TemporaryDirectory() as folder:
        for arguments in COMMANDS.values():  # byte code is written, files are cached
            first_s = seconds(arguments, folder)[1]
        every = [{name: seconds(one, folder) for name, one in COMMANDS.items()} for _ in range(rounds)]
    medians = {
        name: [statistics.median(times[name][k] for times in every) for k in (0, 1)] for name in COMMANDS
    }
    alone = medians["python -c pass"]
    for name, (wall, cpu) in medians.items():
        ratios = f"×{wall / alone[0]:.1f} wall, ×{cpu / alone[1]:.1f} CPU"
        print(f"{name:36} {wall * 1e3:7.1f} ms wall {cpu * 1e3:7.1f} ms CPU  {ratios}")
    ratio = max(mine / its for mine, its in zip(medians["harness --help"], alone, strict=True))
    plan_s = medians[f"harness {PLAN}"][1]
    print(f"harness --help: {ratio:.1f} × python -c pass, limit {HELP_LIMIT:.0f} ×")
    print(f"harness {PLAN}: {plan_s:.2f} s CPU, limit {PLAN_LIMIT_S} s (first, with a try: {first_s:.2f} s)")
    sys.exit(ratio > HELP_LIMIT or plan_s > PLAN_LIMIT_S)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
