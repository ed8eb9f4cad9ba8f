"""Carry out a plan on one device: start the workers one after another, keep what each one gave at once."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec.structs import replace

from harness.accuracy.coco import evaluate
from harness.bench.conclude import conclude, merged_delegate
from harness.bench.engine import Engine, Inferred
from harness.bench.plan import Cell, Plan, Task
from harness.bench.records import (
    FORMAT,
    AccuracyFacts,
    DelegateFacts,
    DeviceFacts,
    ModelFacts,
    ProcessFacts,
    Record,
)
from harness.bench.samples import to_bytes
from harness.bench.store import RunStore, now
from harness.drivers.base import DeviceInfo
from harness.errors import HarnessError, MeasurementError


class Observer(Protocol):
    """Is told how a run goes; called between measurements only."""

    def begin(self, total_tasks: int) -> None:
        """The run starts."""

    def task(self, task: Task, n_repetitions: int) -> None:
        """A task starts."""

    def images(self, done: int, total: int) -> None:
        """An accuracy task goes on."""

    def done(self, task: Task, record: Record) -> None:
        """A task ended, and its cell's record is on disk."""


@dataclass(frozen=True)
class Runner:
    """What is needed to carry out a plan."""

    plan: Plan
    engine: Engine
    info: DeviceInfo
    store: RunStore
    observer: Observer

    def run(self) -> list[Record]:
        """Measure all cells and return their records, in plan order.

        A cell that fails takes no other down. Whatever ends this early (Ctrl-C, a kill), every measured
        process is in a record on disk.

        Raises:
            OutputError: A record cannot be written.
        """
        tasks = self.plan.tasks()
        try:
            records = {cell.id: self._first_record(cell) for cell in self.plan.cells}
            self.observer.begin(len(tasks))
            last = {task.cell.id: position for position, task in enumerate(tasks)}
            for position, task in enumerate(tasks):
                self.observer.task(task, self.plan.settings.repetitions)
                record = self._with(task, records[task.cell.id])
                record = _concluded(record, complete=last[task.cell.id] == position)
                self.store.save_record(record)
                records[task.cell.id] = record
                self.observer.done(task, record)
            return list(records.values())
        finally:
            self.store.drop_scratch()

    def _first_record(self, cell: Cell) -> Record:
        record = new_record(cell, self.info, self.store.run_id)
        if cell.skip is not None or not _has_tasks(cell, self.plan):
            reason = cell.skip or "accuracy only was asked for, and this model has no dataset"
            record = replace(record, status="skipped", reasons=(reason,), complete=True)
            self.store.save_record(record)
        return record

    def _with(self, task: Task, record: Record) -> Record:
        """Add what one task gave to its cell's record; a cell that failed is not tried again."""
        if any(part.status in {"failed", "timeout"} for part in record.processes):
            return record
        if task.kind == "accuracy":
            return replace(record, accuracy=self._accuracy(task))
        return replace(record, processes=(*record.processes, self._process(task)))

    def _process(self, task: Task) -> ProcessFacts:
        """Measure one repetition in a process of its own; its samples are on disk before it is in a record."""
        cell, started = task.cell, now()
        try:
            scratch = self.store.make_scratch(f"{cell.id}-{task.repetition}")
            timed = self.engine.time(cell, task.repetition, scratch)
        except (HarnessError, OSError) as error:
            return ProcessFacts(
                index=task.repetition, started_at=started, status=_status(error), reasons=(str(error),)
            )
        if timed.samples is None:
            return timed.facts
        name = self.store.save_samples(cell.id, task.repetition, to_bytes(timed.samples))
        return replace(timed.facts, samples=name)

    def _accuracy(self, task: Task) -> AccuracyFacts:
        """Run a cell over its dataset and compute the COCO figures."""
        cell, dataset = task.cell, task.cell.dataset
        assert dataset is not None
        base = AccuracyFacts(
            status="ok",
            dataset=dataset.name,
            annotations_sha256=dataset.annotations_sha256,
            n_images=len(dataset.images),
        )
        try:
            scratch = self.store.make_scratch(f"{cell.id}-accuracy")
            found = self.engine.infer(cell, scratch, self.observer.images)
            name = self.store.take_detections(cell.id, found.detections)
            return self._evaluated(base, found, cell, name)
        except (HarnessError, OSError) as error:
            return replace(base, status=_status(error), reasons=(str(error),))

    def _evaluated(self, base: AccuracyFacts, found: Inferred, cell: Cell, name: str) -> AccuracyFacts:
        assert cell.dataset is not None
        detections = self.store.cell_folder(cell.id) / name
        engine = self.plan.settings.coco_engine
        result = evaluate(cell.dataset.annotations, detections, cell.dataset.image_ids, engine)
        return replace(
            base,
            n_images=found.n_images,
            unreadable=found.unreadable,
            reasons=_unreadable_reason(found.unreadable),
            engine=result.engine,
            figures=result.figures,
            ap_per_category=dict(result.ap_per_category),
            images_per_second=found.n_images / found.seconds if found.seconds > 0 else None,
            delegate=found.delegate,
            runtime=found.runtime,
            detections=name,
        )


def _status(error: Exception) -> str:
    return error.status if isinstance(error, MeasurementError) else "failed"


def _has_tasks(cell: Cell, plan: Plan) -> bool:
    return plan.settings.latency or cell.dataset is not None


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
        status="skipped",
        threads=cell.delegate.threads,
        reasons=("not measured yet",),
    )


def _concluded(record: Record, *, complete: bool) -> Record:
    status, reasons = conclude(record)
    runtime = next(
        (p.runtime for p in (*record.processes, record.accuracy) if p is not None and p.runtime), None
    )
    return replace(
        record,
        status=status,
        reasons=reasons,
        complete=complete,
        runtime=runtime,
        delegate=merged_delegate(record, record.delegate.requested),
    )


def command_line() -> tuple[str, ...]:
    """The command as it was given, without the path of the interpreter."""
    return (Path(sys.argv[0]).name, *sys.argv[1:])
