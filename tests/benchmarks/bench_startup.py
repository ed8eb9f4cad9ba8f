"""How long `harness --help` takes, against `python -c pass`: python -m tests.benchmarks.bench_startup [ROUNDS]

The two are run alternately, so that a busy computer slows both; medians are compared.
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

LIMIT = 15.0
"""The help may take so many times as long as Python alone."""
HARNESS = str(Path(sys.executable).with_name("harness"))
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "harness --help": [HARNESS, "--help"],
    "harness --version": [HARNESS, "--version"],
    "harness report --help": [HARNESS, "report", "--help"],
}


def seconds(arguments: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start


def main(rounds: int = 20) -> None:
    """Print the medians and their ratio, and fail above the limit."""
    for arguments in COMMANDS.values():  # byte code is written, files are cached
        seconds(arguments)
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, arguments in COMMANDS.items():
            times[name].append(seconds(arguments))
    medians = {name: statistics.median(values) for name, values in times.items()}
    alone = medians["python -c pass"]
    for name, median in medians.items():
        print(f"{name:24} {median * 1e3:7.1f} ms  ×{median / alone:.1f}")
    ratio = medians["harness --help"] / alone
    print(f"ratio {ratio:.1f}, limit {LIMIT:.0f}")
    sys.exit(ratio > LIMIT)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
