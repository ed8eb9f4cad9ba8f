"""Files that a user names as an output, of whatever kind the thing is that stands there.

    a regular file, or nothing     replaced whole, or left as it is; its permissions stay
    a symbolic link                what it leads to is written; the link stays
    /dev/stdout, /dev/fd/N         written to the open descriptor, behind what is there already
    a device, a FIFO, a socket     written to, never replaced
    a folder                       refused

Files of our own, whose places nobody chose, are `harness.atomic`'s.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from collections.abc import Collection, Iterable
from pathlib import Path

from harness import atomic
from harness.errors import OutputError, cannot_write
from harness.paths import AnyPath, absolute, is_folder, resolved, same_file, status

MODEL_ENDINGS = (".tflite", ".lite")
CARD_ENDINGS = (".toml",)
PAGE_ENDINGS = (".html", ".htm")
CSV_ENDINGS = (".csv",)
JUNIT_ENDINGS = (".xml",)

_DESCRIPTORS = re.compile(r"/dev/fd|/proc/(?P<process>\d+)(?:/task/\d+)?/fd")
_MOST_LINKS = 40
"""Linux follows no more."""


def write(path: Path, data: bytes) -> None:
    """Write an output whole.

    Raises:
        OutputError: It cannot be written; a regular file is as it was then.
    """
    try:
        if not is_stream(path):
            _replace(path, data)
        elif (descriptor := _own_descriptor(path)) is not None:
            _write_open(descriptor, data)
        else:
            _write_stream(path, data)
    except (OSError, ValueError) as error:
        raise OutputError(_why(path, error)) from error


def check(path: AnyPath, endings: Collection[str] = ()) -> None:
    """Refuse what cannot be an output, before work is done for it.

    Args:
        path: As the user named it.
        endings: Those of its format; a name without one is any format's, and so is a device or a pipe.

    Raises:
        OutputError: It has no name, is a folder, or has another ending; names the known ones.
    """
    if not os.fspath(path):
        raise OutputError("found '' as the name of an output, expected the name of a file")
    if is_folder(path):
        raise OutputError(f"{path}: is a folder, expected the name of a file")
    ending = Path(path).suffix
    if endings and ending and ending.lower() not in endings and not is_stream(path):
        raise OutputError(f"{path}: {ending!r} is no known ending here; known: {', '.join(endings)}")


def refuse_inputs(path: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse an output that is one of the inputs, by whatever name.

    Raises:
        OutputError: It is.
    """
    for given in filter(None, inputs):
        if same_file(path, given) or (not is_stream(path) and resolved(path) == resolved(given)):
            raise OutputError(f"{path}: is the input, which is never changed: name another file")


def is_taken(path: AnyPath) -> bool:
    """Whether a file or folder stands there that a new file would replace; a device or a pipe is only written to."""
    return status(path) is not None and not is_stream(path)


def is_stream(path: AnyPath) -> bool:
    """Whether it is written to as it goes, as a device, a pipe or an open descriptor is, and keeps nothing."""
    found = status(path)
    if found is not None and not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        return True
    return _descriptor(path) is not None


def folder_of(path: Path) -> Path | None:
    """Return the folder that a new file comes into; None for what is only written to."""
    return None if is_stream(path) else resolved(path).parent


def _replace(path: Path, data: bytes) -> None:
    """Replace a regular file, behind all links."""
    target = resolved(path)
    before = status(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic.replacing(target) as temporary, temporary.open("wb") as file:
        if before is not None:
            _take_over(file.fileno(), before)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    atomic.make_durable(target.parent)


def _take_over(file: int, before: os.stat_result) -> None:
    """Give a file the owner and the permissions of the one whose place it takes, as far as this user may."""
    with contextlib.suppress(OSError):
        os.fchown(file, before.st_uid, before.st_gid)
    with contextlib.suppress(OSError):
        os.fchmod(file, stat.S_IMODE(before.st_mode))


def _write_stream(path: Path, data: bytes) -> None:
    """Write to a device or a FIFO; nothing is made where it went meanwhile."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        _write_all(descriptor, data)
    finally:
        os.close(descriptor)


def _write_open(descriptor: int, data: bytes) -> None:
    """Write to a descriptor of this process, behind what was printed."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        stream.flush()
    _write_all(descriptor, data)


def _write_all(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _own_descriptor(path: AnyPath) -> int | None:
    found = _descriptor(path)
    return found[1] if found is not None and found[0] in (None, os.getpid()) else None


def _descriptor(path: AnyPath) -> tuple[int | None, int] | None:
    """Return the process, where the name says it, and the number of the open file that a name stands for.

    The last link is not followed: behind it stands the file itself, which would be replaced.
    """
    at = absolute(path)
    for _ in range(_MOST_LINKS):
        folder = resolved(at.parent)
        found = _DESCRIPTORS.fullmatch(str(folder))
        if found and at.name.isdecimal():
            return (int(found["process"]) if found["process"] else None), int(at.name)
        try:
            at = folder / os.readlink(at)  # noqa: PTH115 - a link may lead to what is no path, as `pipe:[1]`
        except (OSError, ValueError):
            return None
    return None


def _why(path: Path, error: OSError | ValueError) -> str:
    return cannot_write(path, error if isinstance(error, OSError) else OSError(None, str(error)))
