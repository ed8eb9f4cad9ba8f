"""Feed the reader of .tflite files a hundred thousand damaged models: only `ModelError` may come out, soon and small.

    python -m tests.benchmarks.bench_fuzz_models [--cases 100000] [--processes 2] [--seed 1] [--max-minutes 30] MODEL…

Each case flips, cuts, splices or overwrites bytes of one of the models, half of the time in words that look like
offsets or lengths, and asks for its description, its card and whether it can run. Prints one JSON line: cases, the
worst time and memory, failures (each with the seed that brings it back). Exit status 1 when there is a failure.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import struct
import sys
import tempfile
import time
from pathlib import Path

from harness.errors import HarnessError, ModelError
from harness.recognize.card import infer_card
from harness.tflite.model import describe
from harness.tflite.runnable import check_runnable

LIMIT_S, LIMIT_MB = 5.0, 300
ABSURD = (0, 1, 3, 4, 0x7F, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 0x10000, 0xFFFFF)


def structural(data: bytes) -> list[int]:
    """Return where words stand that could be offsets, lengths or small numbers: not the weights' bytes."""
    words = struct.unpack_from(f"<{len(data) // 4}I", data)
    return [4 * i for i, word in enumerate(words) if 0 < word < len(data) or word > 0xFFFF0000]


def mutate(data: bytes, places: list[int], rng: random.Random) -> bytes:
    """Damage a model in one of five ways, one to eight times."""
    result = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 4, 8))):
        at = rng.choice(places) if rng.random() < 0.7 else rng.randrange(len(result))
        at = min(at, len(result) - 4)
        way = rng.randrange(6)
        if way == 0:
            result[at + rng.randrange(4)] ^= 1 << rng.randrange(8)
        elif way == 1:
            struct.pack_into("<I", result, at, rng.choice(ABSURD))
        elif way == 2:
            struct.pack_into("<I", result, at, rng.randrange(len(result)))
        elif way == 3:
            other = rng.choice(places)
            result[at : at + 4] = data[other : other + 4].ljust(4, b"\0")
        elif way == 4:
            start, length = rng.randrange(len(data)), rng.randrange(1, 256)
            result[at : at + length] = data[start : start + length]
        elif rng.random() < 0.3:
            del result[max(16, rng.randrange(len(result))) :]
        if len(result) < 16:
            break
    return bytes(result)


def one_case(path: Path) -> str:
    """Return `ok`, `refused`, or what went wrong."""
    outcome = "ok"
    for step in (describe, infer_card, lambda p: check_runnable(describe(p))):
        try:
            step(path)
        except ModelError:
            outcome = "refused"
        except HarnessError as error:
            return f"not a ModelError: {error!r}"
        except BaseException as error:
            return f"{type(error).__name__}: {error}"[:300]
    return outcome


def work(task: tuple[int, int, float, list[str]]) -> dict[str, object]:
    """Run a share of the cases in one process."""
    seed, cases, deadline, models = task
    contents = [Path(model).read_bytes() for model in models]
    places = [structural(content) for content in contents]
    report: dict[str, object] = {"cases": 0, "ok": 0, "refused": 0, "worst_s": 0.0, "failures": []}
    base_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        path = Path(folder) / "model.tflite"
        for case in range(cases):
            if time.monotonic() > deadline:
                break
            rng = random.Random(f"{seed}/{case}")
            which = rng.randrange(len(contents))
            path.write_bytes(mutate(contents[which], places[which], rng))
            started = time.monotonic()
            outcome = one_case(path)
            took = time.monotonic() - started
            report["cases"] += 1
            report["worst_s"] = max(report["worst_s"], took)
            if outcome in {"ok", "refused"}:
                report[outcome] += 1
            if outcome not in {"ok", "refused"} or took > LIMIT_S:
                report["failures"].append(
                    {"seed": f"{seed}/{case}", "outcome": outcome, "seconds": round(took, 2)}
                )
    report["grown_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - base_mb
    return report


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--max-minutes", type=float, default=30)
    options = parser.parse_args()
    deadline = time.monotonic() + 60 * options.max_minutes
    share = -(-options.cases // options.processes)
    tasks = [(options.seed * 1000 + i, share, deadline, options.models) for i in range(options.processes)]
    with multiprocessing.get_context("spawn").Pool(options.processes) as pool:
        reports = pool.map(work, tasks)
    total = {key: sum(report[key] for report in reports) for key in ("cases", "ok", "refused")}
    total["worst_s"] = round(max(report["worst_s"] for report in reports), 3)
    total["grown_mb"] = round(max(report["grown_mb"] for report in reports), 1)
    total["failures"] = [failure for report in reports for failure in report["failures"]]
    print(json.dumps(total, indent=1))
    return 1 if total["failures"] or total["grown_mb"] > LIMIT_MB else 0


if __name__ == "__main__":
    sys.exit(main())
