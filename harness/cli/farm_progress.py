"""The progress of a run on a farm: devices busy, cells left, time left."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from harness import units
from harness.report.progress import Progress
from harness.vocabulary import FAILURES

if TYPE_CHECKING:
    from harness.bench.plan import Task
    from harness.records.records import Record

REDRAW_S = 0.2
"""Thousands of devices tell of their tasks; a terminal is drawn a few times a second."""


class FarmShown:
    """Shows how far the whole farm is; told by all devices at once.

    Args:
        shown: Where it is shown.
        n_cells: Cells that are not complete yet.
        n_devices: Devices that may measure.
    """

    def __init__(self, shown: Progress, n_cells: int, n_devices: int) -> None:
        self._shown, self._lock = shown, threading.Lock()
        self._n_cells, self._n_devices = n_cells, n_devices
        self._done, self._total, self._complete = 0, 0, 0
        self._busy: dict[str, float] = {}
        self._begun, self._drawn = time.monotonic(), float("-inf")

    def begin(self, n_tasks: int) -> None:
        """A device, or a cell for any device, starts."""
        with self._lock:
            self._total += n_tasks

    more = begin

    def task(self, task: Task) -> None:
        """A task starts."""
        self._update(task, 0.0)

    def images(self, task: Task, done: int, total: int) -> None:
        """An accuracy task goes on."""
        self._update(task, done / max(total, 1))

    def waiting(self, task: Task, seconds: float, limit: float) -> None:
        """The device of a task is waited for; of a farm, the scheduler knows."""

    def done(self, task: Task, record: Record) -> None:
        """A task ended; what went wrong is told at once."""
        with self._lock:
            self._done += 1
            self._complete += record.complete
            self._busy.pop(_who(task), None)
            if record.status in FAILURES and record.complete:
                where = f"{record.device.name}: {task.cell.model.name} {task.cell.delegate}"
                self._shown.say(f"{where}: {record.status}: {'; '.join(record.reasons)}")

    def _update(self, task: Task, part: float) -> None:
        with self._lock:
            self._busy[_who(task)] = part
            if time.monotonic() - self._drawn < REDRAW_S:
                return
            self._drawn = time.monotonic()
            done = self._done + sum(self._busy.values())
            self._shown.update(done, max(self._total, 1), self._text(done))

    def _text(self, done: float) -> str:
        busy, left = len(self._busy), self._n_cells - self._complete
        devices = max(self._n_devices, busy)
        text = f"{units.count(busy)} of {units.counted(devices, 'device')} busy, {units.counted(left, 'cell')} left"
        if done < 1 or self._total <= done:
            return text
        seconds = (time.monotonic() - self._begun) / done * (self._total - done)
        return f"{text}, about {units.duration(seconds)}"


def _who(task: Task) -> str:
    """A device does one task at a time; of a cell for any device, only that device tells."""
    return task.cell.id if task.cell.device.startswith("any:") else task.cell.device
