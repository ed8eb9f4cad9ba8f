"""A file of this computer that is written from a device: either whole or untouched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from harness import atomic
from harness.errors import DeviceError, OutputError, cannot_write, is_host_fault


@contextmanager
def replaced(device: str, local: Path) -> Iterator[IO[bytes]]:
    """Give a temporary file that takes the place of `local` when all went well.

    Args:
        device: The device's name, for errors.
        local: The file.

    Raises:
        OutputError: This computer fails: there is no room, or the folder is gone.
        DeviceError: It cannot be written.
    """
    try:
        with atomic.replacing(local) as temporary, temporary.open("wb") as file:
            yield file
    except OSError as error:
        if isinstance(error, ConnectionError):
            raise
        if is_host_fault(error):
            raise OutputError(cannot_write(local, error)) from error
        raise DeviceError(device, cannot_write(local, error)) from error
