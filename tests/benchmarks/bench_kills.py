"""Kill -9 a 12-cell run at random instants, resume it each time, and check that nothing is lost or measured twice.

    python -m tests.benchmarks.bench_kills [--kills 50] [--seed 0]

Runs are killed until so many kills are reached; whenever a run ends by itself a new one is begun.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.support.paths import REPOSITORY

ARGS = ("--no-accuracy", "--repetitions", "2", "--min-runs", "1", "--min-seconds", "0.01")


def command(output: Path, *more: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "harness",
        "--workspace",
        str(REPOSITORY),
        "run",
        "--output",
        str(output),
        *more,
    ]


def records(run: Path) -> dict[str, str]:
    """The text of every record; reading each as JSON proves that it is whole."""
    found = {path.parent.name: path.read_text() for path in run.glob("cells/*/record.json")}
    for text in found.values():
        json.loads(text)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    kills = runs = 0
    while kills < options.kills:
        with tempfile.TemporaryDirectory() as folder:
            kills += one_run(Path(folder), chance, options.kills - kills)
            runs += 1
    print(
        f"{kills} kills in {runs} runs of 12 cells: every cell once, every record readable, none measured twice"
    )


def one_run(folder: Path, chance: random.Random, most: int) -> int:
    kills, finished = 0, {}
    while True:
        begun = [path.parent for path in folder.glob("*/run.json")]
        more = ("--resume", begun[0].name) if begun else ARGS
        child = subprocess.Popen(
            command(folder, *more), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            child.wait(chance.uniform(0.1, 12.0) if kills < most else 600)
        except subprocess.TimeoutExpired:
            os.kill(child.pid, signal.SIGKILL)
            kills += 1
        _, errors = child.communicate()
        assert "Traceback" not in errors, errors
        for run in begun:
            now = records(run)
            assert all(now[cell] == text for cell, text in finished.items()), "a finished cell was touched"
            finished = {cell: text for cell, text in now.items() if json.loads(text)["complete"]}
        if child.returncode == 0:
            (run,) = (path.parent for path in folder.glob("*/run.json"))
            final = [json.loads(text) for text in records(run).values()]
            assert len(final) == 12 and all(r["complete"] and len(r["processes"]) == 2 for r in final)
            return kills
        assert child.returncode == -signal.SIGKILL, (child.returncode, errors)
        time.sleep(0.05)


if __name__ == "__main__":
    main()
