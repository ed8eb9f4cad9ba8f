"""How far a run is: the whole, and each device where there are several, with totals that are known from the start."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.report.progress import Progress
from harness.vocabulary import Status

if TYPE_CHECKING:
    from harness.bench.plan import Task
    from harness.records.records import Record
    from harness.session import Prepared


class Shown:
    """Shows a run's progress; several devices may tell it at once.

    Args:
        shown: Where it is shown.
        planned: Tasks of each device, as far as they are known; None to add them up as the devices start.
    """

    def __init__(self, shown: Progress, planned: Mapping[str, int] | None = None) -> None:
        self._shown, self._lock = shown, threading.Lock()
        self._planned = dict(planned or {})
        self._done, self._total = 0, sum(self._planned.values())
        self._done_by: dict[str, int] = {}
        self._parts: dict[str, float] = {}

    def begin(self, n_tasks: int) -> None:
        """A device starts."""
        with self._lock:
            self._total += 0 if self._planned else n_tasks

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
            device = task.cell.device
            self._done_by[device] = self._done_by.get(device, 0) + 1
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
            done, total = self._done + sum(self._parts.values()), max(self._total, self._done, 1)
            if len(self._planned) < 2:
                self._shown.update(done, total, text)
                return
            device = task.cell.device
            own = self._done_by.get(device, 0)
            self._shown.update(own + part, max(self._planned.get(device, 0), own + 1), text, device)
            self._shown.update(done, total, f"{len(self._planned)} devices, {text}")


def _what(task: Task) -> str:
    cell = task.cell
    of = f"/{cell.settings.processes}" if task.repetition < cell.settings.processes else ""
    times = f" {task.repetition + 1}{of}" if task.kind == "latency" else ""
    where = "" if cell.device == "local" else f"{cell.device}: "
    return f"{where}{cell.model.name} {cell.delegate} {task.kind}{times}"


def planned_tasks(prepared: Prepared) -> dict[str, int]:
    """Return how many tasks each device has left, less what an interrupted run measured already."""
    from harness.bench.schedule import CellProgress, count_tasks, progress_of
    from harness.records.records import load_records

    known = [] if prepared.resumes is None else load_records(prepared.resumes.folder)
    progress = {stored.record.cell: progress_of(stored.record) for stored in known}
    planned: dict[str, int] = {}
    for cell in prepared.plan.cells:
        left = count_tasks(cell, progress.get(cell.id, CellProgress()))
        planned[cell.device] = planned.get(cell.device, 0) + left
    return planned
