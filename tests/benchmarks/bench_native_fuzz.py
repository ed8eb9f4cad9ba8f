"""Give the native worker a hundred thousand damaged jobs, and its answers, damaged, to the reader.

    python -m tests.benchmarks.bench_native_fuzz [--cases 100000] [--processes 2] [--seed 1]

The worker is built with AddressSanitizer and UndefinedBehaviorSanitizer and linked against a stand-in for LiteRT. Each
job must end with 0 (`end`), 1 (a frame FAIL that says why) or 4 (no `end`), and all that it answered must be whole
frames; each damaged answer must be read or refused by `ProtocolError`. Prints one JSON line; exit status 1 on failure.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import multiprocessing
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from harness.native.programs import SOURCE
from harness.native.protocol import Failure, FrameReader, ProtocolError
from tests.support.litert_stand_in import stand_in
from tests.support.native_fuzz import jobs, mutate
from tests.support.native_worker import Worker

DRIVER = Path(__file__).parents[1] / "support" / "native_fuzz.c"
SANITIZERS = ("-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer")


def build(folder: Path) -> Path:
    """Compile the worker's source, its `main` renamed, with the sanitizers, and the program that forks it."""
    objects = []
    for source in sorted(SOURCE.glob("*.c")):
        if source.name != "android_start.c":
            objects.append(str(folder / f"{source.stem}.o"))
            compile_one("-std=c11", "-Dmain=worker_main", "-c", "-o", objects[-1], str(source))
    compile_one("-D_GNU_SOURCE", "-o", str(folder / "fuzz"), str(DRIVER), *objects, "-ldl")
    return folder / "fuzz"


def compile_one(*arguments: str) -> None:
    subprocess.run(["cc", "-O1", "-g", *SANITIZERS, *arguments], check=True)


class Forked:
    """The program that carries out jobs."""

    def __init__(self, program: Path, library: Path) -> None:
        self._process = subprocess.Popen([program, library], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def run(self, job: bytes) -> tuple[int, bytes, str]:
        self._process.stdin.write(struct.pack("<I", len(job)) + job)
        self._process.stdin.flush()
        status, n_out, n_err = struct.unpack("<iII", self._process.stdout.read(12))
        out, err = self._process.stdout.read(n_out), self._process.stdout.read(n_err)
        return status, out, err.decode("utf-8", "replace")


def what_is_wrong(job: bytes, status: int, out: bytes, log: str) -> str | None:
    if status == signal.SIGALRM and b"deadline " not in job:
        return None  # its clock was damaged, and a number asked for hours
    if status & 127:
        return f"signal {status & 127}: {log[-1500:]}"
    if status >> 8 not in {0, 1, 4}:
        return f"status {status >> 8}: {log[-1500:]}"
    try:
        reader = FrameReader()
        answers = list(reader.feed(out))
    except ProtocolError as error:
        return f"its own answer: {error}"
    if not reader.is_between_frames:
        return "the last frame is not whole"
    if status >> 8 == 1 and not (isinstance(answers[-1], Failure) and answers[-1].message):
        return f"no reason: {log[-1500:]}"
    return None


def read_damaged(out: bytes, generator: random.Random) -> None:
    """Only `ProtocolError` may come out of it."""
    damaged = bytearray(out)
    for _ in range(generator.choice((1, 2, 8))):
        at = generator.randrange(len(damaged))
        damaged[at] = generator.choice((0, 1, 127, 128, 255, damaged[at] ^ 1 << generator.randrange(8)))
    with contextlib.suppress(ProtocolError):
        list(FrameReader().feed(bytes(damaged)))


def work(share: tuple[int, int, str, str]) -> tuple[dict[str, int], list[str]]:
    cases, seed, program, library = share
    generator = random.Random(seed)
    forked, worker = Forked(Path(program), Path(library)), Worker([], library=Path(library))
    counts: dict[str, int] = {}
    wrong = []
    for k, job in enumerate(jobs(worker, generator, cases)):
        damaged = mutate(job, generator)
        status, out, log = forked.run(damaged)
        counts[str(status >> 8)] = counts.get(str(status >> 8), 0) + 1
        problem = what_is_wrong(damaged, status, out, log)
        if problem:
            wrong.append(f"seed {seed}, case {k}: {problem}; the job ends with {damaged[-300:]!r}")
        read_damaged(out, generator)
    return counts, wrong


def main() -> int:
    """Try them, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    begin = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        program, library = build(Path(folder)), stand_in()
        each = options.cases // options.processes
        shares = [(each, options.seed + k, str(program), str(library)) for k in range(options.processes)]
        with multiprocessing.get_context("fork").Pool(options.processes) as pool:
            results = pool.map(work, shares)
    statuses = {key: sum(counts.get(key, 0) for counts, _ in results) for key in ("0", "1", "4")}
    wrong = [problem for _, problems in results for problem in problems]
    seconds = round(time.monotonic() - begin, 1)
    print(
        json.dumps(
            {"cases": each * options.processes, "seconds": seconds, "statuses": statuses, "wrong": wrong[:20]}
        )
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
