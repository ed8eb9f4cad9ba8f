"""When the inferences of a process are enough: as many and as long as were asked for, steady, and watched for a while.

The same for every worker, in Python beside the model or spoken with from here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.statistics.steady import steady_start

Durations = npt.NDArray[np.int64]
MAX_SAMPLES = 2_000_000
WATCH = 3.0
"""Times the warm-up that a process is watched for."""


@dataclass(frozen=True)
class Wanted:
    """What is wanted of a process.

    Attributes:
        runs: At least so many steady inferences.
        seconds: At least so many seconds of them.
        watch_seconds: A process that has settled is watched for a while, but for no longer than this.
    """

    runs: int
    seconds: float
    watch_seconds: float = 0.0

    def may_be_enough(self, durations: Durations) -> bool:
        """Whether it is worth while to look for the steady state; the first inference is never part of it."""
        return len(durations) > self.runs and float(durations[1:].sum()) >= self.seconds * 1e9

    def is_enough(self, durations: Durations, steady_from: int | None) -> bool:
        """Whether the steady inferences are enough."""
        if steady_from is None:
            return False
        steady = durations[steady_from:]
        return steady.size >= self.runs and float(steady.sum()) >= self.seconds * 1e9

    def watch_ns(self, starts: Durations, steady_from: int | None) -> float:
        """Return how long to watch: three times the warm-up that was found, so that a state that ends shows."""
        if steady_from is None:
            return 0.0
        return min(WATCH * float(starts[steady_from] - starts[0]), self.watch_seconds * 1e9)


def steady_from_of(durations: Durations) -> int | None:
    """Return the index of the first steady inference; the first of all is a figure of its own and never steady."""
    found = steady_start(durations[1:])
    return None if found is None else found + 1
