"""A small disk, for what happens when it is full: a tmpfs of so many bytes at a folder."""

import os
import subprocess
import sys
from contextlib import contextmanager

import pytest


@contextmanager
def small_disk(folder, size, options="rw"):
    """Mount a disk at a folder; `size` and `options` as mount takes them (`4m`, `ro`); skips where that may not be."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("a small disk needs root on Linux")
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},{options}", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
