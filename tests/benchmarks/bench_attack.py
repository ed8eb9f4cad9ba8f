"""Attack stored runs and runs that are being written, and count what gives way.

    python -m tests.benchmarks.bench_attack [--faults 10000] [--seed 0] [--minutes M] [KIND…]

Every fault is injected in a temporary folder, from a seed. After each: no finished cell is lost, nothing prints a
traceback, nothing hangs, no damaged cell is called `ok`, and nothing outside the output changes. Kinds:

    record-value   a value of another kind at any place of a record or of `run.json`, then a report or a comparison
    record-file    a bit flipped, a half, a pipe, a folder, a link in the place of a file, then a report
    host-fault     no space, an input/output error, a lost right … at any file that a run opens to write, makes, moves;
                   then the run goes on
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import io
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.cli.main import main as harness
from harness.errors import HostFaultError, OutputError
from harness.records.ownership import own
from harness.records.records import is_finished, load_records
from harness.session import Prepared, carry_out, prepare
from harness.settings import Settings
from tests.support.changed_runs import read_unsealed
from tests.support.paths import REPOSITORY
from tests.support.runs_on_disk import RunFactory
from tests.support.steady_engine import Steady

LIMIT_S = 60.0
"""A report of two cells takes a fraction of a second; on a machine that does much else, some seconds."""
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 3, 0.5, 10**18, 2**63, 2**64 - 1, 10**400, 1e308, -1e308),
    *("", "x", "ok", "failed", "nan", "\x00\x1b[31m", "../../etc/passwd", "é" * 300),
    *([], [1], ["a"], [[]], {}, {"a": 1}, {"path": 3}, {"dataset": 4, "workspace": []}),
)
SETTINGS = {
    **{"limit": None, "precision": None, "sustained": None, "mlperf": False, "classes": []},
    **{"min_seconds": 1.0, "max_seconds": 3.0, "repetitions": 5},
}
ERRNOS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EMFILE)


class AttackError(AssertionError):
    """Something gave way."""


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
    begin = time.monotonic()
    counts = attack(options.faults, options.seed, options.kinds or list(KINDS), options.minutes * 60)
    for what, count in sorted(counts.items()):
        print(f"{count:7}  {what}")
    print(f"{sum(counts.values())} faults in {time.monotonic() - begin:.0f} s, and nothing gave way")


def attack(faults: int, seed: int, kinds: list[str], seconds: float = float("inf")) -> Counter[str]:
    """Inject faults of some kinds in equal parts, for so long at most.

    Returns:
        How many, by kind and by what became of them.

    Raises:
        AttackError: Something gave way; says what, and the fault.
    """
    counts: Counter[str] = Counter()
    over = time.monotonic() + seconds
    with tempfile.TemporaryDirectory(prefix="harness-attack-") as name, _cache_in(Path(name)):
        outside = Path(name) / "outside"
        outside.mkdir()
        (outside / "mine").write_text("somebody's")
        before = _state(outside)
        for number, kind in enumerate(kinds):
            part = faults // len(kinds) + (number < faults % len(kinds))
            place = Path(name) / kind
            place.mkdir()
            for what in KINDS[kind](place, random.Random(f"{seed} {kind}"), part):
                counts[f"{kind}: {what}"] += 1
                if _state(outside) != before:
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


def _state(folder: Path) -> str:
    return hashlib.sha256(
        "".join(f"{p} {p.read_text()}" for p in sorted(folder.iterdir())).encode()
    ).hexdigest()


def call(fault: object, *args: object) -> tuple[int, str]:
    """Call the command line and return its exit status and what it printed as data.

    Raises:
        AttackError: It printed a traceback, ended oddly or took too long.
    """
    out, err, begin = io.StringIO(), io.StringIO(), time.monotonic()
    kept = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = out, err
    status: Any = None
    try:
        harness([str(part) for part in args])
    except SystemExit as left:
        status = left.code
    finally:
        sys.stdout, sys.stderr = kept
    if "Traceback" in err.getvalue() or status not in {0, 1, 2, 3}:
        raise AttackError(f"{fault}: exit status {status}: {err.getvalue()[-2000:]}")
    if time.monotonic() - begin > LIMIT_S:
        raise AttackError(f"{fault}: took {time.monotonic() - begin:.0f} s")
    return status, out.getvalue()


def _two_cells(folder: Path, run: str) -> RunFactory:
    made = RunFactory(folder / run)
    for model in ("good", "bad"):
        made.cell(model, n_samples=20, n_processes=2)
    return made


def record_values(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Put odd values into a record or into `run.json`, and read the run in every way."""
    run, other = _two_cells(folder, "20261121-090000-0001"), _two_cells(folder, "20261121-090000-0002")
    files: dict[Path, Any] = {
        run.cells[1] / "record.json": _full_record(run),
        run.folder / "run.json": _full_run(run),
    }
    ways = [
        *(("report", run.folder, "--format", name) for name in ("json", "table", "csv", "markdown")),
        *(("report", run.folder, "-o", folder / f"x.{name}") for name in ("html", "parquet")),
        ("report", run.folder, "--group-by", "device"),
        ("report", run.folder, "--operators"),
        ("compare", other.folder, run.folder),
        ("compare", run.folder, other.folder, "--fail-if", "map < -0.1"),
    ]
    for _ in range(faults):
        file = chance.choice([*files, *list(files)[:1] * 3])
        place, value = chance.choice(list(_places(files[file])) or [()]), chance.choice(ODD)
        for path, data in files.items():
            path.write_text(json.dumps(_changed(data, place, value) if path == file else data))
        status, _ = call((file.name, place, repr(value)[:60]), *chance.choice(ways))
        yield f"exit status {status}"


def _full_record(run: RunFactory) -> dict[str, Any]:
    """A record with everything in it that one may hold."""
    data = read_unsealed(run.cells[1] / "record.json")
    data["settings"] = SETTINGS
    data["model"]["card"] = {"dataset": {"path": "p"}, "input": {"width": 3, "height": 4}}
    data["processes"][0]["telemetry"] = {
        "before": {"probe_ns": 4, "mhz": 3.0, "celsius": 4.0, "battery": {"temp": "1"}},
        **{"after": {}, "other_load": 0.1, "start_celsius": 3.0, "fastest_probe_ns": 3},
    }
    data["processes"][1]["summary"] = {"count": 3, "mean_ns": 5, "median_ns": 4, "std_ns": 1, "min_ns": 1}
    return data


def _full_run(run: RunFactory) -> dict[str, Any]:
    data = read_unsealed(run.folder / "run.json")
    request = {"dataset": "x", "workspace": "y", "models": ["a"]}
    return {**data, "request": request, "environment": {"packages": {"a": "1"}}, "command": ["a", "b"]}


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value in a document, but for the document itself."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inside:
        yield (*path, key)
        yield from _places(below, (*path, key))


def _changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = json.loads(json.dumps(document))
    at = changed
    for key in path[:-1]:
        at = at[key]
    at[path[-1]] = value
    return changed


def record_files(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Damage a file of one cell, and see that this cell is not called `ok` and the other is shown."""
    for _ in range(faults):
        run = _two_cells(folder, "20261121-090000-0001")
        file = run.cells[1] / chance.choice(["record.json", "process-0.npy", "process-1.npy"])
        how = chance.choice(list(DAMAGE))
        DAMAGE[how](file, chance)
        status, out = call((file.name, how), "report", run.folder, "--format", "json")
        rows = {row["model"]: row for row in json.loads(out)}
        if "good" not in rows or rows["good"]["status"] != "ok":
            raise AttackError(f"{file.name}, {how}: the other cell is lost")
        if file.suffix == ".npy" and (status != 1 or rows["bad"]["status"] != "failed"):
            raise AttackError(f"{file.name}, {how}: exit status {status}, {rows['bad']['status']}")
        shutil.rmtree(run.folder)
        yield f"{how}, exit status {status}"


def _flip(file: Path, chance: random.Random) -> None:
    data = bytearray(file.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    file.write_bytes(bytes(data))


def _pipe(file: Path, chance: random.Random) -> None:
    file.unlink()
    os.mkfifo(file)


def _folder(file: Path, chance: random.Random) -> None:
    file.unlink()
    file.mkdir()


def _link(file: Path, chance: random.Random) -> None:
    file.unlink()
    file.symlink_to("nowhere")


def _half(file: Path, chance: random.Random) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: chance.randrange(len(data))])


DAMAGE: dict[str, Callable[[Path, random.Random], None]] = {
    "bit": _flip,
    "half": _half,
    "pipe": _pipe,
    "folder": _folder,
    "link": _link,
}


class FaultyHost:
    """Fails the n-th time that this process opens a file below a folder to write, makes a folder there or moves a file.

    Python tells its audit hooks of each such call before the system does it, and what a hook raises takes its place.
    """

    def __init__(self) -> None:
        self._folder, self._left, self._errno = "", -1, 0
        self.count = 0
        sys.addaudithook(self._hear)

    def arm(self, folder: Path, nth: int, number: int) -> None:
        """Fail from the n-th call on, with an error of the system, until it is disarmed."""
        self._folder, self._left, self._errno, self.count = str(folder), nth, number, 0

    def disarm(self) -> None:
        """Fail no more."""
        self._folder = ""

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._folder or event not in {"open", "os.mkdir", "os.rename"}:
            return
        if not str(args[0]).startswith(self._folder):
            return
        if event == "open" and not (args[2] or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            return
        self.count += 1
        if self.count > self._left:
            raise OSError(self._errno, os.strerror(self._errno), str(args[0]))


def host_faults(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Let this computer fail at any write of a run, put it right, and go on: exactly the rest is measured."""
    request = Request(
        models=("shapes-float32", "shapes-full-integer"),
        delegates=("cpu:1",),
        workspace=str(REPOSITORY),
        output=str(folder),
        settings=Settings(accuracy=False, repetitions=2, min_runs=2, min_seconds=0.01),
        repetitions=2,
    )
    ready = replace(prepare(request), engines=(Steady(),))
    host = FaultyHost()
    host.arm(folder, sys.maxsize, 0)
    shutil.rmtree(carry_out(ready, Silent()).folder)
    most = host.count
    for _ in range(faults):
        number, nth = chance.choice(ERRNOS), chance.randrange(most)
        yield f"{errno.errorcode[number]}, {_fail_once(ready, host, folder, nth, number)}"


def _fail_once(ready: Prepared, host: FaultyHost, folder: Path, nth: int, number: int) -> str:
    fault = f"{errno.errorcode[number]} from write {nth} on"
    host.arm(folder, nth, number)
    try:
        carry_out(ready, Silent())
        ended = "not reached"
    except (HostFaultError, OutputError) as error:
        ended = "ended resumably"
        if isinstance(error, HostFaultError) and "--resume" not in str(error):
            raise AttackError(f"{fault}: no command that goes on: {error}") from error
    finally:
        host.disarm()
    runs = [path for path in folder.iterdir() if path.is_dir()]
    begun = [path for path in runs if (path / "run.json").exists()]
    for path in begun:
        _go_on(ready, path, fault)
        shutil.rmtree(path)
    for path in set(runs) - set(begun):
        if any(path.rglob("record.json")):
            raise AttackError(f"{fault}: records without a run in {path}")
        shutil.rmtree(path)
    return ended if begun else "never began"


def _go_on(ready: Prepared, path: Path, fault: str) -> None:
    """Resume, and see that nothing finished was touched, and that the rest is there, once."""
    before = {file: file.read_bytes() for file in path.glob("cells/*/record.json")}
    records = [stored.record for stored in load_records(path)]
    if any(record.status in {"failed", "timeout"} for record in records):
        raise AttackError(f"{fault}: a cell was called failed for it")
    finished = {stored.folder / "record.json" for stored in load_records(path) if stored.record.complete}
    carry_out(replace(ready, resumes=own(path)), Silent())
    if any(file.read_bytes() != before[file] for file in finished):
        raise AttackError(f"{fault}: a finished cell was touched")
    measured = [[process.index for process in stored.record.processes] for stored in load_records(path)]
    samples = [len(stored.samples()) for stored in load_records(path)]
    if not is_finished(path) or measured != [[0, 1]] * 2 or samples != [2, 2]:
        raise AttackError(f"{fault}: resumed to {measured}, {samples}")
    left = {entry.name for entry in path.iterdir()} - {"run.json", "cells"}
    if left:
        raise AttackError(f"{fault}: left behind: {left}")


KINDS: dict[str, Callable[[Path, random.Random, int], Iterator[str]]] = {
    "record-value": record_values,
    "record-file": record_files,
    "host-fault": host_faults,
}

if __name__ == "__main__":
    main()
