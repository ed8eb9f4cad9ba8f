"""The stand-in for benchmark_model (tests/stand_in) with a clock that does not look at the time.

Every inference is real, and takes what this clock says: the same microseconds on every computer.
"""

import runpy
import sys
from itertools import count
from pathlib import Path
from types import SimpleNamespace

REPEATS, PERIOD_US = 200, 199_900
"""The clock's steps begin anew after so many, and so much."""
WARM_UP, SHORTER = "--warmup_min_secs=0.5", f"--warmup_min_secs={0.5 - 2 * PERIOD_US / 1e6:g}"
"""Two periods less give the same samples after a fifth of the inferences."""
STAND_IN = Path(__file__).resolve().parents[1] / "stand_in" / "benchmark_model.py"


class Clock:
    """Goes on by 0.9 to 1.1 ms each time it is asked."""

    def __init__(self):
        self._asked, self._now_us = count(), 0

    def perf_counter_ns(self):
        self._now_us += 900 + 37 * next(self._asked) % REPEATS
        return 1000 * self._now_us

    def perf_counter(self):
        return self.perf_counter_ns() / 1e9


if __name__ == "__main__":
    sys.argv = [SHORTER if one == WARM_UP else one for one in sys.argv]
    program = runpy.run_path(str(STAND_IN))
    clock = Clock()
    program["main"].__globals__["time"] = SimpleNamespace(
        perf_counter=clock.perf_counter, perf_counter_ns=clock.perf_counter_ns
    )
    program["main"]()
