"""The stand-in for an external delegate, compiled."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.paths import STAND_IN


def compile_delegate(output: Path, *flags: str) -> Path:
    """Compile the stand-in delegate (tests/stand_in/external_delegate.c); skips where there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler to build the stand-in delegate with (.ci/adb installs gcc)")
    source = STAND_IN / "external_delegate.c"
    command = [
        compiler,
        "-std=gnu11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-O1",
        "-shared",
        "-fPIC",
        "-fvisibility=hidden",
    ]
    subprocess.run([*command, *flags, "-o", str(output), str(source)], check=True, timeout=120)
    return output
