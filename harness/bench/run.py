"""Carry out a plan on one device: start the workers one after another, keep what each one gave at once."""

from __future__ import annotations

import sys
import threading
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from harness.accuracy.annotations import read_annotations
from harness.accuracy.bootstrap import map_interval
from harness.accuracy.coco import evaluate
from harness.accuracy.detections import load_detections
from harness.bench.engines import operators
from harness.bench.engines.base import Engine, Inferred
from harness.bench.plan import Cell, Plan, Task
from harness.drivers.base import DeviceInfo
from harness.errors import DeviceError, HarnessError, MeasurementError
from harness.records.records import (
    FORMAT,
    AccuracyFacts,
    DelegateFacts,
    DeviceFacts,
    ModelFacts,
    OperatorFacts,
    OperatorProfile,
    ProcessFacts,
    Record,
    StoredRecord,
)
from harness.records.samples import to_bytes
from harness.records.status import conclude, merged_delegate
from harness.records.store import RunStore, now
from harness.rows.summary import summarize_record
from harness.statistics.latency import half_width_percent
from harness.vocabulary import CUT_SHORT, Status

MAX_PROCESSES = 1_000
"""More rounds than any plan needs; `max_seconds` ends a precision that is out of reach."""


class Observer(Protocol):
    """Is told how a run goes; called between measurements only, by one thread a device."""

    def begin(self, n_tasks: int) -> None:
        """A device starts with at least so many tasks."""

    def more(self, n_tasks: int) -> None:
        """So many tasks are added, because a precision is not reached yet."""

    def task(self, task: Task) -> None:
        """A task starts."""

    def images(self, task: Task, done: int, total: int) -> None:
        """An accuracy task goes on."""

    def done(self, task: Task, record: Record) -> None:
        """A task ended, and its cell's record is on disk."""


@dataclass
class Runner:
    """Carries out the part of a plan that one device measures.

    Attributes:
        plan: The cells of this device.
        engine: What measures them.
        info: The device, as it described itself.
        store: Where the records go; what a resumed run has there already is not measured again.
        observer: Is told how it goes.
    """

    plan: Plan
    engine: Engine
    info: DeviceInfo
    store: RunStore
    observer: Observer

    def run(self, stop: threading.Event | None = None) -> None:
        """Measure all cells.

        Args:
            stop: Ends the run before the next process when it is set.

        A cell that fails takes no other down. Whatever ends this early (Ctrl-C, a kill), every measured process is in
        a record on disk.

        Raises:
            OutputError: A record cannot be written.
        """
        self._records = {cell.id: self._first_record(cell) for cell in self.plan.cells}
        self._fastest_probe: int | None = None
        self._stop = stop or threading.Event()
        self.observer.begin(sum(self._n_wanted(cell) for cell in self.plan.cells))
        for turn in range(MAX_PROCESSES):
            todo = [cell for cell in self.plan.cells if self._wants_process(cell, turn)]
            # A resumed run may have nothing to do in early rounds; past its last process an empty round ends it.
            if not todo and all(turn >= len(record.processes) for record in self._records.values()):
                break
            extra = [cell for cell in todo if turn >= cell.settings.processes]
            if extra:
                self.observer.more(len(extra))
            for cell in self.plan.shuffled(todo, turn):
                self._carry_out(Task(cell, "latency", turn))
        for cell in self.plan.cells:
            if self._wants_operators(cell):
                self._carry_out(Task(cell, "operators"))
        # After the timing, because it heats all cores.
        for cell in self.plan.cells:
            if self._wants_accuracy(cell):
                self._carry_out(Task(cell, "accuracy"))

    def _n_wanted(self, cell: Cell) -> int:
        record = self._records[cell.id]
        if record.complete:
            return 0
        timed = max(0, cell.settings.processes - len(record.processes)) if cell.wants_latency else 0
        return timed + self._wants_operators(cell) + self._wants_accuracy(cell)

    def _wants_accuracy(self, cell: Cell) -> bool:
        record = self._records[cell.id]
        return cell.wants_accuracy and record.accuracy is None and not _has_failed(record)

    def _wants_operators(self, cell: Cell) -> bool:
        record = self._records[cell.id]
        return cell.wants_operators and record.operators is None and not _has_failed(record)

    def _wants_process(self, cell: Cell, turn: int) -> bool:
        """Whether a cell is to be timed in this round."""
        record = self._records[cell.id]
        if not cell.wants_latency or record.complete or _has_failed(record) or turn < len(record.processes):
            return False
        return turn < cell.settings.processes or self._wants_precision(cell, record)

    def _wants_precision(self, cell: Cell, record: Record) -> bool:
        settings = cell.settings
        if settings.precision is None or settings.mlperf or settings.sustained is not None:
            return False
        if sum(process.duration_s or 0.0 for process in record.processes) >= settings.max_seconds:
            return False
        summary = summarize_record(StoredRecord(record, self.store.cell_folder(cell.id)))
        reached = None if summary is None else half_width_percent(summary)
        return reached is None or reached > settings.precision

    def _carry_out(self, task: Task) -> None:
        """Start one process and keep what it gave, at once."""
        if self._stop.is_set():
            return
        self.observer.task(task)
        cell = task.cell
        record = self._records[cell.id]
        if task.kind == "accuracy":
            record = replace(record, accuracy=self._accuracy(task))
        elif task.kind == "operators":
            record = replace(record, operators=self._operators(task))
        else:
            record = replace(record, processes=(*record.processes, self._process(task)))
        if self._stop.is_set():
            return  # what ended this process was not the cell's fault
        record = _concluded(record)
        self._records[cell.id] = record
        wanted = (
            self._wants_process(cell, len(record.processes))
            or self._wants_operators(cell)
            or self._wants_accuracy(cell)
        )
        complete = not wanted and not _lost_device(record)
        record = replace(record, complete=complete)
        self._records[cell.id] = record
        self.store.save_record(record)
        self.observer.done(task, record)

    def _first_record(self, cell: Cell) -> Record:
        """What an interrupted run left of a cell, or an empty record."""
        stored = self.store.load_record(cell.id)
        if stored is not None:
            return without_lost(stored)
        record = new_record(cell, self.info, self.store.run_id)
        if not (cell.wants_latency or cell.wants_accuracy):
            reason = cell.skip or "only accuracy was asked for, and this model has no dataset"
            record = replace(record, status=Status.SKIPPED, reasons=(reason,), complete=True)
            self.store.save_record(record)
        return record

    def _process(self, task: Task) -> ProcessFacts:
        """Measure one repetition in a process of its own; its samples are on disk before it is in a record."""
        cell, started = task.cell, now()
        try:
            scratch = self.store.make_scratch(f"{cell.id}-{task.repetition}")
            timed = self.engine.time(cell, task.repetition, scratch)
            facts = replace(timed.facts, telemetry=self._with_baseline(timed.facts.telemetry))
        except (HarnessError, OSError) as error:
            return ProcessFacts(
                index=task.repetition,
                started_at=started,
                status=_status(error),
                reasons=(str(error),),
                device_lost=isinstance(error, DeviceError),
            )
        if timed.samples is None:
            return facts
        name = self.store.save_samples(cell.id, task.repetition, to_bytes(timed.samples))
        return replace(facts, samples=name)

    def _with_baseline(self, telemetry: dict[str, Any]) -> dict[str, Any]:
        """Add the shortest CPU probe of this device so far, which throttling is judged against."""
        probes = [telemetry.get(when, {}).get("probe_ns") for when in ("before", "after")]
        known = [probe for probe in (*probes, self._fastest_probe) if probe is not None]
        if not known:
            return telemetry
        self._fastest_probe = min(known)
        return {**telemetry, "fastest_probe_ns": self._fastest_probe}

    def _operators(self, task: Task) -> OperatorFacts:
        """Record the operators of a cell; a failure is told, and is none of the cell's."""
        cell = task.cell
        try:
            found = operators.record(self.engine, cell, self.store.make_scratch(f"{cell.id}-operators"))
            name = self.store.save_operators(cell.id, OperatorProfile(operators=found.operators))
        except (HarnessError, OSError) as error:
            lost = isinstance(error, DeviceError)
            return OperatorFacts(status=_status(error), reasons=(str(error),), device_lost=lost)
        return OperatorFacts(
            status=Status.OK, runtime=found.runtime, n_inferences=found.n_inferences, operators=name
        )

    def _accuracy(self, task: Task) -> AccuracyFacts:
        """Run a cell over its dataset and compute the COCO figures."""
        cell, dataset = task.cell, task.cell.dataset
        assert dataset is not None
        base = AccuracyFacts(
            status=Status.OK,
            dataset=dataset.name,
            annotations_sha256=dataset.annotations_sha256,
            n_images=len(dataset.images),
        )
        try:
            scratch = self.store.make_scratch(f"{cell.id}-accuracy")
            found = self.engine.infer(cell, scratch, lambda done, of: self.observer.images(task, done, of))
            name = self.store.take_detections(cell.id, found.detections)
            return self._evaluated(base, found, cell, name)
        except (HarnessError, OSError) as error:
            lost = isinstance(error, DeviceError)
            return replace(base, status=_status(error), reasons=(str(error),), device_lost=lost)

    def _evaluated(self, base: AccuracyFacts, found: Inferred, cell: Cell, name: str) -> AccuracyFacts:
        assert cell.dataset is not None
        detections = self.store.cell_folder(cell.id) / name
        engine = cell.settings.coco_engine
        truth, table = read_annotations(cell.dataset.annotations), load_detections(detections)
        result = evaluate(truth, table, cell.dataset.image_ids, engine)
        interval = map_interval(truth, table, cell.dataset.image_ids)
        return replace(
            base,
            n_images=found.n_images,
            unreadable=found.unreadable,
            reasons=_unreadable_reason(found.unreadable),
            engine=result.engine,
            figures=result.figures,
            map_low=interval.low,
            map_high=interval.high,
            ap_per_category=dict(result.ap_per_category),
            images_per_second=found.n_images / found.seconds if found.seconds > 0 else None,
            delegate=found.delegate,
            runtime=found.runtime,
            detections=name,
        )


def _status(error: Exception) -> Status:
    return error.status if isinstance(error, MeasurementError) else Status.FAILED


def _lost_device(record: Record) -> bool:
    parts = (*record.processes, record.operators, record.accuracy)
    return any(part.device_lost for part in parts if part is not None)


def without_lost(record: Record) -> Record:
    """Drop what failed because the device went away: it may be back."""
    if not _lost_device(record):
        return record
    kept = tuple(process for process in record.processes if not process.device_lost)
    accuracy = None if record.accuracy is None or record.accuracy.device_lost else record.accuracy
    recorded = None if record.operators is None or record.operators.device_lost else record.operators
    return replace(record, processes=kept, accuracy=accuracy, operators=recorded, complete=False)


def _has_failed(record: Record) -> bool:
    """A cell of which a process failed is not tried again: it would fail again, or hide that it failed once."""
    return any(process.status in CUT_SHORT for process in record.processes)


def _unreadable_reason(unreadable: tuple[str, ...]) -> tuple[str, ...]:
    if not unreadable:
        return ()
    more = ", …" if len(unreadable) > 3 else ""
    return (
        f"{len(unreadable)} image(s) could not be read and count as without detections: "
        f"{'; '.join(unreadable[:3])}{more}",
    )


def new_record(cell: Cell, info: DeviceInfo, run_id: str) -> Record:
    """The record of a cell of which nothing is measured yet."""
    model = ModelFacts(
        name=cell.model.name,
        sha256=cell.facts.sha256,
        size_bytes=cell.facts.size_bytes,
        quantization=cell.facts.quantization,
        card=msgspec.to_builtins(cell.model.card),
        evidence=(*cell.facts.quantization_evidence, *cell.model.evidence),
    )
    device = DeviceFacts(
        name=info.name,
        kind=info.kind,
        model=info.model,
        soc=info.soc,
        os=info.os,
        abi=info.abi,
        facts=dict(info.facts),
    )
    return Record(
        format=FORMAT,
        run_id=run_id,
        cell=cell.id,
        complete=False,
        started_at=now(),
        model=model,
        device=device,
        delegate=DelegateFacts(requested=str(cell.delegate), actual="unknown"),
        status=Status.SKIPPED,
        threads=cell.delegate.threads,
        reasons=("not measured yet",),
        settings=asdict(cell.settings),
    )


def _concluded(record: Record) -> Record:
    status, reasons = conclude(record)
    runtime = next(
        (p.runtime for p in (*record.processes, record.accuracy) if p is not None and p.runtime), None
    )
    return replace(
        record,
        status=status,
        reasons=reasons,
        runtime=runtime,
        delegate=merged_delegate(record, record.delegate.requested),
    )


def command_line() -> tuple[str, ...]:
    """The command as it was given, without the path of the interpreter."""
    return (Path(sys.argv[0]).name, *sys.argv[1:])
