"""Whose a run's folder is: one process's, for as long as it lives.

The owner holds a lock of the system on the file `.lock` in the folder; the system drops it when the process dies,
however it dies. It holds between computers that share a folder over NFS, too; where a file system has no locks, the
owner says so. What a process that died left behind is cleared by the next one that owns the folder, and by nobody else.
"""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness import atomic
from harness.errors import OutputError, RunInUseError
from harness.text import clean

LOCK = ".lock"
SCRATCH = ".scratch"
"""What the names of folders with passing files begin with."""
_NO_LOCKS = frozenset(
    getattr(errno, name)
    for name in ("ENOLCK", "EOPNOTSUPP", "ENOTSUP", "ENOSYS", "EINVAL")
    if hasattr(errno, name)
)
_MIND = "do not resume a run there while it is being measured"
_TEMPORARY = re.compile(r"\..+\.\d+-[0-9a-f]{8}\.tmp|\.write-test-.+", re.DOTALL)
_RUN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


@dataclass
class Ownership:
    """A run's folder that is this process's alone, until it is released.

    Attributes:
        folder: The folder.
        remark: Why it could not be locked, for the user; empty where it is.
    """

    folder: Path
    remark: str = ""
    _handle: int | None = field(default=None, repr=False)

    @property
    def held(self) -> bool:
        """Whether it has not been released."""
        return self._handle is not None

    def release(self) -> None:
        """Give it up; whoever wants it next may have it."""
        handle, self._handle = self._handle, None
        if handle is None:
            return
        if (
            not self.remark
        ):  # only who holds the lock may remove the file: another owner's lies there otherwise
            with contextlib.suppress(OSError):
                (self.folder / LOCK).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            os.close(handle)


def own(folder: Path) -> Ownership:
    """Make a run's folder this process's, and clear what one that died left in it.

    Raises:
        RunInUseError: A living process owns it; says which.
        OutputError: The folder is gone, or cannot be written.
    """
    path = folder / LOCK
    while True:
        with atomic.writing(path):
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        try:
            remark = _lock(handle, folder)
        except BaseException:
            os.close(handle)
            raise
        if remark:
            return Ownership(folder, remark, handle)
        if _is_at(handle, path):
            break
        os.close(handle)  # its owner ended, and took it along, after we had opened it
    _sign(handle)
    clear_leftovers(folder)
    return Ownership(folder, "", handle)


def why_unlocked(results: Path) -> str:
    """Return why runs in a folder cannot be locked, for the user; nothing where they can.

    Raises:
        OutputError: The folder cannot be written.
    """
    probe = atomic.beside(results / LOCK)
    with atomic.writing(probe):
        handle = os.open(probe, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        return _lock(handle, results)
    finally:
        os.close(handle)
        with contextlib.suppress(OSError):
            probe.unlink()


def _lock(handle: int, folder: Path) -> str:
    """Lock an open file; return why that is not possible here, or nothing.

    `flock` goes with the open file, so two owners in one process exclude each other too; over NFS, Linux makes it a
    lock that the server keeps.
    """
    try:
        import fcntl
    except ImportError:
        return f"{folder}: cannot be locked on this system; {_MIND}"
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return f"{folder}: its file system has no locks ({error.strerror}); {_MIND}"
        raise RunInUseError(
            f"run {folder.name} is being measured{_by_whom(handle)}: wait for its end, or end it first"
        ) from error
    return ""


def _is_at(handle: int, path: Path) -> bool:
    """Whether an open file is still the one of that name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat(follow_symlinks=False))
    except OSError:
        return False


def _sign(handle: int) -> None:
    """Write into the lock whose it is, for people; the lock holds without it."""
    with contextlib.suppress(OSError):
        os.ftruncate(handle, 0)
        os.write(handle, f"process {os.getpid()} on {platform.node()}\n".encode())


def _by_whom(handle: int) -> str:
    try:
        said = clean(os.pread(handle, 200, 0).decode("utf-8", "replace")).strip()
    except OSError:
        said = ""
    return f" by {said}" if said else ""


def clear_leftovers(folder: Path) -> None:
    """Remove what a process that died left in a run: temporary files, scratch folders, cells without a file."""
    for entry in _entries(folder):
        if entry.name.startswith(SCRATCH) and entry.is_dir(follow_symlinks=False):
            atomic.remove_folder(Path(entry.path))
        elif _TEMPORARY.fullmatch(entry.name):
            _remove_file(entry)
    for cell in _entries(folder / "cells"):
        if not cell.is_dir(follow_symlinks=False):
            continue
        for entry in _entries(Path(cell.path)):
            if _TEMPORARY.fullmatch(entry.name):
                _remove_file(entry)
        _remove_if_empty(Path(cell.path))


def clear_dead_runs(results: Path) -> None:
    """Clear what runs that were killed left in a results folder; one that never began goes altogether.

    Only a folder whose lock lies there although nobody holds it, or that holds no run yet, is looked into.
    """
    for entry in _entries(results):
        folder = Path(entry.path)
        if not (_RUN.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)):
            continue
        began = os.path.lexists(folder / "run.json")
        if began and not os.path.lexists(folder / LOCK):
            continue
        with contextlib.suppress(RunInUseError, OutputError):
            own(folder).release()
            if not began:
                _remove_if_empty(folder / "cells")
                _remove_if_empty(folder)


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    """Yield what is in a folder, in the order of the names; nothing where it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return
    yield from found


def _remove_file(entry: os.DirEntry[str]) -> None:
    with contextlib.suppress(OSError):
        if not entry.is_dir(follow_symlinks=False):
            Path(entry.path).unlink()


def _remove_if_empty(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()
