"""The engine that runs our own worker, in Python, on the device: it gives every sample."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from harness.bench.engines import openvino_log
from harness.bench.engines.base import DatasetInference, OnProgress, ProfiledOperators, TimedProcess
from harness.bench.engines.cell_jobs import accuracy_job, latency_job, operators_job
from harness.bench.engines.gpu_log import GpuLog, judge, read_gpu_log
from harness.bench.engines.inputs import prepare_inputs
from harness.bench.engines.openvino_log import OpenVinoLog, read_openvino_log
from harness.bench.engines.operators import parse_summary
from harness.bench.engines.worker_accuracy import inferred
from harness.bench.engines.worker_process import R, WorkerAnswer, run_worker
from harness.bench.plan import Cell
from harness.delegates import EDGETPU, EXTERNAL, GPU, NPU, Delegate
from harness.drivers.base import Device
from harness.errors import MeasurementError
from harness.hashing import hash_file
from harness.paths import is_file
from harness.records.records import DelegateFacts, ProcessFacts
from harness.records.samples import load_samples, watched_s
from harness.records.store import now
from harness.records.telemetry import AfterOtherModel, MachineState, Telemetry
from harness.vocabulary import Status
from harness.worker.jobs import AccuracyJob, Job
from harness.worker.results import (
    AccuracyResult,
    Execution,
    LatencyResult,
    MachineReading,
    OperatorsResult,
    OutputCheck,
)

START_TIMEOUT_S = 60.0
"""For starting the worker and loading the model, on top of the time that the task itself may take."""
SECONDS_PER_IMAGE = 10.0
SHORT_JOB_TIMEOUT_S = 120.0
"""For loading, and for some dozens of inferences of a slow model, none of which is timed."""


@dataclass(frozen=True)
class PythonWorker:
    """Starts a worker process for every measurement."""

    device: Device

    def time(self, cell: Cell, repetition: int, scratch: Path) -> TimedProcess:
        """Time a cell in a process of its own."""
        started = now()
        job = latency_job(cell, prepare_inputs(cell, scratch.parent), repetition, scratch)
        limit_s = START_TIMEOUT_S + 2 * max(job.max_seconds, job.watch_seconds)
        answer = self.carry_out(job, LatencyResult, scratch, limit_s)
        result = answer.result
        samples = load_samples(scratch / "samples.npy")
        remarks = tuple(filter(None, [result.check.remark, result.after_other_problem]))
        facts = ProcessFacts(
            index=repetition,
            started_at=started,
            status=Status.INCORRECT if result.check.wrong else Status.OK,
            reasons=result.check.wrong or remarks,
            delegate=self._delegate_facts(cell, result.execution, answer.stderr),
            runtime=result.runtime,
            init_ns=result.init_ns,
            first_inference_ns=result.first_inference_ns,
            peak_memory_bytes=result.peak_memory_bytes,
            steady_from=result.steady_from,
            duration_s=answer.duration_s,
            watched_s=watched_s(samples),
            telemetry=_telemetry(cell, result),
        )
        return TimedProcess(facts, samples)

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> DatasetInference:
        """Run a cell over its dataset in a process of its own."""
        assert cell.dataset is not None
        timeout_s = START_TIMEOUT_S + len(cell.dataset.images) * SECONDS_PER_IMAGE
        answer = self.carry_out_accuracy(accuracy_job(cell, scratch), scratch, timeout_s, on_progress)
        delegate = self._delegate_facts(cell, answer.result.execution, answer.stderr)
        return inferred(answer.result, scratch, delegate)

    def operators(self, cell: Cell, scratch: Path) -> ProfiledOperators:
        """Record the times of a cell's operators with LiteRT's profiler, which knows no other delegate than the CPU."""
        job = operators_job(cell, scratch)
        result = self.carry_out(job, OperatorsResult, scratch, SHORT_JOB_TIMEOUT_S).result
        found = parse_summary(result.summary, result.n_inferences)
        if not found:
            raise MeasurementError(f"the profiler of {result.runtime} told no operators")
        return ProfiledOperators(found, result.runtime, result.n_inferences)

    def check(self, cell: Cell, scratch: Path) -> OutputCheck:
        """Infer in a process of its own and compare; a process that times a cell does the same after it."""
        job = latency_job(cell, prepare_inputs(cell, scratch.parent), 0, scratch)
        job = replace(job, min_runs=1, min_seconds=0.0, max_seconds=0.0, watch_seconds=0.0, other_model=None)
        return self.carry_out(job, LatencyResult, scratch, SHORT_JOB_TIMEOUT_S).result.check

    def carry_out(
        self,
        job: Job,
        kind: type[R],
        scratch: Path,
        timeout_s: float,
        on_progress: OnProgress | None = None,
    ) -> WorkerAnswer[R]:
        """Run a job in a process of its own and leave its files in `scratch`.

        Raises:
            MeasurementError: The worker crashed, hung, was refused or reported a failure; says which.
            DeviceError: The device went away.
        """
        return run_worker(self.device, job, kind, scratch, timeout_s, on_progress)

    def carry_out_accuracy(
        self, job: AccuracyJob, scratch: Path, timeout_s: float, on_progress: OnProgress
    ) -> WorkerAnswer[AccuracyResult]:
        """Run an accuracy job, whose images lie where the device finds them; errors as for `carry_out`."""
        return self.carry_out(job, AccuracyResult, scratch, timeout_s, on_progress)

    def library_in_words(self, delegate: Delegate) -> str:
        """Say which library ran, as evidence; nothing for the CPU."""
        return library_in_words(delegate)

    def _delegate_facts(self, cell: Cell, execution: Execution, stderr: str) -> DelegateFacts:
        """Return what was asked for and what ran, with the interpreter's and the log's evidence."""
        if cell.delegate.kind == GPU:
            return _gpu_facts(cell.delegate, execution, read_gpu_log(stderr))
        if cell.delegate.kind == NPU:
            return _npu_facts(cell.delegate, execution, read_openvino_log(stderr))
        log = [line.strip() for line in stderr.splitlines() if "delegate" in line.lower()]
        library = filter(None, [self.library_in_words(cell.delegate)])
        return DelegateFacts(
            requested=str(cell.delegate),
            actual=execution.actual,
            delegated_nodes=execution.delegated_nodes,
            total_nodes=execution.total_nodes,
            evidence=(*execution.evidence, *library, *dict.fromkeys(log)),
        )


def _gpu_facts(delegate: Delegate, execution: Execution, log: GpuLog) -> DelegateFacts:
    ran = judge(execution, log)
    return DelegateFacts(
        requested=str(delegate),
        actual=ran.actual,
        delegated_nodes=ran.delegated_nodes,
        total_nodes=ran.total_nodes,
        evidence=ran.evidence,
        hardware=log.adapter,
        software=log.software,
    )


def _npu_facts(delegate: Delegate, execution: Execution, log: OpenVinoLog) -> DelegateFacts:
    ran = openvino_log.judge(execution, log)
    return DelegateFacts(
        requested=str(delegate),
        actual=ran.actual,
        delegated_nodes=ran.delegated_nodes,
        total_nodes=ran.total_nodes,
        evidence=ran.evidence,
        hardware=None if log.device is None else f"OpenVINO {log.device}",
    )


def _telemetry(cell: Cell, result: LatencyResult) -> Telemetry:
    """Return the machine around a process, and its inferences right after another model's where it has one."""
    machine, switched = result.telemetry, None
    if cell.other is not None and result.after_other_ns:
        switched = AfterOtherModel(model=cell.other.name, durations_ns=result.after_other_ns)
    return Telemetry(
        before=_state(machine.before),
        other_load=machine.other_load,
        after=_state(machine.after),
        governor=machine.governor,
        on_battery=machine.on_battery,
        after_other_model=switched,
    )


def _state(reading: MachineReading) -> MachineState:
    return MachineState(
        probe_ns=reading.probe_ns,
        mhz=reading.mhz,
        celsius=reading.celsius,
        firmware_flags=reading.firmware_flags,
    )


def library_in_words(delegate: Delegate) -> str:
    """Say which library of this computer ran, by its hash, and at which clock the Edge TPU; nothing for the CPU."""
    if delegate.kind == EXTERNAL and is_file(Path(delegate.library or "")):
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
    return hash_file(path)[:16]
