"""A run from a request to its folder: prepare (all bad input is found here), carry out, resume."""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

import harness
from harness.bench.engine import Engine
from harness.bench.engines import find_engine
from harness.bench.environment import describe_environment
from harness.bench.plan import Plan, plan_facts
from harness.bench.records import FORMAT, Record, RunFacts, load_records, load_run
from harness.bench.request import Request, request_facts, request_from_facts
from harness.bench.resolve import Station, find_subjects, make_cells
from harness.bench.run import Observer, Runner
from harness.bench.store import RunStore, new_run_folder, now
from harness.drivers.registry import find_devices
from harness.errors import IncomparableError, UsageError
from harness.workspace import ensure_writable, find_workspace


@dataclass(frozen=True)
class Prepared:
    """A plan that can be carried out: everything it needs is there.

    Attributes:
        request: What was asked for.
        plan: The cells.
        stations: The devices, reached.
        engines: What measures on each of them.
        results: Folder for the run, proven to be writable.
        remarks: What the user should know before the figures.
        resumes: The folder of the run that is continued; None for a new one.
    """

    request: Request
    plan: Plan
    stations: tuple[Station, ...]
    engines: tuple[Engine, ...]
    results: Path
    remarks: tuple[str, ...] = ()
    resumes: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """A run that was carried out."""

    folder: Path
    records: tuple[Record, ...]

    @property
    def failed(self) -> bool:
        """Whether a cell failed; one that was skipped or fell back did not."""
        return any(record.status in {"failed", "timeout", "incorrect"} for record in self.records)


def prepare(request: Request) -> Prepared:
    """Find the models, the devices and the data and make the plan.

    Raises:
        UsageError: Anything that is wrong with the request or with what it names.
    """
    workspace = find_workspace(request.workspace)
    results = Path(request.output) if request.output else workspace.results
    subjects, remarks = find_subjects(request, workspace)
    stations = _reach(request, workspace)
    cells = make_cells(request, subjects, stations)
    engines = tuple(find_engine(station, request) for station in stations)
    ensure_writable(results)
    return Prepared(request, Plan(cells, request.settings.seed), stations, engines, results, tuple(remarks))


def _reach(request: Request, workspace: Any) -> tuple[Station, ...]:
    found: dict[str, Station] = {}
    for text in request.devices:
        for profile, device in find_devices(text, workspace):
            if device.name in found:
                raise UsageError(f"device {device.name!r} is named twice")
            found[device.name] = Station(profile, device, device.describe())
    return tuple(found.values())


def prepare_resume(folder: Path) -> Prepared:
    """Prepare to go on with a run that was ended early.

    Raises:
        RecordError: It is not a run.
        IncomparableError: Models, data, settings or environment differ; names what, and both values.
    """
    facts = load_run(folder)
    prepared = prepare(request_from_facts(facts.request, folder / "run.json"))
    _refuse_difference(facts.plan, _as_json(plan_facts(prepared.plan)), "plan")
    _refuse_difference(facts.environment, _as_json(describe_environment()), "environment")
    return replace(prepared, resumes=folder)


def _as_json(facts: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(facts))


def _refuse_difference(stored: Any, present: Any, key: str) -> None:
    """Raise for the first value that differs between what a run was begun with and what there is now."""
    if isinstance(stored, dict) and isinstance(present, dict):
        for name in stored.keys() | present.keys():
            if name != "load_average":
                _refuse_difference(stored.get(name), present.get(name), f"{key}.{name}")
    elif isinstance(stored, list) and isinstance(present, list) and len(stored) == len(present):
        for index, (a, b) in enumerate(zip(stored, present, strict=True)):
            _refuse_difference(a, b, f"{key}[{index}]")
    elif stored != present:
        raise IncomparableError(key, stored, present, "parts of a resumed run")


def carry_out(prepared: Prepared, observer: Observer) -> Outcome:
    """Measure what was prepared; every record is on disk when this returns or is ended from outside."""
    store = RunStore(prepared.resumes or new_run_folder(prepared.results))
    if prepared.resumes is None:
        store.save_run(_run_facts(prepared, store.run_id))
    runners = [
        Runner(
            prepared.plan.of_device(station.device.name),
            engine,
            station.info,
            store,
            observer,
        )
        for station, engine in zip(prepared.stations, prepared.engines, strict=True)
    ]
    try:
        _run_all(runners)
    except BaseException as error:
        # The folder is named in the error's message for Ctrl-C, which ends a run that can be resumed.
        error.harness_run = store.folder  # type: ignore[attr-defined]
        raise
    finally:
        for station in prepared.stations:
            station.device.close()
        store.drop_scratch()
    return Outcome(store.folder, tuple(stored.record for stored in load_records(store.folder)))


def _run_all(runners: list[Runner]) -> None:
    """Run each device's part in a thread of its own; a single one in this thread, where Ctrl-C arrives."""
    if len(runners) == 1:
        runners[0].run()
        return
    stop = threading.Event()
    errors: list[BaseException] = []

    def work(runner: Runner) -> None:
        try:
            runner.run(stop)
        except BaseException as error:
            errors.append(error)
            stop.set()

    threads = [threading.Thread(target=work, args=(runner,), daemon=True) for runner in runners]
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


def _run_facts(prepared: Prepared, run_id: str) -> RunFacts:
    return RunFacts(
        format=FORMAT,
        run_id=run_id,
        started_at=now(),
        harness_version=harness.__version__,
        command=prepared.request.command,
        seed=prepared.plan.seed,
        request=request_facts(prepared.request),
        plan=_as_json(plan_facts(prepared.plan)),
        environment=describe_environment(),
    )
