"""Hold a run's accuracies against each other once all of them are there (law 13).

It can be done again: what an earlier review said of a cell is replaced.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from msgspec.structs import replace

from harness.accuracy import across
from harness.accuracy.annotations import GroundTruth, read_annotations
from harness.accuracy.dataset import Dataset
from harness.bench.accuracy_checks import with_checks, without_checks
from harness.bench.cell_record import with_status
from harness.bench.plan import Cell, Plan
from harness.delegates import CPU_REFERENCE
from harness.records.checks import Check
from harness.records.records import AccuracyFacts, Record
from harness.records.store import RunStore
from harness.vocabulary import NO_ACCURACY


@dataclass(frozen=True)
class Evaluated:
    """A cell with an accuracy of its own."""

    cell: Cell
    record: Record
    accuracy: AccuracyFacts

    @property
    def dataset(self) -> Dataset:
        """The images that were evaluated."""
        assert self.cell.dataset is not None
        return self.cell.dataset.without(self.accuracy.unreadable_ids)

    @property
    def truth(self) -> GroundTruth:
        """The annotations of the categories that are evaluated."""
        truth, matching = read_annotations(self.dataset.annotations), self.cell.matching
        chosen = None if matching is None else matching.categories
        return truth if chosen is None else truth.of_categories(chosen)

    @property
    def subject(self) -> tuple[object, ...]:
        """What must be the same for accuracies to be comparable: the model, its reading, the images and classes."""
        matching = None if self.cell.matching is None else self.cell.matching.categories
        card, facts = self.cell.model.card, self.accuracy
        return card, self.cell.facts.sha256, facts.annotations_sha256, self.dataset.image_ids, matching


def review(plan: Plan, store: RunStore) -> None:
    """Look for accuracies that contradict each other, and keep what is found in the records.

    Raises:
        OutputError: A record cannot be written.
        DatasetError: The annotations or detections cannot be read any more.
    """
    groups: dict[tuple[object, ...], list[Evaluated]] = {}
    for one in _evaluated(plan, store):
        groups.setdefault(one.subject, []).append(one)
    for group in groups.values():
        found = list(_disagreements(group, store))
        for place, one in enumerate(group):
            _keep(one, [check for at, check in found if at == place], (across.NAME,), store)


def _evaluated(plan: Plan, store: RunStore) -> Iterator[Evaluated]:
    for cell in plan.cells:
        record = store.load_record(cell.id) if cell.wants_accuracy else None
        if record is None or record.accuracy is None or record.status in NO_ACCURACY:
            continue
        if record.accuracy.figures is not None and record.accuracy.figures.map is not None:
            yield Evaluated(cell, record, record.accuracy)


def _disagreements(group: list[Evaluated], store: RunStore) -> Iterator[tuple[int, Check]]:
    if len(group) > 1:
        executions = [_execution(one, store) for one in group]
        yield from across.disagreements(executions, group[0].truth, group[0].dataset.image_ids)


def _execution(one: Evaluated, store: RunStore) -> across.Execution:
    figures, facts = one.accuracy.figures, one.accuracy
    assert figures is not None
    assert figures.map is not None
    assert facts.detections is not None
    return across.Execution(
        delegate=str(one.cell.delegate),
        device=one.cell.device,
        kernels=one.cell.delegate.kind if facts.delegate is None else facts.delegate.actual,
        on_cpu=one.cell.delegate.is_cpu,
        is_reference=one.cell.delegate.kind == CPU_REFERENCE,
        map=figures.map,
        detections=store.cell_folder(one.cell.id) / facts.detections,
    )


def _keep(one: Evaluated, checks: Iterable[Check], names: Collection[str], store: RunStore) -> None:
    """Put checks in the place of those of these names that a record has."""
    accuracy = with_checks(without_checks(one.accuracy, names), one.cell, checks)
    if accuracy != one.accuracy:
        store.save_record(with_status(replace(one.record, accuracy=accuracy)))
