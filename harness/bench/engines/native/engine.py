"""The engine that measures with TFLite's native benchmark_model, on any device.

The tool keeps its samples to itself, so the summary of each process is one sample of the cell. A warm cell takes two
round trips, a push that finds everything there and one run; a cold one adds the probe of the tool.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path

import msgspec
import numpy as np

from harness import atomic
from harness.bench.engines.base import DatasetInference, OnProgress, ProfiledOperators, TimedProcess
from harness.bench.engines.inputs import prepare_inputs
from harness.bench.engines.native import batches, evaluation
from harness.bench.engines.native.check import wrong_outputs
from harness.bench.engines.native.tool import (
    GRAPH,
    OPERATORS,
    RESULT,
    NativeTool,
    ToolRun,
    delegate_facts,
)
from harness.bench.engines.operators import from_tool
from harness.bench.plan import Cell
from harness.delegates import CPU, Delegate
from harness.drivers.benchmark_tool.binaries import Tool
from harness.drivers.benchmark_tool.facts import Statistics, ToolOutput
from harness.drivers.benchmark_tool.flags import Command, Outputs, Runs
from harness.drivers.benchmark_tool.library_versions import mixed_versions
from harness.drivers.benchmark_tool.truth import Truth, judge
from harness.errors import MeasurementError
from harness.paths import exists
from harness.records.records import ProcessFacts, SummaryFacts
from harness.settings import LEAST_PATIENCE_S, Settings
from harness.vocabulary import MEASURED, Status
from harness.worker.results import OutputCheck

PLAIN = Command("tflite", "", Delegate(CPU), outputs=Outputs(result=RESULT, graph=GRAPH))


@dataclass
class NativeEngine:
    """Measures cells with benchmark_model.

    Attributes:
        tool: benchmark_model on the device.
        eval_tool: eval_coco_object_detection, for the accuracy of models that it can take; None to use none.
    """

    tool: NativeTool
    eval_tool: Tool | None = None
    _checked: dict[tuple[str, Delegate, str], OutputCheck] = field(default_factory=dict)

    @property
    def runtime(self) -> str:
        """What stands in the column `runtime`, once the tool was probed."""
        return self.tool.runtime

    def time(self, cell: Cell, repetition: int, scratch: Path) -> TimedProcess:
        """Time a cell in one process of the tool.

        Raises:
            MeasurementError: The tool cannot be asked for this delegate.
            DeviceError: The device went away, or has no room.
        """
        _refuse_what_needs_samples(cell)
        if cell.settings.sustained is not None and not repetition:
            self._check_ahead(cell, scratch)
        started = _time_of_day()
        run = self._run(cell, scratch, replace(PLAIN, runs=_runs(cell.settings)))
        truth = judge(cell.delegate, run.output, run.report.missing)
        facts = _process_facts(self.tool, cell, _with_median(truth, run.output), run)
        facts = replace_facts(facts, index=repetition, started_at=started, runtime=self.runtime)
        if facts.status in MEASURED:
            facts = _with_check(facts, self.check(cell, scratch))
        return TimedProcess(facts)

    def _check_ahead(self, cell: Cell, scratch: Path) -> None:
        """Check the outputs before a sustained load, which nothing may interrupt; what fails here shows again there."""
        with contextlib.suppress(MeasurementError):
            self.check(cell, scratch)

    def operators(self, cell: Cell, scratch: Path) -> ProfiledOperators:
        """Run the tool once with its operator profiler, which slows it down.

        Raises:
            MeasurementError: The tool cannot be asked for this delegate, or has no profiler.
            DeviceError: The device went away, or has no room.
        """
        outputs = replace(PLAIN.outputs, profile=OPERATORS)
        output = self._run(cell, scratch, replace(PLAIN, runs=Runs(), outputs=outputs)).output
        if output.status != Status.OK:
            raise MeasurementError("; ".join(output.reasons), status=output.status)
        if not output.profile:
            raise MeasurementError(f"{self.runtime} told no operators: it may be built without a profiler")
        n = None if output.steady is None else output.steady.count
        return ProfiledOperators(tuple(map(from_tool, output.profile)), self.runtime, n)

    def _run(self, cell: Cell, scratch: Path, plain: Command) -> ToolRun:
        """Run the tool once on a cell, fed with an image where it can be."""
        return self.tool.run(cell, plain, write_one_image(cell, scratch))

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> DatasetInference:
        """Run a cell over its dataset, an image a process, a batch a round trip.

        Raises:
            MeasurementError: The delegate did not run, or its outputs are wrong.
            DeviceError: The device went away, or has no room.
        """
        wrong = self.check(cell, scratch).wrong
        if wrong:
            raise MeasurementError("; ".join(wrong), status=Status.INCORRECT)
        if self.eval_tool is not None and evaluation.why_not(cell) is None:
            return evaluation.infer(self.tool, self.eval_tool, cell, scratch, on_progress)
        return batches.infer(self.tool, cell, scratch, on_progress)

    def check(self, cell: Cell, scratch: Path) -> OutputCheck:
        """Hold the outputs of an accelerator, or of several CPU threads, against one CPU thread's, once a cell.

        Raises:
            MeasurementError: The delegate did not run on the images, or the tool failed.
            DeviceError: The device went away.
        """
        if cell.dataset is None or (cell.delegate.is_cpu and (cell.delegate.threads or 1) == 1):
            return OutputCheck()
        if cell.facts.edgetpu:
            return _unchecked("no CPU runs a model that is compiled for the Edge TPU")
        unfed = self.tool.why_unfed(cell)
        if unfed is not None:
            return _unchecked(f"{self.runtime} cannot be fed images of this model: {unfed}")
        # An engine of a farm's host outlives a run, and cells of two runs may share an id.
        key = (cell.facts.sha256, cell.delegate, str(cell.model.card))
        if key not in self._checked:
            self._checked[key] = OutputCheck(wrong_outputs(self.tool, cell, scratch))
        return self._checked[key]


def _unchecked(why: str) -> OutputCheck:
    return OutputCheck(remark=f"its outputs were not held against the CPU's: {why}")


def _with_check(facts: ProcessFacts, check: OutputCheck) -> ProcessFacts:
    """Say of a process what its cell's outputs gave."""
    if check.wrong:
        return replace_facts(facts, status=Status.INCORRECT, reasons=check.wrong)
    remarks = filter(None, [check.remark])
    return replace_facts(facts, reasons=(*facts.reasons, *remarks))


def write_one_image(cell: Cell, scratch: Path) -> Path | None:
    """Write one prepared image as raw bytes; None where the model takes none (the tool then feeds noise)."""
    images = prepare_inputs(cell, scratch.parent) if len(cell.facts.inputs) == 1 else None
    if images is None:
        return None
    path = images.with_suffix(".bin")
    if not exists(path):
        atomic.write_bytes(path, np.load(images, allow_pickle=False)[0].tobytes())
    return path


def _refuse_what_needs_samples(cell: Cell) -> None:
    """Refuse what the plan did not: `harness.bench.skips` says it before the run."""
    if cell.settings.mlperf or cell.settings.switch_models:
        name = "--mlperf" if cell.settings.mlperf else "--switch-models"
        raise MeasurementError(f"{name}: benchmark_model keeps its samples to itself: leave it out")


def _runs(settings: Settings) -> Runs:
    """Return how long one process measures; of a sustained load it is one of many."""
    if settings.sustained is None:
        return Runs(settings.runs_a_process, settings.seconds_a_process, settings.patience_s)
    burst = settings.seconds_a_burst
    return Runs(1, burst, max(LEAST_PATIENCE_S, 3 * burst), warm_up_seconds=0.0)


def _time_of_day() -> str:
    """The present time as ISO 8601 in UTC, finely enough to put processes of a second in order."""
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def replace_facts(facts: ProcessFacts, **changes: object) -> ProcessFacts:
    """Return facts with some replaced."""
    return msgspec.structs.replace(facts, **changes)


def _process_facts(tool: NativeTool, cell: Cell, truth: Truth, run: ToolRun) -> ProcessFacts:
    output, delegate = run.output, delegate_facts(tool, cell, truth)
    mixed = filter(None, [mixed_versions(delegate.libraries)])
    return ProcessFacts(
        index=0,
        started_at="",
        status=truth.status,
        reasons=(*truth.reasons, *output.notes, *_noise(run, truth), *mixed),
        delegate=delegate,
        init_ns=output.init_ns,
        first_inference_ns=output.first_ns,
        peak_memory_bytes=None if output.memory.peak_mb is None else round(output.memory.peak_mb * 2**20),
        summary=None if truth.status == Status.FAILED else _summary_facts(output.steady),
        duration_s=run.duration_s,
        watched_s=_watched_s(output.steady),
        telemetry=run.report.telemetry,
    )


def _watched_s(steady: Statistics | None) -> float | None:
    """Return the seconds of the inferences that the tool counts, which come after a warm-up of its own."""
    return None if steady is None else steady.count * steady.mean_ns / 1e9


def _noise(run: ToolRun, truth: Truth) -> tuple[str, ...]:
    measured = run.noise and truth.status in MEASURED
    return (f"timed on the tool's own random inputs: {run.noise}",) if measured else ()


def _with_median(truth: Truth, output: ToolOutput) -> Truth:
    """Refuse a process without the median it is known by, which versions before 2023 do not print."""
    if truth.status not in MEASURED or output.steady is None or output.steady.median_ns is not None:
        return truth
    reason = "this benchmark_model prints no median: use one whose lines of statistics hold median="
    return replace(truth, status=Status.FAILED, reasons=(reason,))


def _summary_facts(steady: Statistics | None) -> SummaryFacts | None:
    if steady is None:
        return None
    names = ("count", "mean_ns", "std_ns", "min_ns", "max_ns", "median_ns", "p5_ns", "p95_ns", "first_ns")
    return SummaryFacts(**{name: getattr(steady, name) for name in names})
