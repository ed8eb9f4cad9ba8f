"""Carry out a plan on one device: start the workers one after another, keep what each one gave at once."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
from msgspec.structs import replace

from harness.accuracy.coco import evaluate
from harness.bench import measure
from harness.bench.conclude import conclude, merged_delegate
from harness.bench.inputs import prepare_inputs
from harness.bench.plan import Cell, Plan, Task
from harness.bench.records import FORMAT, AccuracyFacts, DelegateFacts, DeviceFacts, ModelFacts, ProcessFacts, Record
from harness.bench.store import RunStore, now
from harness.drivers.base import Device, DeviceInfo
from harness.errors import DeviceError, HarnessError, MeasurementError


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
    device: Device
    info: DeviceInfo
    store: RunStore
    observer: Observer

    def run(self) -> list[Record]:
        """Measure all cells and return their records, in plan order.

        A cell that fails takes no other down. Whatever ends this early (Ctrl-C, a kill), every measured process is in
        a record on disk.

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
        """Measure one repetition in a process of its own."""
        cell, started = task.cell, now()
        name = f"{cell.id}-{task.repetition}"
        try:
            inputs = prepare_inputs(cell, self.store.scratch)
            folder = self.store.make_scratch(name)
            job = measure.latency_job(cell, self.plan.settings, inputs, task.repetition, folder)
            result = measure.run_worker(self.device, job, folder, measure.timeout_of(job))
            samples = self.store.save_samples(cell.id, task.repetition, (folder / "samples.npy").read_bytes())
        except (MeasurementError, DeviceError, OSError) as error:
            return ProcessFacts(
                index=task.repetition, started_at=started, status=_status(error), reasons=(str(error),)
            )
        facts, wrong = result.facts, tuple(result.facts["wrong_outputs"])
        return ProcessFacts(
            index=task.repetition,
            started_at=started,
            status="incorrect" if wrong else "ok",
            reasons=wrong,
            delegate=measure.delegate_facts(cell, result),
            runtime=facts["runtime"],
            init_ns=facts["init_ns"],
            first_inference_ns=facts["first_inference_ns"],
            peak_memory_bytes=facts["peak_memory_bytes"],
            steady_from=facts["steady_from"],
            samples=samples,
            duration_s=result.duration_s,
        )

    def _accuracy(self, task: Task) -> AccuracyFacts:
        """Run a cell over its dataset and compute the COCO figures."""
        cell = task.cell
        dataset = cell.dataset
        assert dataset is not None
        base = AccuracyFacts(
            status="ok",
            dataset=dataset.name,
            annotations_sha256=dataset.annotations_sha256,
            n_images=len(dataset.images),
        )
        try:
            folder = self.store.make_scratch(f"{cell.id}-accuracy")
            job = measure.accuracy_job(cell, self.plan.settings, folder)
            timeout = measure.timeout_of(job, len(dataset.images))
            result = measure.run_worker(self.device, job, folder, timeout, self.observer.images)
            name = self.store.take_detections(cell.id, folder / "detections.json")
            detections = self.store.cell_folder(cell.id) / name
            ids = [entry.id for entry in dataset.images]
            figures = evaluate(dataset.annotations, detections, ids, self.plan.settings.coco_engine)
        except (HarnessError, OSError) as error:
            return replace(base, status=_status(error), reasons=(str(error),))
        facts = result.facts
        return replace(
            base,
            n_images=facts["n_images"],
            unreadable=tuple(facts["unreadable"]),
            reasons=_unreadable_reason(facts["unreadable"]),
            engine=figures.engine,
            figures=figures.figures,
            ap_per_category=dict(figures.ap_per_category),
            images_per_second=facts["n_images"] / facts["seconds"] if facts["seconds"] > 0 else None,
            delegate=measure.delegate_facts(cell, result),
            runtime=facts["runtime"],
            detections=name,
        )


def _status(error: Exception) -> str:
    return error.status if isinstance(error, MeasurementError) else "failed"


def _has_tasks(cell: Cell, plan: Plan) -> bool:
    return plan.settings.latency or cell.dataset is not None


def _unreadable_reason(unreadable: list[str]) -> tuple[str, ...]:
    if not unreadable:
        return ()
    more = ", …" if len(unreadable) > 3 else ""
    return (f"{len(unreadable)} image(s) could not be read and count as without detections: "
            f"{'; '.join(unreadable[:3])}{more}",)


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
    runtime = next((p.runtime for p in (*record.processes, record.accuracy) if p is not None and p.runtime), None)
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
