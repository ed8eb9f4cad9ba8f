"""A run from a request to its folder: prepare (all bad input is found here), carry out, resume."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from harness.bench.cells import make_cells, nothing_to_switch_to
from harness.bench.engines.choose import find_engines
from harness.bench.environment import describe_environment
from harness.bench.observer import Observer
from harness.bench.plan import Plan, plan_facts, refuse_difference
from harness.bench.plan_file import make_request
from harness.bench.request import FarmChoice, Request, request_facts, request_from_facts, with_farm
from harness.bench.stations import Station, of_this_computer, reach_stations, shared_computer
from harness.bench.subjects import Subject, find_subjects
from harness.errors import (
    HarnessError,
    HostFaultError,
    OutputError,
    RecordError,
    RunInUseError,
    UsageError,
    is_host_fault,
)
from harness.paths import absolute, resolved
from harness.records.ownership import Ownership, clear_dead_runs, own, why_unlocked
from harness.records.records import (
    FORMAT,
    ClassMatch,
    Record,
    RunFacts,
    find_runs,
    is_finished,
    load_records,
    load_run,
)
from harness.records.store import RunStore, new_run, now
from harness.text import shell_path
from harness.version import __version__
from harness.vocabulary import FAILURES, Status
from harness.workspace import ensure_writable, find_workspace

if TYPE_CHECKING:
    from harness.bench.engines.base import Engine
    from harness.bench.run import Runner
    from harness.farm.session import Farm
    from harness.records.damaged import DamagedCell


@dataclass(frozen=True)
class Prepared:
    """A plan that can be carried out: everything it needs is there.

    Attributes:
        request: What was asked for.
        plan: The cells.
        stations: The devices, reached.
        engines: What measures on each of them; none where the plan is only looked at.
        results: Folder for the run, proven to be writable.
        remarks: What the user should know before the figures.
        resumes: The run that is continued, which is this process's; None for a new one.
        damaged: Cells of that run which are set aside, and measured again.
        farm: The farm that measures, with engines of its own; None for this computer.
    """

    request: Request
    plan: Plan
    stations: tuple[Station, ...]
    engines: tuple[Engine, ...]
    results: Path
    remarks: tuple[str, ...] = ()
    resumes: Ownership | None = None
    damaged: tuple[DamagedCell, ...] = ()
    farm: Farm | None = None

    @property
    def matches(self) -> list[tuple[str, ClassMatch]]:
        """How the classes of each model were matched with the data set's; models without one are left out."""
        found = {cell.model.name: cell.matching for cell in self.plan.cells}
        return [(name, match.facts) for name, match in found.items() if match is not None]


@dataclass(frozen=True)
class Outcome:
    """A run that was carried out."""

    folder: Path
    records: tuple[Record, ...]

    @property
    def failed(self) -> bool:
        """Whether a cell failed or was not finished, or nothing at all was measured.

        One that was skipped among others, or fell back, did neither.
        """
        none = all(record.status == Status.SKIPPED for record in self.records)
        return none or any(record.status in FAILURES or not record.complete for record in self.records)


A_LOOK = "--quick: a look at what a run would show; its figures are of one process and few images, and decide nothing"


class RunInterrupted(KeyboardInterrupt):
    """Ctrl-C ended a run, which can be resumed from its folder; what was measured is there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"interrupted; {resume_command(folder)} goes on")
        self.folder = folder


def prepare(request: Request, *, outline: bool = False) -> Prepared:
    """Find the models, the devices and the data and make the plan.

    Args:
        request: What is asked for.
        outline: Whether it is only looked at: what is not fetched, converted or attached then makes skipped cells.

    Raises:
        UsageError: Anything that is wrong with the request or with what it names.
    """
    workspace = find_workspace(request.workspace)
    results = Path(request.output) if request.output else workspace.results
    subjects, remarks = find_subjects(request, workspace, absent_too=outline)
    if request.quick:
        remarks.append(A_LOOK)
    if request.farm.scheduler is not None:
        return _prepare_farm(request, subjects, results, remarks)
    stations = reach_stations(request, workspace, absent_too=outline)
    with _closed_on_error(stations):
        cells = make_cells(request, subjects, stations)
        remarks += [*shared_computer(stations, cells), *nothing_to_switch_to(cells)]
        if outline:
            stations = of_this_computer(stations)
        engines = find_engines(stations, request, outline=outline)
        remarks += _place_of_runs(results)
    return Prepared(request, Plan(cells, request.settings.seed), stations, engines, results, tuple(remarks))


@contextlib.contextmanager
def _closed_on_error(stations: Sequence[Station]) -> Iterator[None]:
    """Let go of devices that were reached, where something makes them useless."""
    try:
        yield
    except BaseException:
        for station in stations:
            station.device.close()
        raise


def _place_of_runs(results: Path) -> list[str]:
    """Prove that runs can be stored in a folder; return what the user should know of it."""
    ensure_writable(results)
    return list(filter(None, [why_unlocked(results)]))


def _prepare_farm(
    request: Request, subjects: Sequence[Subject], results: Path, remarks: Sequence[str]
) -> Prepared:
    from harness.farm.session import reach

    farm = reach(request)
    try:
        plan = Plan(make_cells(request, subjects, farm.stations), request.settings.seed)
        remarks = (*remarks, *farm.remarks, *_place_of_runs(results))
    except BaseException:
        farm.close()
        raise
    return Prepared(request, plan, farm.stations, (), results, remarks, farm=farm)


def prepare_asked(
    models: Sequence[str],
    given: Mapping[str, Any],
    workspace: str | None = None,
    command: tuple[str, ...] = (),
    resume: str | None = None,
    *,
    outline: bool = False,
) -> Prepared:
    """Prepare what a user asks for: a new run, or to go on with one that was interrupted.

    Args:
        models: Models, or one plan; nothing for the bundled example.
        given: Values by the keywords of the options. Of these, a resumed run takes `output` and another farm.
        workspace: Folder with devices/ and models/; None to look it up.
        command: The command line, for the record.
        resume: The run to go on with, or `latest`; None for a new one.
        outline: Whether a new run is only looked at, as by `prepare`.

    Raises:
        UsageError: Anything that is wrong with what is asked, or with what it names.
    """
    if resume is None:
        return prepare(make_request(models, given, workspace, command), outline=outline)
    if models:
        raise UsageError("--resume goes on with a run as it was begun: give no MODEL")
    owner = own_unfinished(resume, workspace, given.get("output"))
    return _prepare_owned(owner, with_farm(FarmChoice(), given) if given.get("scheduler") else None)


def own_unfinished(which: str, workspace: str | Path | None = None, output: str | None = None) -> Ownership:
    """Take the run to go on with: the one that is named, or for `latest` the newest that is not finished.

    Raises:
        RunInUseError: It is being measured.
        UsageError: No such run, or none was interrupted.
    """
    from harness.rows.selection import LATEST, find_folders

    results = Path(output) if output else find_workspace(workspace).results
    if which != LATEST:
        return _own_run(find_folders([which], results)[0])
    in_use = ""
    for run in reversed(find_runs(results)):
        try:
            owner = None if is_finished(run) else own(run)
        except RunInUseError as error:
            in_use = in_use or f" ({error})"
            continue
        if owner is not None:
            if not is_finished(run):
                return owner
            owner.release()  # it ended between the two looks
    raise UsageError(f"{results}: no run there was interrupted; nothing to resume{in_use}")


def prepare_resume(folder: Path, farm: FarmChoice | None = None) -> Prepared:
    """Prepare to go on with a run that was ended early, on its farm or the one that is given.

    Raises:
        RunInUseError: It is being measured.
        RecordError: It is not a run.
        IncomparableError: Models, data, settings or environment differ; names what, and both values.
    """
    return _prepare_owned(_own_run(folder), farm)


def _own_run(folder: Path) -> Ownership:
    load_run(folder)  # nothing is written into a folder that holds no run
    return own(folder)


def _prepare_owned(owner: Ownership, farm: FarmChoice | None) -> Prepared:
    try:
        return replace(_prepare_again(owner.folder, farm), resumes=owner)
    except BaseException:
        owner.release()
        raise


def _prepare_again(folder: Path, farm: FarmChoice | None) -> Prepared:
    from harness.records.damaged import find_damaged  # late, as all that a plan alone does not need

    facts = load_run(folder)
    request = request_from_facts(facts.request, folder / "run.json")
    prepared = prepare(request if farm is None else replace(request, farm=farm))
    if prepared.farm is not None:
        prepared.farm.refuse_other_devices(folder)
    refuse_difference(facts.plan, _as_json(plan_facts(prepared.plan)), "plan")
    refuse_difference(facts.environment, _as_json(describe_environment()), "environment")
    damaged = find_damaged(folder)
    remarks = (*prepared.remarks, *(cell.remark for cell in damaged))
    return replace(prepared, remarks=remarks, damaged=damaged)


def _as_json(facts: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(facts))


def carry_out(prepared: Prepared, observer: Observer) -> Outcome:
    """Measure what was prepared; every record is on disk when this returns or is ended from outside.

    Raises:
        RunInterrupted: Ctrl-C ended it; names the folder.
        HostFaultError: This computer failed (no room, a folder that is gone); says what is safe and how to go on.
        OutputError: No run could be begun.
    """
    from harness.bench.engines.worker_process import workers_ready
    from harness.records.damaged import set_aside

    owner = prepared.resumes or _begin(prepared)
    store = RunStore(owner.folder, owner)
    try:
        # One after the other, also where a second Ctrl-C ends one of them.
        with contextlib.ExitStack() as at_the_end:
            at_the_end.enter_context(workers_ready(station.device for station in prepared.stations))
            at_the_end.callback(let_go, prepared)
            at_the_end.callback(owner.release)
            at_the_end.callback(store.drop_scratch)
            for cell in prepared.damaged:
                set_aside(cell)
            _measure(prepared, store, observer)
            _review(prepared, store)
        return Outcome(store.folder, tuple(stored.record for stored in load_records(store.folder)))
    except KeyboardInterrupt as error:  # also a second one, while things were put away
        raise RunInterrupted(store.folder) from error
    except (OutputError, HostFaultError, RecordError) as error:
        raise HostFaultError(_ended_by(error, prepared.plan, store.folder)) from error


def _begin(prepared: Prepared) -> Ownership:
    """Begin a new run: its folder, with `run.json`; and clear what runs that were killed left beside it."""
    try:
        clear_dead_runs(prepared.results)
        owner = new_run(prepared.results)
        try:
            RunStore(owner.folder, owner).save_run(_run_facts(prepared, owner.folder.name))
        except BaseException:
            owner.release()
            clear_dead_runs(prepared.results)
            raise
    except BaseException:
        let_go(prepared)
        raise
    return owner


def _ended_by(error: Exception, plan: Plan, folder: Path) -> str:
    """Say what ended a run, what is safe, and how it goes on."""
    try:
        done = sum(stored.record.complete for stored in load_records(folder))
        safe = f"{done} of {len(plan.cells)} cells are complete in {folder}, and nothing that was measured is lost"
    except (RecordError, OSError):
        safe = f"what was measured is in {folder}, once that can be read again"
    return f"{error}. The run ended here: {safe}. When that is put right, go on with:\n  {resume_command(folder)}"


def resume_command(folder: Path) -> str:
    """Return the command that goes on with a run, as a shell takes it, from the folder that this process is in."""
    return f"harness run --resume {run_name(folder)}"


def run_name(folder: Path) -> str:
    """Return what a run is called in a command, as a shell takes it, from the folder that this process is in."""
    try:
        return folder.name if _is_usual(folder) else shell_path(absolute(folder))
    except UsageError:  # the current folder is gone
        return shell_path(folder)


def _is_usual(folder: Path) -> bool:
    """Whether a run is found by its name alone."""
    try:
        return resolved(find_workspace().results) == resolved(folder.parent)
    except UsageError:  # no workspace, or a folder that cannot be looked at
        return False


def _measure(prepared: Prepared, store: RunStore, observer: Observer) -> None:
    if prepared.farm is not None:
        prepared.farm.carry_out(prepared.plan, store, observer)
    else:
        _run_all(_runners(prepared, store, observer))


def _review(prepared: Prepared, store: RunStore) -> None:
    """Hold the accuracies against each other; where that cannot be done, the records stay as they are.

    Raises:
        HostFaultError: A record cannot be written.
    """
    from harness.bench.review import review  # late: what is not measured needs none of it

    try:
        review(prepared.plan, store)
    except (HarnessError, OSError) as error:
        if is_host_fault(error):
            raise HostFaultError(str(error)) from error


def let_go(prepared: Prepared) -> None:
    """Close what a plan holds: its devices, its farm, the run that it goes on with."""
    if prepared.resumes is not None:
        prepared.resumes.release()
    for station in prepared.stations:
        station.device.close()
    if prepared.farm is not None:
        prepared.farm.close()


def _runners(prepared: Prepared, store: RunStore, observer: Observer) -> list[Runner]:
    from harness.bench.device_wait import DeviceWait
    from harness.bench.run import Runner

    return [
        Runner(
            prepared.plan.of_device(station.device.name),
            engine,
            station.info,
            store,
            observer,
            DeviceWait(station.device, station.info, prepared.request.device_wait),
        )
        for station, engine in zip(prepared.stations, prepared.engines, strict=True)
    ]


def _run_all(runners: list[Runner]) -> None:
    """Run each device's part in a thread of its own; a single one in this thread, where Ctrl-C arrives."""
    if len(runners) == 1:
        runners[0].run()
        return
    stop = threading.Event()
    errors: list[BaseException] = []
    threads = [threading.Thread(target=_run_one, args=(one, stop, errors), daemon=True) for one in runners]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            while thread.is_alive():
                thread.join(0.2)
    except KeyboardInterrupt:
        stop.set()
        raise
    if errors:
        raise errors[0]


def _run_one(runner: Runner, stop: threading.Event, errors: list[BaseException]) -> None:
    """Run one device's part; what ends it ends the others too."""
    try:
        runner.run(stop)
    except BaseException as error:
        errors.append(error)
        stop.set()


def _run_facts(prepared: Prepared, run_id: str) -> RunFacts:
    return RunFacts(
        format=FORMAT,
        run_id=run_id,
        started_at=now(),
        harness_version=__version__,
        command=prepared.request.command,
        seed=prepared.plan.seed,
        request=request_facts(prepared.request),
        plan=_as_json(plan_facts(prepared.plan)),
        environment=describe_environment(),
    )
