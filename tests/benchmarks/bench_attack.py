"""Attack the harness with seeded faults of every kind, and count what gives way.

    python -m tests.benchmarks.bench_attack [--faults 10000] [--seed 0] [--minutes M] [KIND…]

Every fault is injected in a temporary folder, from a seed. After each: no finished cell is lost, nothing prints a
traceback, nothing hangs, no damaged cell is called `ok`, and nothing outside the output changes. Kinds:

    record-value   a value of another kind at any place of a record or of `run.json`, then a report or a comparison
    record-file    a bit flipped, a half, a pipe, a folder, a link in the place of a file, then a report
    host-fault     no space, an input/output error, a lost right … inside any write(), fsync(), rename(), close() … of a
                   run, once, for a while or from then on; then the run goes on
    worker-fault   the same with the command and real workers, at their writes, too
    image-fault    an input/output error while a picture is read
    image-run      the same in a run's worker; then the run goes on
    output         every kind of thing as an output, on a disk that fails
    name           hostile names at every place of the command line
    picture        damaged pictures, and such that say that they are huge
    model          odd and damaged models beside a good one
    archive        damaged archives, and headers that say anything
    stream         standard streams that are closed, full, or unread
    deadline       servers, phones, schedulers and downloads that come to no end
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.support.attack import hostile, hosts, odd, slow, stored, targets
from tests.support.attack.calls import AttackError, state_of
from tests.support.faulty_disk import FaultyDisk, is_possible

_ROW = "count "


@dataclass(frozen=True)
class Kind:
    """One kind of faults.

    Attributes:
        inject: Injects so many, and says what became of each.
        share: Of 10,000 faults.
        short: How many a short attack injects; none where one takes several runs.
        on_faulty_disk: Whether the disk must be able to fail, which a process is started for.
    """

    inject: Callable[[Path, random.Random, int], Iterator[str]]
    share: int
    short: int = 20
    on_faulty_disk: bool = False


KINDS = {
    "record-value": Kind(stored.record_values, 1200),
    "record-file": Kind(stored.record_files, 1200),
    "host-fault": Kind(hosts.host_faults, 1800, 6, on_faulty_disk=True),
    "worker-fault": Kind(hosts.worker_faults, 12, 1, on_faulty_disk=True),
    "image-fault": Kind(hosts.image_faults, 1000, 12, on_faulty_disk=True),
    "image-run": Kind(hosts.image_faults_of_a_run, 5, 0, on_faulty_disk=True),
    "output": Kind(targets.outputs, 1000, 10, on_faulty_disk=True),
    "name": Kind(hostile.names, 1000, 30),
    "picture": Kind(odd.pictures, 1800, 30),
    "model": Kind(odd.models, 100, 2),
    "archive": Kind(odd.archives, 1300, 30),
    "stream": Kind(slow.streams, 50, 2),
    "deadline": Kind(slow.deadlines, 50, 2),
}


def main() -> None:
    """Inject so many faults, and print the counts by kind."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no fault after so long")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=f"only these: {', '.join(KINDS)}")
    options = parser.parse_args()
    begin, total, kinds = time.monotonic(), 0, options.kinds or list(KINDS)
    whole = sum(KINDS[kind].share for kind in kinds)
    for kind in kinds:
        part = max(1, round(options.faults * KINDS[kind].share / whole))
        counts = attack(part, options.seed, [kind], begin + options.minutes * 60 - time.monotonic())
        for what, count in sorted(counts.items()):
            print(f"{_ROW}{count:7}  {what}", flush=True)
        total += sum(counts.values())
    print(f"{total} faults in {time.monotonic() - begin:.0f} s, and nothing gave way")


def attack(faults: int, seed: int, kinds: list[str], seconds: float = float("inf")) -> Counter[str]:
    """Inject faults of some kinds, in the parts that their shares are, for so long at most.

    Returns:
        How many, by kind and by what became of them.

    Raises:
        AttackError: Something gave way; says what, and the fault.
    """
    over, counts = time.monotonic() + seconds, Counter[str]()
    whole = sum(KINDS[kind].share for kind in kinds)
    for kind in kinds:
        part, left_s = max(1, round(faults * KINDS[kind].share / whole)), over - time.monotonic()
        if left_s <= 0:
            break
        elsewhere = KINDS[kind].on_faulty_disk and FaultyDisk.loaded() is None
        if elsewhere and not is_possible():
            print(f"{kind}: left out, because nothing here compiles C", file=sys.stderr)
            continue
        counts += (
            _in_own_process(kind, part, seed, left_s) if elsewhere else _attack(kind, part, seed, left_s)
        )
    return counts


def _attack(kind: str, faults: int, seed: int, seconds: float) -> Counter[str]:
    over, counts = time.monotonic() + seconds, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="harness-attack-") as name, _cache_in(Path(name)):
        outside, place = Path(name) / "outside", Path(name) / kind
        outside.mkdir()
        place.mkdir()
        (outside / "mine").write_text("somebody's")
        before = state_of(outside)
        for what in KINDS[kind].inject(place, random.Random(f"{seed} {kind}"), faults):
            counts[f"{kind}: {what}"] += 1
            if state_of(outside) != before:
                raise AttackError(f"{kind}: something outside the output changed: {what}")
            if time.monotonic() > over:
                break
    return counts


@contextlib.contextmanager
def _cache_in(folder: Path) -> Iterator[None]:
    before = os.environ.get("HARNESS_CACHE")
    os.environ["HARNESS_CACHE"] = str(folder / "cache")
    try:
        yield
    finally:
        if before is None:
            del os.environ["HARNESS_CACHE"]
        else:
            os.environ["HARNESS_CACHE"] = before


def _in_own_process(kind: str, faults: int, seed: int, seconds: float) -> Counter[str]:
    """Attack in a process that is started with the library of the faulty disk."""
    with tempfile.TemporaryDirectory(prefix="harness-attack-") as name:
        disk = FaultyDisk(Path(name) / "control")
        argv = [sys.executable, "-m", __name__ if __name__ != "__main__" else "tests.benchmarks.bench_attack"]
        argv += ["--faults", str(faults), "--seed", str(seed), "--minutes", str(seconds / 60), kind]
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
        environment = {**disk.environment, "PYTHONPATH": path}
        ended = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, cwd=root)
    if ended.returncode:
        raise AttackError(f"{kind}: exit status {ended.returncode}: {ended.stderr[-4000:]}")
    lines = (line for line in ended.stdout.splitlines() if line.startswith(_ROW))
    rows = (line.removeprefix(_ROW).strip().split("  ", 1) for line in lines)
    return Counter({what: int(count) for count, what in rows})


if __name__ == "__main__":
    main()
