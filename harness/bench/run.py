"""Carry out a plan on one device: start the workers one after another, keep what each one gave at once."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace

from msgspec import structs

from harness.bench.cell_record import (
    has_lost_device,
    new_record,
    with_status,
    without_cut_load,
    without_lost,
)
from harness.bench.device_wait import DeviceWait
from harness.bench.engines.base import Engine
from harness.bench.observer import Observer
from harness.bench.perform import Performer
from harness.bench.plan import Cell, Plan, Task
from harness.bench.schedule import (
    CellProgress,
    count_added,
    count_tasks,
    next_round,
    progress_of,
    wants_anything,
    wants_more_load,
)
from harness.drivers.base import DeviceInfo
from harness.records.records import Record, StoredRecord
from harness.records.store import RunStore
from harness.rows.summary import summarize_record
from harness.statistics.latency import half_width_percent
from harness.vocabulary import Status

BEYOND_PRECISION = 1.25
"""Processes in all by those after which a precision was first reached: stopping there stops where the interval is
narrow by luck, and it then holds the median in 86-95 % (`tests/benchmarks/bench_kinds.py precision`)."""


@dataclass
class Runner:
    """Carries out the part of a plan that one device measures.

    Attributes:
        plan: The cells of this device.
        engine: What measures them.
        info: The device, as it described itself.
        store: Where the records go; what a resumed run has there already is not measured again.
        observer: Is told how it goes.
        patience: Waits for the device where it goes away; None not to wait.
    """

    plan: Plan
    engine: Engine
    info: DeviceInfo
    store: RunStore
    observer: Observer
    patience: DeviceWait | None = None
    _records: dict[str, Record] = field(default_factory=dict, init=False)
    _progress: dict[str, CellProgress] = field(default_factory=dict, init=False)

    def run(self, stop: threading.Event | None = None) -> None:
        """Measure all cells.

        Args:
            stop: Ends the run before the next process when it is set.

        A cell that fails takes no other down. Whatever ends this early (Ctrl-C, a kill), every measured process is in
        a record on disk.

        Raises:
            OutputError: A record cannot be written.
        """
        stop = stop or threading.Event()
        if self.patience is not None:
            self.patience.stop = stop
        performer = Performer(self.engine, self.store, self.observer, self.patience)
        for cell in self.plan.cells:
            record = self._first_record(cell)
            self._records[cell.id], self._progress[cell.id] = record, self._progress_of(cell, record)
        self.observer.begin(sum(count_tasks(cell, self._progress[cell.id]) for cell in self.plan.cells))
        while tasks := next_round(self.plan, self._progress):
            added = count_added(tasks)
            if added:
                self.observer.more(added)
            for task in tasks:
                if stop.is_set():
                    return
                self._carry_out(task, performer, stop)

    def _carry_out(self, task: Task, performer: Performer, stop: threading.Event) -> None:
        """Start one process and keep what it gave, at once."""
        self.observer.task(task)
        record = performer.perform(task, self._records[task.cell.id])
        if stop.is_set():
            return  # what ended this process was not the cell's fault
        record = with_status(record)
        progress = self._progress_of(task.cell, record)
        complete = not wants_anything(task.cell, progress) and not has_lost_device(record)
        record = structs.replace(record, complete=complete)
        self._records[record.cell], self._progress[record.cell] = record, replace(progress, complete=complete)
        self.store.save_record(record)
        self.observer.done(task, record)

    def _first_record(self, cell: Cell) -> Record:
        """What an interrupted run left of a cell, or an empty record."""
        stored = self.store.load_record(cell.id)
        if stored is not None:
            record = without_lost(stored)
            return without_cut_load(record) if wants_more_load(cell, progress_of(record)) else record
        record = new_record(cell, self.info, self.store.run_id)
        if not (cell.wants_latency or cell.wants_accuracy):
            reason = cell.skip or cell.problem or "only accuracy was asked for, and this model has no dataset"
            status = Status.SKIPPED if cell.problem is None else Status.FAILED
            record = structs.replace(record, status=status, reasons=(reason,), complete=True)
            self.store.save_record(record)
        return record

    def _progress_of(self, cell: Cell, record: Record) -> CellProgress:
        """Return how far a cell is; its samples are read only where its median is to be known well.

        A median that is known well enough for the first time may be so by luck, so it must have been known to the first
        processes, before the last fifth of them, and still be known to all.
        """
        earlier = int(len(record.processes) / BEYOND_PRECISION)
        if not cell.settings.seeks_precision or earlier < cell.settings.processes:
            return progress_of(record)
        widths = [self._half_width(cell, record, count) for count in (earlier, len(record.processes))]
        known = [width for width in widths if width is not None]
        return progress_of(record, max(known) if len(known) == len(widths) else None)

    def _half_width(self, cell: Cell, record: Record, count: int) -> float | None:
        """Return how well the median of the first processes is known, in percent."""
        first = structs.replace(record, processes=record.processes[:count])
        summary = summarize_record(StoredRecord(first, self.store.cell_folder(cell.id)))
        return None if summary is None else half_width_percent(summary)
