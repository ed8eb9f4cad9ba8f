"""Hold a run's accuracies against each other once all of them are there (law 13).

It can be done again: what an earlier review said of a cell is replaced.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from harness.accuracy import across
from harness.accuracy.annotations import GroundTruth
from harness.accuracy.dataset import Dataset, read_truth
from harness.accuracy.published import is_published_for
from harness.bench import preparations
from harness.bench.accuracy_checks import with_checks, without_checks
from harness.bench.cell_record import with_status
from harness.bench.plan import Cell, Plan
from harness.bench.preparations import affordable_images, alternatives, try_preparations
from harness.delegates import CPU_REFERENCE
from harness.errors import HarnessError, is_host_fault
from harness.records.checks import Check
from harness.records.records import AccuracyFacts, Record
from harness.records.store import RunStore
from harness.vocabulary import NO_ACCURACY

NOT_COMPARED = "the rows of this model were not held against each other"
NOT_TRIED = "other preparations of the input were not tried"


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
        truth, matching = read_truth(self.dataset), self.cell.matching
        chosen = None if matching is None else matching.categories
        return truth if chosen is None else truth.of_categories(chosen)

    @property
    def subject(self) -> tuple[object, ...]:
        """What must be the same for accuracies to be comparable: the model, its reading, the images and classes."""
        matching = None if self.cell.matching is None else self.cell.matching.categories
        # A card holds tables, which cannot be keys themselves.
        card, facts = msgspec.json.encode(self.cell.model.card, order="deterministic"), self.accuracy
        return card, self.cell.facts.sha256, facts.annotations_sha256, self.dataset.image_ids, matching


def review(plan: Plan, store: RunStore) -> None:
    """Look for accuracies that contradict each other, and for better preparations; keep what is found in the records.

    Raises:
        OutputError: A record cannot be written.
    """
    groups: dict[tuple[object, ...], list[Evaluated]] = {}
    for one in _evaluated(plan, store):
        groups.setdefault(one.subject, []).append(one)
    for group in groups.values():
        objections = _objections(group, store)
        for place, one in enumerate(group):
            _keep(one, objections.of(place), objections.remarks, store)


@dataclass
class _Objections:
    """What a review says of the cells of one model: checks of all or of one of them, and what could not be tried."""

    of_all: list[Check]
    of_one: list[tuple[int, Check]]
    remarks: list[str]

    def of(self, place: int) -> list[Check]:
        """Return the checks of one cell."""
        return [*(check for at, check in self.of_one if at == place), *self.of_all]

    def could_not(self, what: str, error: Exception) -> None:
        """Remark what could not be tried; raise what this computer is to blame for."""
        if is_host_fault(error):
            raise error
        self.remarks.append(f"{what}: {error}")


def _objections(group: list[Evaluated], store: RunStore) -> _Objections:
    found = _Objections([], [], [])
    try:
        found.of_one += _disagreements(group, store)
    except (HarnessError, OSError) as error:
        found.could_not(NOT_COMPARED, error)
    try:
        found.of_all += _preparations(group, store)
    except (HarnessError, OSError) as error:
        found.could_not(NOT_TRIED, error)
    return found


def _preparations(group: list[Evaluated], store: RunStore) -> Iterator[Check]:
    """Try other preparations of the input, unless a published figure says that the card's is right."""
    one = group[0]
    if is_published_for(one.cell.model, one.dataset) or not alternatives(one.cell):
        return
    measured_s = sum(_seconds(each.record) for each in group)
    speeds = [each.accuracy.images_per_second for each in group]
    fastest = max((speed for speed in speeds if speed), default=None)
    n_images = affordable_images(one.cell, measured_s, fastest)
    scratch = store.make_scratch(f"{one.cell.id}-preparations")
    yield from try_preparations(one.cell, one.dataset, one.truth, n_images, scratch)


def _seconds(record: Record) -> float:
    """Return how long a cell was measured."""
    accuracy = record.accuracy
    timed = sum(process.duration_s or 0.0 for process in record.processes)
    if accuracy is None or not accuracy.images_per_second:
        return timed
    return timed + accuracy.n_images / accuracy.images_per_second


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


def _keep(one: Evaluated, checks: Iterable[Check], remarks: Iterable[str], store: RunStore) -> None:
    """Put checks and remarks in the place of those that an earlier review left in a record."""
    accuracy = without_checks(one.accuracy, (across.NAME, preparations.NAME))
    kept = (reason for reason in accuracy.reasons if not reason.startswith((NOT_COMPARED, NOT_TRIED)))
    accuracy = with_checks(replace(accuracy, reasons=(*kept, *remarks)), one.cell, checks)
    if accuracy != one.accuracy:
        store.save_record(with_status(replace(one.record, accuracy=accuracy)))
