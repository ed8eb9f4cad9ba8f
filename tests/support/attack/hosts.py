"""This computer fails under a run: at any call that writes, in the harness and in its workers; then the run goes on."""

from __future__ import annotations

import errno
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from harness.accuracy.image_files import UnreadableImageError, read_header, read_image
from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.errors import HostFaultError, OutputError
from harness.records.ownership import own
from harness.records.records import Record, is_finished, load_records
from harness.session import Prepared, carry_out, prepare
from harness.settings import Settings
from harness.vocabulary import FAILURES
from tests.support.attack.calls import Answer, AttackError, checked
from tests.support.faulty_disk import READING, WRITING, FaultyDisk
from tests.support.paths import DATASET, REPOSITORY
from tests.support.steady_engine import Steady

ERRNOS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EMFILE)
MODELS = ("shapes-float32", "shapes-full-integer")
SOME_CALLS = 100
"""Fewer than there are in a run of two models."""
RUN_S = 300.0
"""A run of two models takes some seconds."""


def _disk() -> FaultyDisk:
    disk = FaultyDisk.loaded()
    assert disk is not None, "started without the library of the faulty disk"
    return disk


def host_faults(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Let any write of a run fail, once, for a while or from then on; put it right; exactly the rest is measured."""
    ready, disk = _prepared(folder), _disk()
    disk.arm(folder, 0, 0)
    shutil.rmtree(carry_out(ready, Silent()).folder)
    most = disk.disarm()
    for _ in range(faults):
        number, nth, times = chance.choice(ERRNOS), chance.randrange(most), chance.choice((1, 2, 9, 2**30))
        fault = f"{errno.errorcode[number]} from call {nth} on, {times} times"
        disk.arm(folder, nth, number, WRITING, times)
        yield f"{errno.errorcode[number]}, {_fail_once(ready, disk, folder, fault)}"


def _prepared(folder: Path) -> Prepared:
    request = Request(
        models=MODELS,
        delegates=("cpu:1",),
        workspace=str(REPOSITORY),
        output=str(folder),
        settings=Settings(accuracy=False, repetitions=2, min_runs=2, min_seconds=0.01),
        repetitions=2,
    )
    return replace(prepare(request), engines=(Steady(),))


def _fail_once(ready: Prepared, disk: FaultyDisk, folder: Path, fault: str) -> str:
    try:
        carry_out(ready, Silent())
        ended = "ended well"
    except (HostFaultError, OutputError) as error:
        ended = "ended resumably"
        if isinstance(error, HostFaultError) and "--resume" not in str(error):
            raise AttackError(f"{fault}: no command that goes on: {error}") from error
    finally:
        disk.disarm()
    begun = _begun(folder, fault)
    for path in begun:
        if ended == "ended well" and not is_finished(path):
            raise AttackError(f"{fault}: a run that is not finished ended well")
        _go_on(ready, path, fault)
        shutil.rmtree(path)
    return ended if begun else "never began"


def _begun(folder: Path, fault: str) -> list[Path]:
    """Return the runs that began, and remove what did not."""
    runs = [path for path in folder.iterdir() if path.is_dir()]
    begun = [path for path in runs if (path / "run.json").exists()]
    for path in set(runs) - set(begun):
        if any(path.rglob("record.json")):
            raise AttackError(f"{fault}: records without a run in {path}")
        shutil.rmtree(path)
    return begun


def _go_on(ready: Prepared, path: Path, fault: str) -> None:
    """Resume, and see that nothing finished was touched, and that the rest is there, once."""
    finished = _finished(path, fault)
    carry_out(replace(ready, resumes=own(path)), Silent())
    if any(file.read_bytes() != before for file, before in finished.items()):
        raise AttackError(f"{fault}: a finished cell was touched")
    _is_whole(path, fault, 2)


def _finished(path: Path, fault: str) -> dict[Path, bytes]:
    """Return what stands in the records of finished cells; none may be called failed for a fault of this computer."""
    stored = load_records(path)
    if any(one.record.status in FAILURES and one.record.processes for one in stored):
        raise AttackError(f"{fault}: a cell was called failed for it")
    files = [one.folder / "record.json" for one in stored if one.record.complete]
    return {file: file.read_bytes() for file in files}


def _is_whole(path: Path, fault: str, processes: int) -> list[Record]:
    """Check that every cell has each of its processes once, with samples, and that nothing was left behind."""
    stored = load_records(path)
    measured = [[process.index for process in one.record.processes] for one in stored]
    samples = [len(one.samples()) for one in stored]
    if not is_finished(path) or measured != [list(range(processes))] * 2 or samples != [processes] * 2:
        raise AttackError(f"{fault}: resumed to {measured}, {samples}")
    left = {entry.name for entry in path.iterdir()} - {"run.json", "cells"}
    left |= {entry.name for entry in path.rglob(".*")}
    if left:
        raise AttackError(f"{fault}: left behind: {left}")
    return [one.record for one in stored]


COMMAND = ("run", *MODELS, "--delegate", "cpu:1", "--limit", "2", "--repetitions", "1", "--min-runs", "2")
COMMAND += ("--min-seconds", "0.01", "--format", "json")


def worker_faults(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """The same with the command and with real workers, at their writes and at the command's."""
    disk, most = _disk(), SOME_CALLS
    if faults > 1:
        disk.arm(folder, 0, 0)
        _command("no fault", folder, *COMMAND, "--output", folder)
        most = disk.disarm()
        shutil.rmtree(folder)
    for _ in range(faults):
        folder.mkdir(exist_ok=True)
        number, nth, times = chance.choice(ERRNOS), chance.randrange(most), chance.choice((1, 2**30))
        fault = f"{errno.errorcode[number]} from call {nth} of {most} on, {times} times"
        disk.arm(folder, nth, number, WRITING, times)
        answer = _command(fault, folder, *COMMAND, "--output", folder)
        disk.disarm()
        yield f"{errno.errorcode[number]}, {_resumed_by_command(fault, folder, answer)}"
        shutil.rmtree(folder)


def _command(fault: str, folder: Path, *args: object) -> Answer:
    begin = time.monotonic()
    argv = [sys.executable, "-m", "harness", "--workspace", str(REPOSITORY), *map(str, args)]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=2 * RUN_S)
    return checked(fault, Answer(ended.returncode, ended.stdout, ended.stderr), begin, RUN_S)


def _resumed_by_command(fault: str, folder: Path, answer: Answer) -> str:
    begun = _begun(folder, fault)
    for path in begun:
        whole = is_finished(path)
        if answer.status == 0 and not whole:
            raise AttackError(f"{fault}: a run that is not finished ended well: {answer.err}")
        if not whole and "harness run --resume" not in answer.err:
            raise AttackError(f"{fault}: no command that goes on: {answer.err}")
        before = _parts(path, _finished(path, fault))
        again = _command(f"{fault}, resumed", folder, "run", "--resume", path, "--format", "json")
        if again.status != 0:
            raise AttackError(f"{fault}: resumed with {again.status}: {again.err}")
        records = _is_whole(path, fault, 1)
        if any(record.accuracy is None or record.accuracy.figures is None for record in records):
            raise AttackError(f"{fault}: resumed without an accuracy")
        after = _parts(path, before)
        if any(after[file] != part for file, part in before.items()):
            raise AttackError(f"{fault}: a finished cell was touched")
    if not begun:
        return "never began"
    return "ended well" if answer.status == 0 else "ended resumably"


def _parts(path: Path, files: object) -> dict[Path, object]:
    """Return what was measured of some cells; what is said of it may be said once more."""
    assert isinstance(files, dict)
    stored = {one.folder / "record.json": one.record for one in load_records(path)}
    return {
        file: (stored[file].processes, stored[file].accuracy and stored[file].accuracy.figures)  # type: ignore[union-attr]
        for file in files
    }


def image_faults(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Let a disk fail while a picture is read: that is never called a fault of the picture."""
    disk, pictures = _disk(), folder / "pictures"
    pictures.mkdir()
    found = sorted(path for path in DATASET.rglob("*") if path.suffix in {".png", ".jpg"})[:5]
    files = [Path(shutil.copy(path, pictures)) for path in found]
    for _ in range(faults):
        file, read = chance.choice(files), chance.choice((read_header, read_image))
        number = chance.choice((errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES))
        disk.arm(pictures, 0, 0, READING)
        read(file)
        nth = chance.randrange(max(1, disk.disarm()))
        disk.arm(pictures, nth, number, READING)
        try:
            read(file)
            ended = "not reached"
        except HostFaultError:
            ended = "a fault of this computer"
        except (UnreadableImageError, OSError) as error:
            raise AttackError(f"{read.__name__} {file.name}, call {nth}, {number}: {error!r}") from error
        finally:
            disk.disarm()
        yield f"{errno.errorcode[number]}, {ended}"


def image_faults_of_a_run(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Let a disk fail while a worker reads the pictures of a run: the run ends resumably."""
    disk, data = _disk(), folder / "data"
    shutil.copytree(DATASET, data)
    results = folder / "results"
    command = (*COMMAND, "--no-latency", "--dataset", data, "--output", results)
    disk.arm(data / "images", 0, 0, READING)
    _command("no fault", folder, *command)
    most = disk.disarm()
    shutil.rmtree(results)
    for _ in range(faults):
        nth = chance.randrange(most)
        fault = f"EIO from read {nth} of {most} on"
        disk.arm(data / "images", nth, errno.EIO, READING)
        answer = _command(fault, folder, *command)
        disk.disarm()
        for path in _begun(results, fault) if results.exists() else ():
            _finished(path, fault)
            if answer.status != 2 or "harness run --resume" not in answer.err:
                raise AttackError(f"{fault}: exit status {answer.status}: {answer.err}")
            again = _command(f"{fault}, resumed", folder, "run", "--resume", path, "--format", "json")
            if again.status != 0 or not is_finished(path):
                raise AttackError(f"{fault}: resumed with {again.status}: {again.err}")
        yield f"EIO, exit status {answer.status}"
        shutil.rmtree(results, ignore_errors=True)
