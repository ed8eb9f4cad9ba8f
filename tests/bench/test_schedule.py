"""What a run wants next follows from its plan and how far it is, whatever its processes gave and wherever it ended."""

from dataclasses import replace
from math import ceil
from types import SimpleNamespace

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.bench.plan import Cell, Plan
from harness.bench.schedule import (
    MAX_PROCESSES,
    CellProgress,
    count_added,
    count_tasks,
    next_round,
    wants_anything,
    wants_process,
)
from harness.delegates import parse_delegate
from harness.settings import LEAST_BURSTS, Settings

DATASET = object()
slow_is_fine = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@st.composite
def cells(draw, index):
    latency = draw(st.booleans())
    chosen = Settings(
        latency=latency,
        accuracy=not latency or draw(st.booleans()),
        operators=draw(st.booleans()),
        repetitions=draw(st.integers(1, 4)),
        precision=draw(st.none() | st.floats(0.5, 5)),
        max_seconds=draw(st.floats(0.1, 6)),
        mlperf=draw(st.booleans()),
    )
    return Cell(
        index=index,
        model=SimpleNamespace(name=f"model{index}"),
        facts=None,
        device="local",
        delegate=parse_delegate("cpu:1"),
        settings=chosen,
        dataset=draw(st.sampled_from((None, DATASET))),
        skip=draw(st.sampled_from((None, None, None, "known not to work"))),
    )


@st.composite
def plans(draw):
    numbers = range(1, draw(st.integers(1, 5)) + 1)
    return Plan(tuple(draw(cells(number)) for number in numbers), draw(st.integers(0, 3)))


class Outcomes:
    """What each task would give: the same for a task, whenever it is carried out."""

    def __init__(self, chance):
        self._chance, self._known = chance, {}

    def __call__(self, task):
        key = (task.cell.id, task.kind, task.repetition)
        if key not in self._known:
            failed, width = self._chance.random() < 0.1, self._chance.choice([None, *range(1, 9)])
            self._known[key] = (failed, width)
        return self._known[key]


def after(task, progress, outcomes):
    """How far a cell is once a task was carried out, as the runner keeps it."""
    if task.kind == "operators":
        progress = replace(progress, has_operators=True)
    elif task.kind == "accuracy":
        progress = replace(progress, has_accuracy=True)
    else:
        failed, width = outcomes(task)
        progress = replace(
            progress,
            n_processes=progress.n_processes + 1,
            measured_s=progress.measured_s + 0.5,
            half_width_percent=width,
            failed=failed,
        )
    return replace(progress, complete=not wants_anything(task.cell, progress))


def nothing_done(plan):
    """What a run begins with: a cell that nothing is wanted of is complete."""
    return {c.id: CellProgress(complete=not (c.wants_latency or c.wants_accuracy)) for c in plan.cells}


def carry_out(plan, progress, outcomes, most=None):
    """Carry out a plan, or the next tasks of it; return them in order."""
    done = []
    while tasks := next_round(plan, progress):
        for task in tasks:
            if len(done) == most:
                return done
            progress[task.cell.id] = after(task, progress[task.cell.id], outcomes)
            done.append(task)
    return done


@slow_is_fine
@given(plans(), st.randoms(use_true_random=False))
def test_every_cell_gets_what_it_asks_for_once_and_the_run_ends(plan, chance):
    progress = nothing_done(plan)
    done = carry_out(plan, progress, Outcomes(chance))
    assert len({(task.cell.id, task.kind, task.repetition) for task in done}) == len(done)
    assert all(one.complete for one in progress.values())
    for cell in plan.cells:
        kinds = [task.kind for task in done if task.cell is cell]
        mine = progress[cell.id]
        timed = kinds.count("latency")
        assert timed == mine.n_processes
        if cell.wants_latency and not mine.failed:
            assert timed >= cell.settings.processes
            assert timed == cell.settings.processes or cell.settings.seeks_precision
        assert timed == 0 or cell.wants_latency
        begun = cell.wants_latency or cell.wants_accuracy
        assert kinds.count("operators") == (cell.wants_operators and not mine.failed and begun)
        assert kinds.count("accuracy") == (cell.wants_accuracy and not mine.failed)


@slow_is_fine
@given(plans(), st.randoms(use_true_random=False))
def test_rounds_are_interleaved_and_accuracy_comes_last(plan, chance):
    done = carry_out(plan, nothing_done(plan), Outcomes(chance))
    order = {"latency": 0, "operators": 1, "accuracy": 2}
    stages = [(order[task.kind], task.repetition) for task in done]
    assert stages == sorted(stages)
    for cell in plan.cells:
        turns = [task.repetition for task in done if task.cell is cell and task.kind == "latency"]
        assert turns == list(range(len(turns)))


@slow_is_fine
@given(plans(), st.randoms(use_true_random=False), st.integers(0, 40))
def test_a_run_that_is_resumed_goes_on_as_it_would_have_gone(plan, chance, most):
    outcomes = Outcomes(chance)
    whole = carry_out(plan, nothing_done(plan), outcomes)
    progress = nothing_done(plan)
    first = carry_out(plan, progress, outcomes, most)
    assert first + carry_out(plan, progress, outcomes) == whole


@slow_is_fine
@given(plans(), st.randoms(use_true_random=False))
def test_the_tasks_that_are_announced_are_those_that_come_unless_one_fails(plan, chance):
    progress, outcomes = nothing_done(plan), Outcomes(chance)
    announced = sum(count_tasks(cell, progress[cell.id]) for cell in plan.cells)
    n_done = 0
    while tasks := next_round(plan, progress):
        announced += count_added(tasks)
        for task in tasks:
            progress[task.cell.id] = after(task, progress[task.cell.id], outcomes)
            n_done += 1
    if any(one.failed for one in progress.values()):
        assert n_done <= announced
    else:
        assert n_done == announced


def test_a_precision_that_is_never_reached_ends():
    cell = Cell(1, SimpleNamespace(name="m"), None, "local", parse_delegate("cpu:1"), Settings(precision=1.0))
    assert wants_process(cell, CellProgress(n_processes=MAX_PROCESSES - 1))
    assert not wants_process(cell, CellProgress(n_processes=MAX_PROCESSES))
    assert not wants_process(cell, CellProgress(n_processes=7, measured_s=60.0, half_width_percent=3.0))
    assert not wants_process(cell, CellProgress(n_processes=7, half_width_percent=0.9))


def load_cells(sustained):
    """Cells of which some are measured under sustained load."""
    return tuple(
        Cell(
            index=at,
            model=SimpleNamespace(name=f"model{at}"),
            facts=None,
            device="local",
            delegate=parse_delegate("cpu:1"),
            settings=Settings(sustained=seconds, repetitions=2),
        )
        for at, seconds in enumerate(sustained, 1)
    )


@slow_is_fine
@given(
    st.lists(st.none() | st.floats(1, 12), min_size=1, max_size=4),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.integers(0, 40),
)
def test_a_sustained_load_is_one_process_right_after_the_other(sustained, chance, in_bursts, most):
    """A tool that gives one figure a process takes many of them, our own worker one."""
    plan = Plan(load_cells(sustained))
    start = {id: replace(one, in_bursts=in_bursts) for id, one in nothing_done(plan).items()}
    outcomes, progress = Outcomes(chance), dict(start)
    done = carry_out(plan, progress, outcomes)
    for cell in plan.cells:
        places = [at for at, task in enumerate(done) if task.cell is cell]
        mine = progress[cell.id]
        if cell.settings.sustained is None:
            assert len(places) == 2 or mine.failed
            continue
        assert places == list(range(places[0], places[0] + len(places)))
        if not in_bursts:
            assert len(places) == 1
        elif not mine.failed:
            assert mine.measured_s >= cell.settings.sustained
            assert len(places) == max(LEAST_BURSTS, ceil(cell.settings.sustained / 0.5))
    again = dict(start)
    assert carry_out(plan, again, outcomes, most) + carry_out(plan, again, outcomes) == done
