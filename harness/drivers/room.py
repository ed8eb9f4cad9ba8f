"""Room on a device: what says that there is none, and the error that names what is needed and what there is."""

from __future__ import annotations

import re

from harness import units
from harness.errors import DeviceFullError

_FULL = re.compile(r"no space left on device|\bENOSPC\b|disk quota exceeded", re.IGNORECASE)
FREE_SCRIPT = 'stat -f -c "%a %S" "$1" 2>/dev/null'
"""Prints the free blocks of a folder's disk and their size."""


def says_full(text: str) -> bool:
    """Return whether a message says that a disk is full (ENOSPC, EDQUOT)."""
    return _FULL.search(text) is not None


def parse_free(text: str) -> int | None:
    """Return the free bytes that `stat -f` printed as blocks and their size; None where it did not."""
    words = text.split()
    return int(words[0]) * int(words[1]) if len(words) == 2 and all(w.isdigit() for w in words) else None


def full_error(device: str, spelling: str, folder: str, needs: int, free: int | None) -> DeviceFullError:
    """Return the error for a disk without room.

    Args:
        device: The device's name.
        spelling: How `--device` takes it.
        folder: What is on that disk.
        needs: Bytes that are needed.
        free: Bytes that are free; None where the device does not say.
    """
    has = "how much it has it does not say" if free is None else f"has {units.size(free)}"
    return DeviceFullError(
        device,
        f"no space left on {device} ({folder}): needs {units.size(needs)}, {has}; `harness devices --clean "
        f"{spelling}` removes what the harness keeps there",
    )
