"""Feed `inspect` and the edits damaged models: only our errors or sound results may come out, soon and small.

    python -m tests.benchmarks.bench_fuzz_edit [--cases 100000] [--processes 2] [--seed 1] [--max-minutes 60]
        [--run-one-in 500] MODEL…

Each case damages one of the models as `bench_fuzz_models.py` does and inspects it, changes its NMS, cuts it, and
attaches the operator again to what was cut. What an edit gives must be a model that the reader accepts. One case in
`--run-one-in` is also run in a process of its own, as the command does before it writes. Prints one JSON object:
cases, outcomes, the worst time, how much memory grew, failures (each with the seed that brings it back). Exit status
1 when there is a failure.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from harness.edit.attach import attach, head_format
from harness.edit.check import run_once
from harness.edit.cut import cut
from harness.edit.nms import NmsChange
from harness.edit.shapes import change_nms
from harness.errors import HarnessError, ModelError
from harness.tflite import reader
from harness.tflite.inspect.model import inspect
from tests.benchmarks.bench_fuzz_models import mutate, structural

LIMIT_S, LIMIT_MB = 5.0, 1000
CHANGE = NmsChange(regular=True, score_threshold=0.1, iou_threshold=0.5, max_detections=33)


def inspected(path: Path, data: bytes) -> None:
    json.dumps(inspect(path), allow_nan=False, default=str)


def renamed(path: Path, data: bytes) -> bytes:
    return change_nms(data, CHANGE, path)


def cut_and_attached(path: Path, data: bytes) -> bytes:
    found = cut(data, path)
    reader.read_graph(found.data, path)
    return attach(found.data, found.anchors, head_format(found.decoder("a.npy"), path), path)


STEPS = (inspected, renamed, cut_and_attached)


def one_case(path: Path, data: bytes, run: bool) -> tuple[list[str], float, str]:
    """Return each step's outcome (`ok`, `refused`), the worst time, and what went wrong."""
    outcomes, worst = [], 0.0
    for step in STEPS:
        started = time.monotonic()
        try:
            result = step(path, data)
            outcome = "ok"
            if result is not None:
                reader.read_graph(result, path)
                if run:
                    run_once(result, path)
        except ModelError:
            outcome = "refused"
        except HarnessError as error:
            return outcomes, worst, f"{step.__name__}: not a ModelError: {error!r}"[:300]
        except BaseException as error:
            return outcomes, worst, f"{step.__name__}: {type(error).__name__}: {error}"[:300]
        took = 0.0 if run else time.monotonic() - started
        worst = max(worst, took)
        if took > LIMIT_S:
            return outcomes, worst, f"{step.__name__}: {took:.1f} s"
        outcomes.append(f"{step.__name__} {outcome}")
    return outcomes, worst, ""


def work(task: tuple[int, int, float, int, list[str]]) -> dict[str, object]:
    """Run a share of the cases in one process."""
    seed, cases, deadline, run_one_in, models = task
    contents = [Path(model).read_bytes() for model in models]
    places = [structural(content) for content in contents]
    outcomes: Counter[str] = Counter()
    done, worst, ran, failures = 0, 0.0, 0, []
    base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder) / "model.tflite"
        for case in range(cases):
            if time.monotonic() > deadline:
                break
            rng = random.Random(f"edit/{seed}/{case}")
            which = rng.randrange(len(contents))
            data = mutate(contents[which], places[which], rng)
            path.write_bytes(data)
            run = bool(run_one_in) and case % run_one_in == run_one_in - 1
            ran += run
            found, took, failure = one_case(path, data, run)
            outcomes.update(found)
            done, worst = done + 1, max(worst, took)
            if failure:
                failures.append(
                    {"seed": f"{seed}/{case}", "model": Path(models[which]).name, "failure": failure}
                )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - base
    return {
        "cases": done,
        "ran": ran,
        "outcomes": outcomes,
        "worst_s": worst,
        "grown_mb": grown,
        "failures": failures,
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-minutes", type=float, default=60)
    parser.add_argument("--run-one-in", type=int, default=500)
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.max_minutes
    share = -(-options.cases // options.processes)
    tasks = [
        (options.seed * 1000 + k, share, deadline, options.run_one_in, options.models)
        for k in range(options.processes)
    ]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        reports = pool.map(work, tasks)
    total = {
        "cases": sum(report["cases"] for report in reports),
        "ran": sum(report["ran"] for report in reports),
        "outcomes": dict(sum((report["outcomes"] for report in reports), Counter())),
        "worst_s": round(max(report["worst_s"] for report in reports), 3),
        "grown_mb": round(max(report["grown_mb"] for report in reports), 1),
        "failures": [failure for report in reports for failure in report["failures"]],
    }
    print(json.dumps(total, indent=1))
    return 1 if total["failures"] or total["grown_mb"] > LIMIT_MB else 0


if __name__ == "__main__":
    sys.exit(main())
