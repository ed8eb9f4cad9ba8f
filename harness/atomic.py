"""Files that are either whole or absent."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from harness.errors import OutputError, cannot_write


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
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary, temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if sync_folder:
            make_durable(path.parent)
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
    return path.with_name(f".{path.name[:40]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")


def make_durable(folder: Path) -> None:
    """Make what was renamed in a folder durable; a no-op where folders cannot be opened."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
