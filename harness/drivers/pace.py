"""How slow a file transfer may be: it may take as long as it moves, but a trickle is no movement."""

from __future__ import annotations

import time

STALL_S = 30.0
"""A transfer without any progress for so long has failed."""
LEAST_BYTES_PER_S = 10_000
"""So has one that is slower than this on average, after that time: a model would take minutes, images hours."""
MOST_BYTES = 4_000_000_000
"""No file that is brought here is longer; one that does not end would fill the disk."""


class Pace:
    """The deadline of a transfer, which moves with what was transferred.

    Args:
        stall_s: How long it may stand still.
    """

    def __init__(self, stall_s: float = STALL_S) -> None:
        self.stall_s, self._bytes = stall_s, 0
        self._begin = self._last = time.monotonic()

    def moved(self, n_bytes: int) -> None:
        """Count bytes that were transferred."""
        self._bytes += n_bytes
        self._last = time.monotonic()

    @property
    def too_long(self) -> bool:
        """Whether more came than any file is long."""
        return self._bytes > MOST_BYTES

    @property
    def deadline(self) -> float:
        """When the next bytes must have moved, on the monotonic clock."""
        slowest = self._begin + self.stall_s + self._bytes / LEAST_BYTES_PER_S
        return min(self._last + self.stall_s, slowest)
