"""Memory of this process: its peak, and a limit for it."""

from __future__ import annotations

import contextlib
import resource
import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory_bytes() -> int | None:
    """Return the peak resident memory of this process in bytes, or None where the system does not say.

    Linux: VmHWM of /proc/self/status (proc(5)), which starts anew at exec, unlike ru_maxrss. macOS: ru_maxrss
        in bytes.
    """
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in _STATUS.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    if sys.platform == "darwin":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return None


def limit_memory(megabytes: int) -> None:
    """Make allocations fail past a limit of data memory (RLIMIT_DATA of setrlimit(2): heap and private mappings)."""
    limit = megabytes * 2**20
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
