"""Programs for Android, started on Linux: the C library's few names that glibc lacks, and the linker at its place.

`libc.so` and `libdl.so` here have the names that Android's have; glibc does the work. Either the program is handed to
glibc's linker (`command`), or, where somebody else starts it by its path alone, `/system/bin/linker64` is a link to
that linker (`linker_in_place`, as root) and `environment` loads the two libraries into whatever is started.
"""

from __future__ import annotations

import fcntl
import functools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.faulty_disk import compiler

SOURCE = Path(__file__).with_name("bionic.c")
LINKER = Path("/lib64/ld-linux-x86-64.so.2")
ANDROIDS_LINKER = Path("/system/bin/linker64")
_kept: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def libraries() -> Path:
    """Compile the two libraries once a process, into a folder that goes with it."""
    argv = compiler()
    assert argv is not None
    folder = tempfile.TemporaryDirectory(prefix="harness-bionic-")
    _kept.append(folder)
    for name in ("libc.so", "libdl.so"):
        out = str(Path(folder.name) / name)
        subprocess.run([*argv, "-shared", "-fPIC", f"-Wl,-soname,{name}", "-o", out, str(SOURCE)], check=True)
    return Path(folder.name)


def is_possible() -> bool:
    """Whether a program for Android on x86-64 can be started here."""
    return LINKER.is_file() and compiler() is not None


def command(program: Path) -> list[str]:
    """The command that starts a program for Android."""
    return [str(LINKER), "--library-path", str(libraries()), str(program)]


def environment() -> dict[str, str]:
    """Variables under which a program for Android finds its C library, wherever its own libraries are looked for."""
    return {"LD_PRELOAD": f"{libraries() / 'libc.so'} {libraries() / 'libdl.so'}"}


@contextmanager
def linker_in_place() -> Iterator[None]:
    """Let a program for Android be started by its path alone; what was made for that goes afterwards.

    Processes that share the tests take turns.
    """
    with Path(tempfile.gettempdir(), "harness-androids-linker.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with _linked():
            yield


@contextmanager
def _linked() -> Iterator[None]:
    made = [
        folder for folder in (ANDROIDS_LINKER.parent, ANDROIDS_LINKER.parent.parent) if not folder.exists()
    ]
    ANDROIDS_LINKER.parent.mkdir(parents=True, exist_ok=True)
    if ANDROIDS_LINKER.is_symlink() and ANDROIDS_LINKER.readlink() == LINKER:
        ANDROIDS_LINKER.unlink()  # tests that were killed could not
    ANDROIDS_LINKER.symlink_to(LINKER)
    try:
        yield
    finally:
        ANDROIDS_LINKER.unlink()
        for folder in made:
            folder.rmdir()


def is_root() -> bool:
    """Whether `linker_in_place` may do what it does."""
    return os.geteuid() == 0
