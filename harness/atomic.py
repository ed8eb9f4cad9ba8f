"""Files that are either whole or absent, and everything else that is written while something is measured.

Whatever cannot be written raises one error, `OutputError`: a full disk is this computer's fault and no model's.
Standard library only: boards import this too.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.errors import OutputError, cannot_write

LEAST_FREE_BYTES = 2**16
"""On a disk with less room than this nothing can be measured: what fails there fails for want of room."""


def write_bytes(path: Path, data: bytes, sync_folder: bool = True) -> None:
    """Write `data` so that a kill at any instant leaves the old file or the new one, never a part.

    The bytes go to a temporary name in the same folder, are fsynced, renamed, and the folder is fsynced.

    Args:
        path: The file.
        data: Its content.
        sync_folder: False where another file is written to the same folder next, which makes both renames durable.

    Raises:
        OutputError: The file cannot be written.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if sync_folder:
            make_durable(path.parent)


def write_scratch(path: Path, data: bytes | str) -> None:
    """Write a file that another process reads soon and nobody keeps; text as UTF-8. Nothing is forced to the disk.

    Raises:
        OutputError: The file cannot be written.
    """
    with writing(path):
        path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, where they are not there.

    Raises:
        OutputError: It cannot be made.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def move(source: Path, target: Path) -> None:
    """Give a file another name on the same disk, with all of it forced there; the folder is made where it is not there.

    Raises:
        OutputError: It cannot be moved.
    """
    with writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        _force(source)
        source.replace(target)


def rename(source: Path, target: Path) -> None:
    """Give a folder or a file another name, durably, as it is.

    Raises:
        OutputError: It cannot be moved.
    """
    with writing(target):
        source.rename(target)
        for folder in {source.parent, target.parent}:
            make_durable(folder)


def _force(path: Path) -> None:
    """Force a file that another process wrote to the disk: a name there without its content would be a loss."""
    handle = os.open(path, os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_folder(folder: Path) -> None:
    """Remove a folder and all in it, as far as that goes: what stays is in nobody's way."""
    with contextlib.suppress(OSError):  # to close a folder may fail, which `rmtree` does not ignore
        shutil.rmtree(folder, ignore_errors=True)


def check_folder(folder: Path) -> None:
    """Prove that a folder is there and can still be written.

    Raises:
        OutputError: It is gone, is read-only, or there is no room.
    """
    probe = folder / f".write-test-{os.getpid()}-{os.urandom(4).hex()}"
    with writing(folder):
        try:
            probe.write_bytes(b"x")
        finally:
            with contextlib.suppress(OSError):  # a full disk leaves an empty probe behind
                probe.unlink(missing_ok=True)
        if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Raise `OutputError` in place of what the system says of a file that is written in this block."""
    try:
        yield
    except OSError as error:
        raise OutputError(cannot_write(path, error)) from error
    except ValueError as error:  # a NUL in the name
        raise OutputError(f"{path}: cannot be written ({error})") from error


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name for a file that takes the place of `path` when the block ends well, and goes when it does not.

    Nothing is forced to the disk: that is the block's to do where it matters.
    """
    temporary = beside(path)
    try:
        yield temporary
        os.replace(temporary, path)  # noqa: PTH105 - a tenth of Path.replace's time
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def beside(path: Path) -> Path:
    """Return a hidden name in the folder of `path` that nobody else uses."""
    return path.with_name(f".{path.name[:40]}.{os.getpid()}-{os.urandom(4).hex()}.tmp")


def make_durable(folder: Path) -> None:
    """Make what was renamed in a folder durable; a no-op where folders cannot be opened or synced."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in {
            errno.EINVAL,
            errno.EBADF,
            errno.ENOTSUP,
        }:  # some network disks sync files alone
            raise
    finally:
        os.close(handle)
