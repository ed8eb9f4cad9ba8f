"""One task of a cell, carried out: what its process gave, or why it failed, as facts for the cell's record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from harness.accuracy.dataset import Dataset
from harness.accuracy.dataset_accuracy import DatasetAccuracy, evaluate_on
from harness.bench.accuracy_checks import judged, nothing_read
from harness.bench.device_wait import DeviceWait
from harness.bench.engines.base import DatasetInference, Engine
from harness.bench.host_check import check_host
from harness.bench.known_faults import known_reasons, with_known_faults
from harness.bench.observer import Observer
from harness.bench.plan import Cell, Task
from harness.delegates import UNKNOWN
from harness.errors import (
    DeviceError,
    HarnessError,
    HostFaultError,
    MeasurementError,
    OutputError,
    is_host_fault,
)
from harness.hashing import hash_file
from harness.records.records import AccuracyFacts, OperatorFacts, OperatorProfile, ProcessFacts, Record
from harness.records.samples import to_bytes
from harness.records.store import RunStore, now
from harness.records.telemetry import Telemetry
from harness.vocabulary import Status

T = TypeVar("T")


@dataclass
class Performer:
    """Carries out tasks on one device.

    Attributes:
        engine: What measures.
        store: Where samples, operators and detections go.
        observer: Is told how many images are done.
        patience: Waits for the device where it goes away; None not to wait.
    """

    engine: Engine
    store: RunStore
    observer: Observer
    patience: DeviceWait | None = None
    _fastest_probe: int | None = None
    _evaluated_before: dict[tuple[object, ...], DatasetAccuracy] = field(default_factory=dict)

    def perform(self, task: Task, record: Record) -> Record:
        """Return the cell's record with what the task gave; a failure is a part of it too.

        Raises:
            OutputError: The run's folder cannot be written.
            HostFaultError: This computer fails in another way, which says nothing of the cell.
        """
        if task.kind == "accuracy":
            ran = _ran_instead(record)
            accuracy = self._accuracy(task) if ran is None else _no_accuracy(task.cell, ran)
            return replace(record, accuracy=accuracy)
        if task.kind == "operators":
            ran = _ran_instead(record)
            if ran is not None:
                return replace(record, operators=OperatorFacts(status=Status.FALLBACK, reasons=(ran,)))
            return replace(record, operators=self._operators(task))
        return replace(record, processes=(*record.processes, self._process(task)))

    def _process(self, task: Task) -> ProcessFacts:
        """Measure one repetition in a process of its own; its samples are on disk before it is in a record."""
        cell, started = task.cell, now()
        try:
            timed, remark = self._attempt(
                task,
                lambda: self.engine.time(
                    cell, task.repetition, self.store.make_scratch(f"{cell.id}-{task.repetition}")
                ),
            )
            facts = with_known_faults(cell, timed.facts)
            facts = replace(
                facts,
                reasons=(*facts.reasons, *remark),
                telemetry=self._with_baseline(facts.telemetry),
            )
        except (HarnessError, OSError) as error:
            return ProcessFacts(index=task.repetition, started_at=started, **self._failure(task.cell, error))
        if timed.samples is None:
            return facts
        name, crc32 = self.store.save_samples(cell.id, task.repetition, to_bytes(timed.samples))
        return replace(facts, samples=name, samples_crc32=crc32)

    def _attempt(self, task: Task, measure: Callable[[], T]) -> tuple[T, tuple[str, ...]]:
        """Carry out a part of a task, and once more where the device goes away and comes back; remark on that."""
        if self.patience is None:
            return measure(), ()
        found, remark = self.patience.attempt(task, measure, self.observer)
        return found, (remark,) if remark else ()

    def _with_baseline(self, telemetry: Telemetry) -> Telemetry:
        """Add the shortest CPU probe of this device so far, which throttling is judged against."""
        probes = (*(state.probe_ns for state in telemetry.states), self._fastest_probe)
        known = [probe for probe in probes if probe is not None]
        if not known:
            return telemetry
        self._fastest_probe = min(known)
        return replace(telemetry, fastest_probe_ns=self._fastest_probe)

    def _operators(self, task: Task) -> OperatorFacts:
        """Record the operators of a cell; a failure is told, and is none of the cell's."""
        cell = task.cell
        try:
            found, _ = self._attempt(
                task, lambda: self.engine.operators(cell, self.store.make_scratch(f"{cell.id}-operators"))
            )
            name = self.store.save_operators(cell.id, OperatorProfile(operators=found.operators))
        except (HarnessError, OSError) as error:
            return OperatorFacts(**self._failure(task.cell, error))
        return OperatorFacts(
            status=Status.OK, runtime=found.runtime, n_inferences=found.n_inferences, operators=name
        )

    def _accuracy(self, task: Task) -> AccuracyFacts:
        """Run a cell over its dataset and compute the COCO figures."""
        cell = task.cell
        planned = _planned_accuracy(cell)
        try:
            found, remark = self._attempt(
                task,
                lambda: self.engine.infer(
                    cell,
                    self.store.make_scratch(f"{cell.id}-accuracy"),
                    lambda done, of: self.observer.images(task, done, of),
                ),
            )
            name, crc32 = self.store.take_detections(cell.id, found.detections)
            if found.unreadable:
                check_host(self.store, cell)
            facts = with_known_faults(cell, _inferred_accuracy(planned, found, name, crc32))
            if facts.status == Status.OK:
                facts = self._evaluated(facts, cell)
            return replace(facts, reasons=(*facts.reasons, *remark))
        except (HarnessError, OSError) as error:
            return replace(planned, **self._failure(task.cell, error))

    def _evaluated(self, facts: AccuracyFacts, cell: Cell) -> AccuracyFacts:
        assert cell.dataset is not None
        assert facts.detections is not None
        if facts.unreadable and not facts.n_images:
            return nothing_read(facts)
        dataset = cell.dataset.without(facts.unreadable_ids)
        result = self._figures(cell, dataset, self.store.cell_folder(cell.id) / facts.detections)
        facts = judged(facts, cell, result)
        return replace(
            facts,
            engine=result.evaluation.engine,
            figures=result.evaluation.figures,
            map_low=result.interval.low,
            map_high=result.interval.high,
            ap_per_category=dict(result.evaluation.ap_per_category),
        )

    def _figures(self, cell: Cell, dataset: Dataset, detections: Path) -> DatasetAccuracy:
        """Compute the figures of detections; of the same bytes, as another number of threads gives them, only once."""
        categories = None if cell.matching is None else cell.matching.categories
        engine, scored = cell.settings.coco_engine, (dataset.annotations, dataset.annotations_sha256)
        ids = None if categories is None else frozenset(categories)
        key = (*scored, dataset.together, dataset.image_ids, ids, engine, hash_file(detections))
        if key not in self._evaluated_before:
            self._evaluated_before[key] = evaluate_on(dataset, detections, engine, categories)
        return self._evaluated_before[key]

    def _failure(self, cell: Cell, error: HarnessError | OSError) -> dict[str, Any]:
        """What a part says that failed: why, and whether it is tried again because it says nothing of the cell.

        Raises:
            OutputError: The run's folder cannot be written.
            HostFaultError: This computer fails in another way.
        """
        # What a device says of its files is not of this computer's.
        cause = None if isinstance(error, DeviceError) else error.__cause__
        if is_host_fault(error) or (cause is not None and is_host_fault(cause)):
            known = isinstance(error, (OutputError, HostFaultError))
            raise error if known else HostFaultError(str(error)) from error
        check_host(self.store, cell)
        status, again = Status.FAILED, isinstance(error, DeviceError)
        if isinstance(error, MeasurementError):
            status, again = error.status, error.may_pass
        reasons = (str(error), *known_reasons(cell, status))
        return {"status": status, "reasons": reasons, "device_lost": again}


def _ran_instead(record: Record) -> str | None:
    """Say that something else ran in every process of a cell; None where the delegate ran in one, or may run yet."""
    if not record.processes or any(p.status != Status.FALLBACK for p in record.processes):
        return None
    facts = [p.delegate for p in record.processes if p.delegate is not None]
    names = ", ".join(dict.fromkeys(one.actual for one in facts)) or UNKNOWN
    return f"{record.delegate.requested} ran in no process of this cell (what ran: {names})"


def _no_accuracy(cell: Cell, why: str) -> AccuracyFacts:
    return replace(_planned_accuracy(cell), status=Status.FALLBACK, reasons=(why,))


def _planned_accuracy(cell: Cell) -> AccuracyFacts:
    dataset = cell.dataset
    assert dataset is not None
    return AccuracyFacts(
        status=Status.OK,
        dataset=dataset.name,
        annotations_sha256=dataset.annotations_sha256,
        annotations=dataset.annotations.stem,
        n_images=len(dataset.images),
    )


def _inferred_accuracy(
    planned: AccuracyFacts, found: DatasetInference, detections: str, crc32: int
) -> AccuracyFacts:
    """Add what is known before there are figures; `detections` is the file's name in the cell's folder."""
    return replace(
        planned,
        n_images=found.n_images,
        unreadable=found.unreadable,
        unreadable_ids=found.unreadable_ids,
        images_per_second=found.n_images / found.seconds if found.seconds > 0 else None,
        delegate=found.delegate,
        runtime=found.runtime,
        detections=detections,
        detections_crc32=crc32,
        reasons=(*planned.reasons, *filter(None, [found.remark])),
    )
