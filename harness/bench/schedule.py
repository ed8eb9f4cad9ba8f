"""What a run wants next, from its plan and how far each cell is. Touches no file and no device."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.bench.plan import Cell, Plan, Task
from harness.records.records import Record
from harness.settings import LEAST_BURSTS
from harness.vocabulary import CUT_SHORT, MEASURED

MAX_PROCESSES = 1_000
"""More rounds than any plan needs; `max_seconds` ends a precision that is out of reach."""


@dataclass(frozen=True)
class CellProgress:
    """How far a cell is.

    Attributes:
        n_processes: Processes that timed it.
        measured_s: Seconds that they measured.
        half_width_percent: The longer side of the median's 95 % interval, in percent of it; None where it is unknown.
        failed: Whether one of them failed. It is not tried again: it would fail again, or hide that it failed once.
        complete: Whether nothing is wanted of it any more.
        in_bursts: Whether its processes ran rightly and gave a summary each, so that a sustained load takes several.
        has_operators: Whether its operators were recorded, or that was tried.
        has_accuracy: Whether it was run over its dataset, or that was tried.
    """

    n_processes: int = 0
    measured_s: float = 0.0
    half_width_percent: float | None = None
    failed: bool = False
    complete: bool = False
    in_bursts: bool = False
    has_operators: bool = False
    has_accuracy: bool = False

    @property
    def is_open(self) -> bool:
        """Whether anything may still be wanted of it."""
        return not (self.complete or self.failed)


def progress_of(record: Record, half_width_percent: float | None = None) -> CellProgress:
    """Return what a cell's record says; how well its median is known, its samples say."""
    return CellProgress(
        n_processes=len(record.processes),
        measured_s=sum(process.duration_s or 0.0 for process in record.processes),
        half_width_percent=half_width_percent,
        failed=any(process.status in CUT_SHORT for process in record.processes),
        complete=record.complete,
        in_bursts=_in_bursts(record),
        has_operators=record.operators is not None,
        has_accuracy=record.accuracy is not None,
    )


def _in_bursts(record: Record) -> bool:
    ran = [process for process in record.processes if process.status in MEASURED]
    return bool(ran) and len(ran) == len(record.processes) and all(p.summary and not p.samples for p in ran)


def next_round(plan: Plan, progress: Mapping[str, CellProgress]) -> tuple[Task, ...]:
    """Return the tasks to carry out next, in order; none when the plan is done.

    First come the repetitions, a round each: every cell is timed for the k-th time before one is for the k+1-th. A
    sustained load is not interrupted: where it takes several processes, they follow each other. Then come the
    operators, which are not timed, and at last accuracy, because it heats all cores.

    Args:
        plan: The cells of one device.
        progress: How far each is, by its id.
    """
    timed = [
        cell
        for cell in plan.cells
        if wants_process(cell, progress[cell.id]) or _accompanies(cell, plan, progress)
    ]
    loaded = [cell for cell in timed if cell.settings.sustained is not None and progress[cell.id].n_processes]
    if loaded:
        return (Task(loaded[0], "latency", progress[loaded[0].id].n_processes),)
    if timed:
        return _up_to_a_load(_repetition(plan, timed, progress))
    operators = tuple(Task(c, "operators") for c in plan.cells if wants_operators(c, progress[c.id]))
    return operators or tuple(Task(c, "accuracy") for c in plan.cells if wants_accuracy(c, progress[c.id]))


def _accompanies(cell: Cell, plan: Plan, progress: Mapping[str, CellProgress]) -> bool:
    """Whether a cell is timed once more only because one that it is held against is, for its precision."""
    own = progress[cell.id]
    if not (cell.settings.seeks_precision and cell.wants_latency) or own.failed:
        return False
    others = [(other, progress[other.id]) for other in plan.compared_with(cell)]
    return any(
        wants_process(other, found) and own.n_processes <= found.n_processes for other, found in others
    )


def _repetition(plan: Plan, timed: Sequence[Cell], progress: Mapping[str, CellProgress]) -> tuple[Task, ...]:
    """One round of repetitions: those that lag behind come first, as they do when a run is resumed."""
    turn = min(progress[cell.id].n_processes for cell in timed)
    due = {cell.id for cell in timed if progress[cell.id].n_processes == turn}
    return tuple(Task(cell, "latency", turn) for cell in plan.in_turn(turn) if cell.id in due)


def _up_to_a_load(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """Cut a round behind a sustained load, which may take more processes before anything else runs."""
    loads = (at for at, task in enumerate(tasks, 1) if task.cell.settings.sustained is not None)
    return tasks[: next(loads, len(tasks))]


def wants_anything(cell: Cell, progress: CellProgress) -> bool:
    """Whether a task of a cell is still to be carried out."""
    return wants_process(cell, progress) or wants_operators(cell, progress) or wants_accuracy(cell, progress)


def wants_process(cell: Cell, progress: CellProgress) -> bool:
    """Whether a cell is to be timed once more."""
    if not (cell.wants_latency and progress.is_open) or progress.n_processes >= MAX_PROCESSES:
        return False
    if progress.n_processes < cell.settings.processes:
        return True
    return _wants_precision(cell, progress) or wants_more_load(cell, progress)


def wants_more_load(cell: Cell, progress: CellProgress) -> bool:
    """Whether a sustained load in bursts is to go on."""
    sustained = cell.settings.sustained
    if sustained is None or not progress.in_bursts:
        return False
    return progress.measured_s < sustained or progress.n_processes < LEAST_BURSTS


def _wants_precision(cell: Cell, progress: CellProgress) -> bool:
    settings = cell.settings
    if not settings.seeks_precision or progress.measured_s >= settings.max_seconds:
        return False
    reached = progress.half_width_percent
    return reached is None or settings.precision is None or reached > settings.precision


def wants_operators(cell: Cell, progress: CellProgress) -> bool:
    """Whether the operators of a cell are to be recorded."""
    return cell.wants_operators and progress.is_open and not progress.has_operators


def wants_accuracy(cell: Cell, progress: CellProgress) -> bool:
    """Whether a cell is to be run over its dataset."""
    return cell.wants_accuracy and progress.is_open and not progress.has_accuracy


def count_tasks(cell: Cell, progress: CellProgress) -> int:
    """Return how many tasks a cell has in any case; a precision may add some."""
    if progress.complete:
        return 0
    timed = max(0, cell.settings.processes - progress.n_processes) if cell.wants_latency else 0
    return timed + wants_operators(cell, progress) + wants_accuracy(cell, progress)


def count_added(tasks: Sequence[Task]) -> int:
    """Return how many tasks of a round nobody counted before: those that a precision asks for."""
    return sum(task.kind == "latency" and task.repetition >= task.cell.settings.processes for task in tasks)
