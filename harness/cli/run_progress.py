"""What `harness run` shows while it measures."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from harness.cli.progress import Progress
from harness.vocabulary import Status

if TYPE_CHECKING:
    from harness.bench.plan import Task
    from harness.records.records import Record


class Shown:
    """Shows a run's progress; several devices may tell it at once."""

    def __init__(self, shown: Progress) -> None:
        self._shown, self._lock = shown, threading.Lock()
        self._done, self._total = 0, 0
        self._parts: dict[str, float] = {}

    def begin(self, n_tasks: int) -> None:
        """A device starts."""
        with self._lock:
            self._total += n_tasks

    def more(self, n_tasks: int) -> None:
        """Tasks are added."""
        with self._lock:
            self._total += n_tasks

    def task(self, task: Task) -> None:
        """A task starts."""
        self._update(task, 0.0, _what(task))

    def images(self, task: Task, done: int, total: int) -> None:
        """An accuracy task goes on."""
        self._update(task, done / max(total, 1), f"{_what(task)}, image {done}/{total}")

    def waiting(self, task: Task, seconds: float, limit: float) -> None:
        """The device of a task is waited for."""
        part = self._parts.get(task.cell.device, 0.0)
        self._update(task, part, f"waiting for {task.cell.device} ({seconds:.0f} s of {limit:.0f})")

    def done(self, task: Task, record: Record) -> None:
        """A task ended; a failure is told at once."""
        with self._lock:
            self._done += 1
            self._parts.pop(task.cell.device, None)
            last = record.processes[-1] if record.processes else None
            part = {"latency": last, "operators": record.operators, "accuracy": record.accuracy}[task.kind]
            if part is not None and part.status != Status.OK:
                what = "operators " if task.kind == "operators" else ""
                reasons = "; ".join(part.reasons)
                self._shown.say(
                    f"{task.cell.model.name} {task.cell.delegate}: {what}{part.status}: {reasons}"
                )

    def _update(self, task: Task, part: float, text: str) -> None:
        with self._lock:
            self._parts[task.cell.device] = part
            self._shown.update(self._done + sum(self._parts.values()), max(self._total, 1), text)


def _what(task: Task) -> str:
    cell = task.cell
    of = f"/{cell.settings.processes}" if task.repetition < cell.settings.processes else ""
    times = f" {task.repetition + 1}{of}" if task.kind == "latency" else ""
    where = "" if cell.device == "local" else f"{cell.device}: "
    return f"{where}{cell.model.name} {cell.delegate} {task.kind}{times}"
