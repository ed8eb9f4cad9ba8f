"""A stand-in for LiteRT's library, compiled where it is needed; `litert_stand_in.c` says what it does.

It is for what the real one does not do on demand: take seconds to compile, run behind the call, refuse a call, be of
another version. And it is fast, so that a hundred thousand jobs can be tried.
"""

from __future__ import annotations

import functools
import subprocess
import tempfile
from pathlib import Path

from tests.support.faulty_disk import compiler

SOURCE = Path(__file__).with_name("litert_stand_in.c")
_kept: list[tempfile.TemporaryDirectory[str]] = []


@functools.cache
def stand_in(*flags: str) -> Path:
    """Compile it once a process, into a folder that goes with it.

    Args:
        flags: `-DOLDER`, `-DNEWER` or `-DLACKING`.
    """
    argv = compiler()
    assert argv is not None
    folder = tempfile.TemporaryDirectory(prefix="harness-stand-in-")
    _kept.append(folder)
    path = Path(folder.name) / "libLiteRt.so"
    subprocess.run([*argv, "-shared", "-fPIC", "-O1", *flags, "-o", str(path), str(SOURCE)], check=True)
    return path
