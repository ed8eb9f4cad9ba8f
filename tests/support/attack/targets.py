"""Outputs of every kind, on a disk that may fail: whole or untouched, and never replaced by something else."""

from __future__ import annotations

import errno
import os
import random
import shutil
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.attack.calls import Answer, AttackError, call, state_of
from tests.support.attack.stored import two_cells
from tests.support.faulty_disk import WRITING, FaultyDisk

OLD = b"what stood there before"


@dataclass
class Target:
    """One place that is named as an output.

    Attributes:
        name: As it is named on the command line.
        file: The regular file that the content goes to; None where there is none.
        keeps: What must stay what it is: its kind, and where it leads.
        read: Gives what came out of a pipe; None where there is none.
    """

    name: str
    file: Path | None = None
    keeps: list[Path] = field(default_factory=list)
    read: Callable[[], bytes] | None = None


def _regular(place: Path, suffix: str) -> Target:
    file = place / f"rows{suffix}"
    file.write_bytes(OLD)
    file.chmod(0o640)
    return Target(str(file), file, [file])


def _new(place: Path, suffix: str) -> Target:
    file = place / f"new{suffix}"
    return Target(str(file), file)


def _in_new_folder(place: Path, suffix: str) -> Target:
    file = place / "a" / "b" / f"new{suffix}"
    return Target(str(file), file)


def _link(place: Path, suffix: str) -> Target:
    file, link = place / f"there{suffix}", place / f"link{suffix}"
    file.write_bytes(OLD)
    link.symlink_to(file.name)
    return Target(str(link), file, [link, file])


def _link_to_nothing(place: Path, suffix: str) -> Target:
    file, link, second = place / f"there{suffix}", place / f"link{suffix}", place / f"second{suffix}"
    link.symlink_to(file)
    second.symlink_to(link.name)
    return Target(str(second), file, [link, second])


def _circle(place: Path, suffix: str) -> Target:
    link = place / f"circle{suffix}"
    link.symlink_to(link)
    return Target(str(link), None, [link])


def _folder(place: Path, suffix: str) -> Target:
    folder = place / f"folder{suffix}"
    folder.mkdir()
    return Target(str(folder), None, [folder])


def _fifo(place: Path, suffix: str) -> Target:
    path = place / f"fifo{suffix}"
    os.mkfifo(path)
    got: list[bytes] = []

    def take() -> None:
        got.append(path.read_bytes())

    reader = threading.Thread(target=take, daemon=True)
    reader.start()

    def read() -> bytes:
        while reader.is_alive():  # whether or not somebody wrote: let the reader go
            os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK))
            reader.join(0.05)
        return got[0]

    return Target(str(path), None, [path], read)


def _socket(place: Path, suffix: str) -> Target:
    path = place / f"s{suffix}"
    with socket.socket(socket.AF_UNIX) as listening:
        at = os.open(place, os.O_RDONLY)
        try:
            listening.bind(f"/proc/self/fd/{at}/{path.name}")  # its own name may be too long
        finally:
            os.close(at)
    return Target(str(path), None, [path])


def _unknown_suffix(place: Path, suffix: str) -> Target:
    file = place / "rows.unknown"
    file.write_bytes(OLD)
    return Target(str(file), file, [file])


def _no_name(place: Path, suffix: str) -> Target:
    return Target("")


KINDS = {
    "file": _regular,
    "new file": _new,
    "new folder": _in_new_folder,
    "link": _link,
    "link to nothing": _link_to_nothing,
    "circle": _circle,
    "folder": _folder,
    "fifo": _fifo,
    "socket": _socket,
    "unknown suffix": _unknown_suffix,
    "no name": _no_name,
}
REFUSED = {"circle", "folder", "socket", "unknown suffix", "no name"}
ERRNOS = (errno.ENOSPC, errno.EIO, errno.EROFS, errno.EACCES)


def outputs(folder: Path, chance: random.Random, faults: int) -> Iterator[str]:
    """Name every kind of thing as an output, on a disk that fails at some call or at none."""
    disk = FaultyDisk.loaded()
    run, other = two_cells(folder, "20261121-090000-0001"), two_cells(folder, "20261121-090000-0002")
    ways: list[tuple[tuple[object, ...], str]] = [
        *((("report", run.folder, "-o"), suffix) for suffix in (".json", ".csv", ".html", ".md")),
        (("compare", run.folder, other.folder, "--fail-if", "map < -0.1", "--junit"), ".xml"),
        (("report", run.folder, "--columns", "model,map,status", "-o"), ".json"),
    ]
    place = folder / "out"
    for _ in range(faults):
        place.mkdir()
        kind = chance.choice(list(KINDS))
        way, suffix = chance.choice(ways)
        target = KINDS[kind](place, suffix)
        number = chance.choice((0, *ERRNOS)) if disk is not None and kind != "fifo" else 0
        nth = chance.randrange(12)
        before = [_identity(path) for path in target.keeps]
        state = state_of(place)
        fault = (kind, suffix, way[0], number, nth)
        if disk is not None:
            disk.arm(place, nth, number, WRITING)
        answer = call(fault, *way, target.name)
        if disk is not None:
            disk.disarm()
        if before != [_identity(path) for path in target.keeps]:
            raise AttackError(f"{fault}: what stands there became something else")
        _judge(fault, kind, target, answer, state == state_of(place))
        shutil.rmtree(place)
        yield f"{kind}, exit status {answer.status}"


def _identity(path: Path) -> tuple[object, ...]:
    """Return what must not change: the kind of a thing, its rights, where a link leads."""
    found = path.lstat()
    leads = path.readlink() if stat.S_ISLNK(found.st_mode) else None
    return stat.S_IFMT(found.st_mode), found.st_mode, leads


def _judge(fault: object, kind: str, target: Target, answer: Answer, untouched: bool) -> None:
    got = target.read() if target.read is not None else None
    if kind in REFUSED and (answer.status != 2 or not untouched):
        raise AttackError(f"{fault}: exit status {answer.status}, expected a refusal: {answer.err}")
    if answer.status == 2 and got:
        raise AttackError(f"{fault}: refused, and written")
    if got == b"" and answer.status != 2:
        raise AttackError(f"{fault}: nothing came out of the pipe: {answer.err}")
    if target.file is None or kind in REFUSED:
        return
    data = target.file.read_bytes() if target.file.exists() else None
    if answer.status == 2 and data not in (None, OLD) and not _is_whole(target.file, data):
        raise AttackError(f"{fault}: half an output: {data[-100:]!r}")
    if answer.status != 2 and (data is None or not _is_whole(target.file, data)):
        raise AttackError(f"{fault}: exit status {answer.status}, and the output is not there: {answer.err}")


ENDS = {".json": b"]\n", ".csv": b"\n", ".html": b"</html>\n", ".md": b"\n", ".xml": b"</testsuites>\n"}


def _is_whole(file: Path, data: bytes) -> bool:
    return len(data) > len(OLD) and data.endswith((ENDS[file.suffix], ENDS[file.suffix].strip() or b"\n"))
