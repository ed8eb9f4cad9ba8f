"""Processes of this computer, which is the phone and the board, too, where tests run them here."""

import os
import time
from pathlib import Path

import psutil

PATIENCE_S = 60.0
"""Nobody waits so long but on a computer that is very busy, or for what never comes."""


def that_name(path: Path) -> list[int]:
    """Return those, but this one, in whose command line a path stands."""
    lines = ((one.pid, one.info["cmdline"] or ()) for one in psutil.process_iter(["cmdline"]))
    return [pid for pid, words in lines if pid != os.getpid() and str(path) in " ".join(words)]


def of_programs_below(folder: Path) -> list[int]:
    """Return those whose program lies below a folder."""
    programs = ((one.pid, one.info["exe"] or "") for one in psutil.process_iter(["exe"]))
    return [pid for pid, program in programs if program.startswith(f"{folder}{os.sep}")]


def until(condition, otherwise: str) -> None:
    """Wait for a condition, however busy the computer is."""
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end, otherwise
        time.sleep(0.02)
