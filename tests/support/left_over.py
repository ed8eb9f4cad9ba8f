"""What tests start on a device that is this computer, marked, so that it is known whether any of it runs on.

The mark is this process's own: others that share the tests leave their own processes behind.
"""

import os
import time
from pathlib import Path

NAME = "HARNESS_TEST_LEFT_OVER"
MARK = {NAME: str(os.getpid())}
BEGINS_S = 60.0
ENDS_S = 80.0
"""What is left behind ends within 10 s on a quiet computer (README of devices); by itself it would end after 100."""


def marked_processes() -> list[str]:
    """Return the ids of the processes that have the mark."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            text = environ.read_bytes()
        except OSError:
            continue
        if f"\0{NAME}={MARK[NAME]}\0".encode() in b"\0" + text:
            found.append(environ.parent.name)
    return found


def some_begun() -> bool:
    """Wait for the first; whether it came."""
    deadline = time.monotonic() + BEGINS_S
    while not marked_processes() and time.monotonic() < deadline:
        time.sleep(0.02)
    return bool(marked_processes())


def none_left() -> bool:
    """Wait for the last to end; whether it did."""
    deadline = time.monotonic() + ENDS_S
    while marked_processes() and time.monotonic() < deadline:
        time.sleep(0.02)
    return not marked_processes()
