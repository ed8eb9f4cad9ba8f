"""How far a long job is, on stderr: a bar with the time left on a terminal, else a plain line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from harness.cli.printing import Loudness, console_err, loudness, note
from harness.text import clean

PLAIN_INTERVAL_S = 5.0
"""Progress that does not go to a terminal is at most one line in this many seconds."""


class Progress(Protocol):
    """How far a long job is."""

    def update(self, done: float, total: float, text: str) -> None:
        """Tell that `done` of `total` steps are done and what is being done now."""

    def say(self, text: str) -> None:
        """Print a line that stays."""


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress on stderr: a bar with the time left on a terminal, else a plain line now and then.

    With `--quiet` nothing is shown, with `--verbose` each step on a line of its own.

    Nothing is drawn between two calls: no thread wakes up while an inference is being timed.
    """
    if loudness() is not Loudness.NORMAL or not sys.stderr.isatty():
        yield PlainProgress(0 if loudness() is Loudness.VERBOSE else PLAIN_INTERVAL_S)
        return
    from rich import progress as rich_progress

    bar = rich_progress.Progress(
        rich_progress.BarColumn(bar_width=24),
        rich_progress.TaskProgressColumn(),
        rich_progress.TimeRemainingColumn(compact=True),
        rich_progress.TextColumn("{task.description}", markup=False),
        console=console_err(),
        auto_refresh=False,
        transient=True,
    )
    with bar:
        yield BarProgress(bar)


class PlainProgress:
    """Progress as lines, for logs."""

    def __init__(
        self, interval_s: float = PLAIN_INTERVAL_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._interval_s, self._clock, self._last = interval_s, clock, float("-inf")

    def update(self, done: float, total: float, text: str) -> None:
        """Print a line, unless the last one is too young."""
        if self._clock() - self._last >= self._interval_s:
            self._last = self._clock()
            self.say(f"[{int(done)}/{int(total)}] {text}")

    def say(self, text: str) -> None:
        """Print a line."""
        note(text)


class BarProgress:
    """Progress as a bar of rich, redrawn when something is told and at no other time."""

    def __init__(self, bar: Any) -> None:
        self._bar = bar
        self._task = bar.add_task("", total=None)

    def update(self, done: float, total: float, text: str) -> None:
        """Redraw the bar."""
        self._bar.update(self._task, completed=done, total=total, description=clean(text), refresh=True)

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self._bar.console.print(clean(text))
