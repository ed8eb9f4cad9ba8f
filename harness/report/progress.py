"""Bars of progress, for a terminal and for a notebook: one of the whole, and one of each device where several are.

Nothing is drawn between two calls: no thread wakes up while an inference is being timed.
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from harness.report.consoles import make_console
from harness.text import clean

if TYPE_CHECKING:
    from rich.console import Console

LINES_EVERY_S = 5.0


class Progress(Protocol):
    """How far a long job is."""

    def update(self, done: float, total: float, text: str, bar: str = "") -> None:
        """Tell that `done` of `total` steps are done and what is being done now, of all or of what `bar` names."""

    def say(self, text: str) -> None:
        """Print a line that stays."""


@contextmanager
def bars(console: Console) -> Iterator[Progress]:
    """Show bars with the time left on a terminal or in a notebook, and take them away at the end."""
    from rich import progress as rich_progress

    shown = rich_progress.Progress(
        rich_progress.BarColumn(bar_width=24),
        rich_progress.TaskProgressColumn(),
        rich_progress.TimeRemainingColumn(compact=True),
        rich_progress.TextColumn("{task.description}", markup=False),
        console=console,
        auto_refresh=False,
        transient=True,
    )
    with shown:
        yield BarProgress(shown)


@contextmanager
def where_seen(wanted: bool | None) -> Iterator[Progress | None]:
    """Show progress where a person sees it: on a terminal and in a notebook; None elsewhere and where none is wanted.

    Args:
        wanted: Whether to show it; None for where it is seen.
    """
    notebook = make_console().is_jupyter
    if wanted is False or not (wanted or notebook or sys.stderr.isatty()):
        yield None
    elif notebook and importlib.util.find_spec("ipywidgets") is None:
        yield Lines()
    else:
        with bars(make_console() if notebook else make_console(file=sys.stderr)) as shown:
            yield shown


class BarProgress:
    """Progress as bars of rich, redrawn when something is told and at no other time."""

    def __init__(self, shown: Any) -> None:
        self._shown = shown
        self._tasks: dict[str, Any] = {"": shown.add_task("", total=None)}

    def update(self, done: float, total: float, text: str, bar: str = "") -> None:
        """Redraw a bar."""
        if bar not in self._tasks:
            self._tasks[bar] = self._shown.add_task("", total=None)
        self._shown.update(
            self._tasks[bar], completed=done, total=total, description=clean(text), refresh=True
        )

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._shown.console.print(clean(text))


class Lines:
    """Progress as a printed line now and then, for a notebook that cannot draw bars."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def update(self, done: float, total: float, text: str, bar: str = "") -> None:
        """Print how far the whole is, unless the last line is too young."""
        if not bar and time.monotonic() - self._last >= LINES_EVERY_S:
            self._last = time.monotonic()
            self.say(f"[{int(done)}/{int(total)}] {text}")

    def say(self, text: str) -> None:
        """Print a line."""
        make_console().print(clean(text))
