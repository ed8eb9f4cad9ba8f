"""How far a long job is, on stderr: a bar with the time left on a terminal, else a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.cli.printing import Loudness, console_err, loudness, note
from harness.report.progress import Progress, bars

PLAIN_INTERVAL_S = 5.0
"""Progress that does not go to a terminal is at most one line in this many seconds."""


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress on stderr: a bar with the time left on a terminal, else a plain line now and then.

    With `--quiet` nothing is shown, with `--verbose` each step on a line of its own.

    Nothing is drawn between two calls: no thread wakes up while an inference is being timed.
    """
    if loudness() is not Loudness.NORMAL or not sys.stderr.isatty():
        yield PlainProgress(0 if loudness() is Loudness.VERBOSE else PLAIN_INTERVAL_S)
        return
    with bars(console_err()) as shown:
        yield shown


class PlainProgress:
    """Progress as lines, for logs."""

    def __init__(
        self, interval_s: float = PLAIN_INTERVAL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_s, self._clock, self._last = interval_s, clock, float("-inf")

    def update(self, done: float, total: float, text: str, bar: str = "") -> None:
        """Print how far the whole is, unless the last line is too young."""
        if not bar and self._clock() - self._last >= self._interval_s:
            self._last = self._clock()
            self.say(f"[{int(done)}/{int(total)}] {text}")

    def say(self, text: str) -> None:
        """Print a line."""
        note(text)
