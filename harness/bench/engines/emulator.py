"""The engine of an emulated chip: a model is compiled for it, and its accuracy is the emulator's. It has no latency."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from harness.bench.engines.base import DatasetInference, OnProgress, ProfiledOperators, TimedProcess
from harness.bench.engines.cell_jobs import accuracy_job
from harness.bench.engines.python_worker import START_TIMEOUT_S
from harness.bench.engines.worker_accuracy import inferred
from harness.bench.engines.worker_process import run_worker
from harness.bench.plan import Cell
from harness.drivers.base import Device, DeviceInfo
from harness.errors import HarnessError, MeasurementError, is_host_fault
from harness.npu.compiler import Compilation, compile_for
from harness.records.records import DelegateFacts
from harness.worker.jobs import COMPILED, SOC
from harness.worker.results import AccuracyResult, Execution, OutputCheck

SECONDS_PER_IMAGE = 120.0
"""A YOLO at 640 pixels takes seconds, and the computer may be busy."""
NO_TIMES = "an emulator computes what a chip computes, and not in its time: it has no latency"


@dataclass(frozen=True)
class EmulatorEngine:
    """Compiles each model for the chip, and runs it in a process of its own, which is for this chip alone."""

    device: Device
    info: DeviceInfo

    def time(self, cell: Cell, repetition: int, scratch: Path) -> TimedProcess:
        """Refuse: there are no times.

        Raises:
            MeasurementError: In any case.
        """
        raise MeasurementError(NO_TIMES)

    def operators(self, cell: Cell, scratch: Path) -> ProfiledOperators:
        """Refuse: there are no times.

        Raises:
            MeasurementError: In any case.
        """
        raise MeasurementError(NO_TIMES)

    def check(self, cell: Cell, scratch: Path) -> OutputCheck:
        """Compare nothing: an NPU's integers differ from the CPU's by nature."""
        return OutputCheck(remark=NO_TIMES)

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> DatasetInference:
        """Compile the model and run the compiled partitions over the dataset, on all cores."""
        assert cell.dataset is not None
        file = scratch / "compiled.tflite"
        compilation = self._compile(cell, file)
        options = {COMPILED: str(file), SOC: compilation.soc}
        job = replace(accuracy_job(cell, scratch), delegate_options=options)
        timeout_s = START_TIMEOUT_S + len(cell.dataset.images) * SECONDS_PER_IMAGE
        answer = run_worker(self.device, job, AccuracyResult, scratch, timeout_s, on_progress)
        result, facts = answer.result, _facts(cell, compilation, answer.result.execution)
        return inferred(result, scratch, facts, compilation.compiler, result.check.remark)

    def _compile(self, cell: Cell, file: Path) -> Compilation:
        """Compile a cell's model.

        Raises:
            MeasurementError: The compiler gave none, or no partition; with the reason and what helps.
        """
        try:
            found = compile_for(cell.model.file, self.info.soc or "", file)
        except HarnessError as error:
            if is_host_fault(error):
                raise
            raise MeasurementError(str(error)) from error
        if found.problem is not None:
            remedy = next((one.remedy for one in found.refused if one.remedy), None)
            raise MeasurementError(f"{found.problem}{f': {remedy}' if remedy else ''}")
        return found


def _facts(cell: Cell, compilation: Compilation, execution: Execution) -> DelegateFacts:
    return DelegateFacts(
        requested=str(cell.delegate),
        actual=execution.actual,
        delegated_nodes=compilation.taken,
        total_nodes=compilation.operators,
        evidence=(*_in_words(compilation), *execution.evidence),
        hardware=f"{compilation.soc}, emulated",
        software=True,
        partitions=compilation.partitions,
    )


def _in_words(found: Compilation) -> list[str]:
    """Say what the NPU takes, as evidence."""
    left = Counter(one.operator for one in found.refused).most_common()
    names = ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in left)
    return [
        *([f"left to the CPU: {names}"] if names else []),
        f"{found.compiler} compiled {found.taken} of {found.operators} operators for {found.soc}, in "
        f"{found.partitions} partition(s)",
    ]
