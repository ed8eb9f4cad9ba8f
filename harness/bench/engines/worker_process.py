"""One process of our worker: started, heard while it works, and its result read and checked."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

from harness.bench.engines import prepared
from harness.bench.engines.base import OnProgress
from harness.bench.engines.gpu_log import why_refused
from harness.child_process import environment, parse_event
from harness.delegates import GPU
from harness.drivers.base import Completed, Device, OnLine
from harness.drivers.local import LocalDevice
from harness.errors import DeviceError, DeviceTimeoutError, HostFaultError, MeasurementError
from harness.schema import look_into
from harness.vocabulary import Status
from harness.worker import results
from harness.worker.events import (
    EVENTS,
    Event,
    Failed,
    Finished,
    HostFault,
    ModelLoaded,
    Progress,
    Stage,
)
from harness.worker.jobs import Job, dump_job
from harness.worker.parent import PARENT
from harness.worker.results import AccuracyResult, LatencyResult, OperatorsResult, PreparationsResult

R = TypeVar("R", LatencyResult, AccuracyResult, OperatorsResult, PreparationsResult)

_ENDED_BY_SOMEBODY = frozenset(
    getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name)
)
"""Signals that end a process on request, as when a computer is shut down: they say nothing of the model."""

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1"}
"""Keeps NumPy to one thread beside the runtime's own."""

look_into(LatencyResult, AccuracyResult, OperatorsResult, PreparationsResult, *EVENTS.values())


@dataclass(frozen=True)
class WorkerAnswer(Generic[R]):
    """What a worker that ended well left, besides its other files.

    Attributes:
        result: What its job gave.
        stderr: What the runtime and the delegate's library printed.
        duration_s: Wall time of the process.
    """

    result: R
    stderr: str
    duration_s: float


def run_worker(
    device: Device,
    job: Job,
    kind: type[R],
    folder: Path,
    timeout_s: float,
    on_progress: OnProgress | None = None,
) -> WorkerAnswer[R]:
    """Run one job in a worker process on a device that shares this computer's files.

    Args:
        device: Where it runs.
        job: What it is asked to do; its output is `folder`.
        kind: What it answers.
        folder: For the job, the result and its other files.
        timeout_s: It is killed after so many seconds.
        on_progress: Called with the images that are through.

    Raises:
        MeasurementError: The worker crashed, hung, was refused or reported a failure; says which.
        DeviceError: The device went away.
        HostFaultError: The computer that it ran on fails.
        OutputError: The job cannot be written.
    """
    path = folder / "job.json"
    dump_job(job, path)
    argv = [sys.executable, "-m", "harness.worker", str(path)]
    variables = {**environment(), **ONE_THREAD, PARENT: str(os.getpid())}
    start = partial(_fork, device, path, job.kind) if isinstance(device, LocalDevice) else device.run
    ended = watch(start, argv, variables, job, timeout_s, on_progress)
    return read_answer(folder, kind, ended)


def workers_ready(devices: Iterable[Device]) -> AbstractContextManager[None]:
    """Have what workers need loaded once for all of a run's, where one of its devices is this computer."""
    if not any(isinstance(device, LocalDevice) for device in devices):
        return nullcontext()
    return prepared.ready(_all_variables({**environment(), **ONE_THREAD}))


def _fork(
    device: Device,
    job: Path,
    kind: str,
    argv: Sequence[str],
    *,
    timeout_s: float,
    on_line: OnLine | None = None,
    env: Mapping[str, str] | None = None,
) -> Completed:
    """Run a worker as `device.run` does, forked by the process that has loaded the runtime where there is one."""
    try:
        ended = prepared.run(argv, job, kind, _all_variables(env or {}), timeout_s, on_line)
    except prepared.NotPreparedError:
        return device.run(argv, timeout_s=timeout_s, on_line=on_line, env=env)
    if ended.exit_code is None:
        raise DeviceError(
            device.name, "the process that starts workers has died, and the worker with it", argv
        )
    return ended


def _all_variables(more: Mapping[str, str]) -> dict[str, str]:
    return {**os.environ, **more}


def watch(
    run: Callable[..., Completed],
    argv: Sequence[str],
    env: Mapping[str, str],
    job: Job,
    timeout_s: float,
    on_progress: OnProgress | None = None,
) -> Completed:
    """Run a worker to its good end, listening to its events.

    Args:
        run: `Device.run` of where it runs.
        argv: Its command line.
        env: Added to its environment.
        job: What it is asked to do.
        timeout_s: It is killed after so many seconds.
        on_progress: Called with the images that are through.

    Raises:
        MeasurementError: It came to another end; says which.
        DeviceError: The device went away.
        HostFaultError: The computer that it ran on fails.
    """
    listener = _Listener(on_progress)
    try:
        ended = run(argv, timeout_s=timeout_s, on_line=listener.on_line, env=env)
    except DeviceTimeoutError as error:
        raise MeasurementError(str(error), status=Status.TIMEOUT) from error
    _check_end(ended, listener, job)
    return ended


def read_event(line: str) -> Event | None:
    """Return the event on a line of a worker's output; None for anything else, since a runtime may print there too."""
    facts = parse_event(line)
    kind = None if facts is None else EVENTS.get(str(facts["event"]))
    try:
        return None if kind is None else msgspec.convert(facts, kind)
    except msgspec.ValidationError:
        return None


def read_answer(folder: Path, kind: type[R], ended: Completed) -> WorkerAnswer[R]:
    """Read what a worker that ended well left.

    Raises:
        MeasurementError: It is not there, or does not fit; names the key.
    """
    try:
        result = msgspec.json.decode((folder / results.FILE).read_bytes(), type=kind)
    except (OSError, ValueError) as error:
        raise MeasurementError(f"the worker ended well but its result cannot be read ({error})") from error
    return WorkerAnswer(result, ended.stderr, ended.duration_s)


class _Listener:
    """Remembers how far a worker came."""

    def __init__(self, on_progress: OnProgress | None) -> None:
        self.stage, self.failure, self.host_fault = "", "", ""
        self.loaded, self.finished = False, False
        self._on_progress = on_progress

    def on_line(self, line: str) -> None:
        match read_event(line):
            case Stage(text):
                self.stage = text
            case Failed(message):
                self.failure = message
            case HostFault(message):
                self.host_fault = message
            case ModelLoaded():
                self.loaded = True
            case Finished():
                self.finished = True
            case Progress(done, total) if self._on_progress is not None:
                self._on_progress(done, total)

    def how_far(self) -> str:
        """Say how far it came, by its last words."""
        if self.stage:
            return f"while {self.stage}"
        return "after the model was loaded" if self.loaded else "while the model was being loaded"


def _check_end(ended: Completed, listener: _Listener, job: Job) -> None:
    """Raise what kept a worker from its good end."""
    if ended.timed_out:
        raise MeasurementError(
            f"the worker gave no result within {ended.duration_s:.0f} s ({listener.how_far()}) and was killed",
            status=Status.TIMEOUT,
        )
    if listener.host_fault:
        raise HostFaultError(listener.host_fault)
    if listener.failure:
        raise MeasurementError(_why(ended, listener, job))
    if ended.exit_code == 0 and listener.finished:
        return
    tail = "; ".join(line.strip() for line in ended.stderr.strip().splitlines()[-3:])
    when = f" while {listener.stage}" if listener.stage else ""
    how = how_it_ended(ended.exit_code, job)
    said = f"the worker {how}{when}{': ' + tail if tail else ''}"
    raise MeasurementError(said, may_pass=ended.signal in _ENDED_BY_SOMEBODY)


def _why(ended: Completed, listener: _Listener, job: Job) -> str:
    """Return the failure in the worker's words, behind what the GPU's log tells of it."""
    refused = why_refused(ended.stderr) if job.delegate == GPU else None
    return listener.failure if refused is None else f"{refused}; {listener.failure}"


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
