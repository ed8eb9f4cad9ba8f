"""The stand-in for benchmark_model (tests/stand_in) with a clock that does not look at the time.

Every inference is real, and takes what this clock says: the same microseconds on every computer.
"""

import runpy
from itertools import count
from pathlib import Path
from types import SimpleNamespace

STAND_IN = Path(__file__).resolve().parents[1] / "stand_in" / "benchmark_model.py"


class Clock:
    """Goes on by 0.9 to 1.1 ms each time it is asked."""

    def __init__(self):
        self._asked, self._now_us = count(), 0

    def perf_counter_ns(self):
        self._now_us += 900 + 37 * next(self._asked) % 200
        return 1000 * self._now_us

    def perf_counter(self):
        return self.perf_counter_ns() / 1e9


if __name__ == "__main__":
    program = runpy.run_path(str(STAND_IN))
    clock = Clock()
    program["main"].__globals__["time"] = SimpleNamespace(
        perf_counter=clock.perf_counter, perf_counter_ns=clock.perf_counter_ns
    )
    program["main"]()
