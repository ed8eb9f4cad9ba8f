"""A disk that fails inside write(), fsync(), rename(), close() …, in this process and in those that it starts.

`faulty_disk.c` is compiled where it is needed, and loaded before the C library into processes that are started with
`FaultyDisk.environment`. Nothing of the machine is touched: only calls for paths below one folder fail.
"""

from __future__ import annotations

import functools
import importlib.util
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).with_name("faulty_disk.c")
WRITING = 1 | 2 | 4 | 8 | 16 | 32 | 64
"""Opening to write, writing, forcing to the disk, renaming, closing, making folders, removing."""
READING = 128
_LAYOUT = struct.Struct("=qqqii4096s")
_ENDLESS = 2**62


def compiler() -> list[str] | None:
    """Return what compiles C here; None where nothing does."""
    found = shutil.which("cc") or shutil.which("gcc")
    if found:
        return [found]
    return [sys.executable, "-m", "ziglang", "cc"] if importlib.util.find_spec("ziglang") else None


def is_possible() -> bool:
    """Whether calls can be caught here."""
    return sys.platform == "linux" and compiler() is not None


@functools.cache
def library() -> Path:
    """Compile the library once a process, into a folder that goes with it."""
    argv = compiler()
    assert argv is not None
    folder = tempfile.TemporaryDirectory(prefix="harness-faulty-disk-")
    _kept.append(folder)
    path = Path(folder.name) / "faulty_disk.so"
    subprocess.run([*argv, "-shared", "-fPIC", "-O1", "-o", str(path), str(SOURCE), "-ldl"], check=True)
    return path


_kept: list[tempfile.TemporaryDirectory[str]] = []


class FaultyDisk:
    """Says what fails below a folder.

    Attributes:
        control: The file that the processes map.
        environment: With which a process must be started so that its calls can fail.
    """

    def __init__(self, control: Path) -> None:
        self.control = control
        if not control.exists():
            control.write_bytes(bytes(_LAYOUT.size))
        with control.open("r+b") as file:
            self._memory = mmap.mmap(file.fileno(), _LAYOUT.size)

    @property
    def environment(self) -> dict[str, str]:
        """Start a process with this."""
        return {**os.environ, "LD_PRELOAD": str(library()), "FAULTY_DISK": str(self.control)}

    @staticmethod
    def loaded() -> FaultyDisk | None:
        """Return the one that this process was started with; None where it was not."""
        name = os.environ.get("FAULTY_DISK")
        return FaultyDisk(Path(name)) if name and os.environ.get("LD_PRELOAD") else None

    def arm(self, folder: Path, first: int, number: int, kinds: int = WRITING, times: int = _ENDLESS) -> None:
        """Let the first-th call below a folder fail, and those behind it; 0 as the error only counts."""
        self._write(first, first + times, number, kinds, str(folder))

    def disarm(self) -> int:
        """Let nothing fail any more; return how many calls there were."""
        count = int(_LAYOUT.unpack_from(self._memory)[0])
        self._write(0, 0, 0, 0, "")
        return count

    def _write(self, first: int, until: int, number: int, kinds: int, folder: str) -> None:
        _LAYOUT.pack_into(self._memory, 0, 0, first, until, number, kinds, folder.encode())
