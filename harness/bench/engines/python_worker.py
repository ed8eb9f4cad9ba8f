"""The engine that runs our own worker, in Python, on the device: it gives every sample."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec

from harness import version
from harness.bench.engines.base import Inferred, OnProgress, ProfiledOperators, Timed
from harness.bench.engines.inputs import prepare_inputs
from harness.bench.engines.operators import parse_summary
from harness.bench.plan import Cell
from harness.delegates import EDGETPU, EXTERNAL, Delegate
from harness.drivers.base import Completed, Device
from harness.errors import DeviceTimeoutError, MeasurementError
from harness.records.records import DelegateFacts, ProcessFacts
from harness.records.samples import load_samples
from harness.records.store import now
from harness.settings import DEFAULT_MIN_RUNS, DEFAULT_MIN_SECONDS
from harness.vocabulary import Status
from harness.worker.jobs import AccuracyJob, Event, Job, LatencyJob, OperatorsJob, dump_job, parse_event
from harness.worker.results import OutputCheck

START_TIMEOUT_S = 60.0
"""For starting the worker and loading the model, on top of the time that the task itself may take."""
SECONDS_PER_IMAGE = 10.0
SHORT_JOB_TIMEOUT_S = 120.0
"""For loading, and for some dozens of inferences of a slow model, none of which is timed."""


@dataclass(frozen=True)
class WorkerResult:
    """What a worker left: its `result.json` and the folder with its other files."""

    facts: dict[str, Any]
    folder: Path
    stderr: str
    duration_s: float


@dataclass(frozen=True)
class PythonWorker:
    """Starts a worker process for every measurement."""

    device: Device

    def time(self, cell: Cell, repetition: int, scratch: Path) -> Timed:
        """Time a cell in a process of its own."""
        started = now()
        inputs = prepare_inputs(cell, scratch.parent)
        job = latency_job(cell, inputs, repetition, scratch)
        result = self.carry_out(job, scratch, timeout_of(job))
        wrong = tuple(result.facts["wrong_outputs"])
        remarks = tuple(filter(None, [result.facts["unchecked"]]))
        facts = ProcessFacts(
            index=repetition,
            started_at=started,
            status=Status.INCORRECT if wrong else Status.OK,
            reasons=wrong or remarks,
            delegate=delegate_facts(cell, result, self.library_in_words(cell.delegate)),
            runtime=result.facts["runtime"],
            init_ns=result.facts["init_ns"],
            first_inference_ns=result.facts["first_inference_ns"],
            peak_memory_bytes=result.facts["peak_memory_bytes"],
            steady_from=result.facts["steady_from"],
            duration_s=result.duration_s,
            telemetry=_telemetry(cell, result.facts),
        )
        return Timed(facts, load_samples(scratch / "samples.npy"))

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> Inferred:
        """Run a cell over its dataset in a process of its own."""
        assert cell.dataset is not None
        job = accuracy_job(cell, scratch)
        timeout_s = timeout_of(job, len(cell.dataset.images))
        result = self.carry_out(job, scratch, timeout_s, on_progress)
        if result.facts["wrong_outputs"]:
            raise MeasurementError("; ".join(result.facts["wrong_outputs"]), status=Status.INCORRECT)
        return Inferred(
            detections=scratch / "detections.json",
            n_images=result.facts["n_images"],
            unreadable=tuple(result.facts["unreadable"]),
            seconds=result.facts["seconds"],
            delegate=delegate_facts(cell, result, self.library_in_words(cell.delegate)),
            runtime=result.facts["runtime"],
        )

    def operators(self, cell: Cell, scratch: Path) -> ProfiledOperators:
        """Record the times of a cell's operators with LiteRT's profiler, which knows no other delegate than the CPU."""
        result = self.carry_out(operators_job(cell, scratch), scratch, SHORT_JOB_TIMEOUT_S)
        found = parse_summary(result.facts["summary"], result.facts["n_inferences"])
        if not found:
            raise MeasurementError(f"the profiler of {result.facts['runtime']} told no operators")
        return ProfiledOperators(found, result.facts["runtime"], result.facts["n_inferences"])

    def check(self, cell: Cell, scratch: Path) -> OutputCheck:
        """Infer in a process of its own and compare; a process that times a cell does the same after it."""
        job = latency_job(cell, prepare_inputs(cell, scratch.parent), 0, scratch)
        job = replace(job, min_runs=1, min_seconds=0.0, max_seconds=0.0, other_model=None)
        facts = self.carry_out(job, scratch, SHORT_JOB_TIMEOUT_S).facts
        return OutputCheck(tuple(facts["wrong_outputs"]), facts["unchecked"])

    def carry_out(
        self, job: Job, scratch: Path, timeout_s: float, on_progress: OnProgress | None = None
    ) -> WorkerResult:
        """Run a job in a process of its own and leave its files in `scratch`.

        Raises:
            MeasurementError: The worker crashed, hung, was refused or reported a failure; says which.
            DeviceError: The device went away.
        """
        return run_worker(self.device, job, scratch, timeout_s, on_progress)

    def library_in_words(self, delegate: Delegate) -> str:
        """Say which library ran, as evidence; nothing for the CPU."""
        return library_in_words(delegate)


def _telemetry(cell: Cell, facts: dict[str, Any]) -> dict[str, Any]:
    """The state of the machine, and how long inferences took right after another model's, where that was asked for."""
    if cell.other is None:
        return dict(facts["telemetry"])
    switched = {"model": cell.other.name, "durations_ns": facts["after_other_ns"]}
    return {**facts["telemetry"], "after_other_model": switched}


def latency_job(cell: Cell, inputs: Path | None, repetition: int, output: Path) -> LatencyJob:
    """The job for one repetition: its share of the runs and seconds asked for."""
    settings = cell.settings
    return LatencyJob(
        model=str(cell.model.file.resolve()),
        delegate=cell.delegate.kind,
        threads=cell.delegate.threads or 1,
        inputs=None if inputs is None else str(inputs),
        min_runs=settings.runs_a_process,
        min_seconds=settings.seconds_a_process,
        max_seconds=settings.patience_s,
        seed=settings.seed + repetition,
        output=str(output),
        memory_limit_mb=settings.memory_limit_mb,
        delegate_library=library_path(cell.delegate),
        delegate_options=cell.delegate.library_options,
        other_model=None if cell.other is None else str(cell.other.file.resolve()),
    )


def accuracy_job(cell: Cell, output: Path) -> AccuracyJob:
    """The job that runs a cell over its dataset; writes the list of images beside it."""
    assert cell.dataset is not None
    images = output / "images.json"
    images.write_text(
        json.dumps([[entry.id, str(entry.path)] for entry in cell.dataset.images]), encoding="utf-8"
    )
    card = cell.model.card
    return AccuracyJob(
        model=str(cell.model.file.resolve()),
        delegate=cell.delegate.kind,
        threads=cell.delegate.threads or 1,
        card=msgspec.to_builtins({"input": card.input, "decoder": card.decoder, "labels": card.labels}),
        images=str(images),
        cores=cell.settings.cores,
        output=str(output),
        memory_limit_mb=cell.settings.memory_limit_mb,
        delegate_library=library_path(cell.delegate),
        delegate_options=cell.delegate.library_options,
    )


def operators_job(cell: Cell, output: Path) -> OperatorsJob:
    """The job that records the operators of a cell.

    Raises:
        MeasurementError: LiteRT's profiler knows no such delegate.
    """
    if not cell.delegate.is_cpu:
        raise MeasurementError(
            f"operator times of {cell.delegate} are not available from LiteRT in Python; give TFLite's benchmark_model "
            "with --benchmark-binary"
        )
    inputs = prepare_inputs(cell, output.parent)
    return OperatorsJob(
        model=str(cell.model.file.resolve()),
        delegate=cell.delegate.kind,
        threads=cell.delegate.threads or 1,
        inputs=None if inputs is None else str(inputs),
        min_runs=DEFAULT_MIN_RUNS,
        min_seconds=DEFAULT_MIN_SECONDS,
        output=str(output),
        memory_limit_mb=cell.settings.memory_limit_mb,
    )


def library_path(delegate: Delegate) -> str | None:
    """The delegate's library: a file of this computer by its whole path, a name for the loader as it is."""
    library = delegate.library
    return str(Path(library).resolve()) if library is not None and Path(library).is_file() else library


def timeout_of(job: Job, n_images: int = 0) -> float:
    """Seconds after which a worker is given up."""
    if isinstance(job, LatencyJob):
        return START_TIMEOUT_S + 2 * job.max_seconds
    return START_TIMEOUT_S + n_images * SECONDS_PER_IMAGE


def run_worker(
    device: Device, job: Job, folder: Path, timeout_s: float, on_progress: OnProgress | None = None
) -> WorkerResult:
    """Run one job in a worker process on a device.

    Raises:
        MeasurementError: The worker crashed, hung, was refused or reported a failure; says which.
        DeviceError: The device went away.
    """
    path = folder / "job.json"
    dump_job(job, path)
    argv = [sys.executable, "-m", "harness.worker", str(path)]
    ended = watch(device.run, argv, _environment(), job, timeout_s, on_progress)
    return read_result(folder, ended)


def watch(
    run: Callable[..., Completed],
    argv: Sequence[str],
    env: Mapping[str, str],
    job: Job,
    timeout_s: float,
    on_progress: OnProgress | None = None,
) -> Completed:
    """Run a worker to its good end, hearing what it tells.

    Args:
        run: `Device.run` of where it runs.
        argv: Its command line.
        env: Added to its environment.
        job: What it is asked to do.
        timeout_s: It is killed after so many seconds.
        on_progress: Told how many images are through.

    Raises:
        MeasurementError: It came to another end; says which.
        DeviceError: The device went away.
    """
    events: dict[str, dict[str, Any]] = {}

    def on_line(line: str) -> None:
        event = parse_event(line)
        if event is None:
            return
        events[event["event"]] = event
        if event["event"] == Event.PROGRESS and on_progress is not None:
            on_progress(event["done"], event["total"])

    try:
        ended = run(argv, timeout_s=timeout_s, on_line=on_line, env=env)
    except DeviceTimeoutError as error:
        raise MeasurementError(str(error), status=Status.TIMEOUT) from error
    _check(ended, events, job)
    return ended


def read_result(folder: Path, ended: Completed) -> WorkerResult:
    """Read what a worker that ended well left.

    Raises:
        MeasurementError: It cannot be read.
    """
    try:
        facts = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MeasurementError(f"the worker ended well but its result cannot be read ({error})") from error
    return WorkerResult(facts, folder, ended.stderr, ended.duration_s)


def _environment() -> dict[str, str]:
    """The worker imports this very package, whatever the working folder holds; NumPy keeps to one thread."""
    package_parent = str(Path(version.__file__).resolve().parent.parent)
    paths = [package_parent, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    return {"PYTHONPATH": os.pathsep.join(paths), "PYTHONSAFEPATH": "1", "OPENBLAS_NUM_THREADS": "1"}


def _check(ended: Completed, events: dict[str, dict[str, Any]], job: Job) -> None:
    if ended.timed_out:
        raise MeasurementError(
            f"the worker gave no result within {ended.duration_s:.0f} s ({_stage(events)}) and was killed",
            status=Status.TIMEOUT,
        )
    if Event.FAILED in events:
        raise MeasurementError(str(events[Event.FAILED].get("message")))
    if ended.exit_code == 0 and Event.FINISHED in events:
        return
    tail = "; ".join(line.strip() for line in ended.stderr.strip().splitlines()[-3:])
    when = f" while {events[Event.STAGE]['text']}" if Event.STAGE in events else ""
    how = how_it_ended(ended.exit_code, job)
    raise MeasurementError(f"the worker {how}{when}{': ' + tail if tail else ''}")


def _stage(events: dict[str, dict[str, Any]]) -> str:
    """Say how far a worker came, by its last words."""
    if Event.STAGE in events:
        return f"while {events[Event.STAGE]['text']}"
    return "after the model was loaded" if Event.LOADED in events else "while the model was being loaded"


def how_it_ended(exit_code: int | None, job: Job) -> str:
    """Say in words how a process ended."""
    if exit_code is None:
        return "was lost before its exit code was known"
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    try:
        name = signal.Signals(-exit_code).name
    except ValueError:
        name = f"signal {-exit_code}"
    hint = ""
    if name == "SIGKILL":
        hint = " (killed from outside; the system does this when memory runs out)"
    elif name == "SIGABRT" and job.memory_limit_mb is not None:
        hint = f" (an allocation may have failed at the limit of {job.memory_limit_mb} MiB)"
    return f"died of {name}{hint}"


def library_in_words(delegate: Delegate) -> str:
    """Say which library of this computer ran, by its hash, and at which clock the Edge TPU; nothing for the CPU."""
    if delegate.kind == EXTERNAL and Path(delegate.library or "").is_file():
        return f"{Path(delegate.library or '').name} sha256:{_hash(Path(delegate.library or ''))}"
    if delegate.kind != EDGETPU:
        return ""
    from harness.drivers.coral.attached import find_library
    from harness.drivers.coral.device import clock_in_words

    library = find_library()
    if library is None:
        return ""
    return f"{library.path} sha256:{_hash(library.path)}, clock: {clock_in_words(library)}"


def _hash(path: Path) -> str:
    from harness.fetch import hash_file

    return hash_file(path)[:16]


def delegate_facts(cell: Cell, result: WorkerResult, *further: str) -> DelegateFacts:
    """What was asked for and what ran, with the interpreter's and the log's evidence."""
    log = [line.strip() for line in result.stderr.splitlines() if "delegate" in line.lower()]
    facts = result.facts
    return DelegateFacts(
        requested=str(cell.delegate),
        actual=facts["actual"],
        delegated_nodes=facts["delegated_nodes"],
        total_nodes=facts["total_nodes"],
        evidence=(*facts["evidence"], *filter(None, further), *dict.fromkeys(log)),
    )
