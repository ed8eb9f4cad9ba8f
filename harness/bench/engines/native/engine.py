"""The engine that measures with TFLite's native benchmark_model, on any device.

The tool keeps its samples to itself, so the summary of each process is one sample of the cell. A warm cell takes two
round trips, a push that finds everything there and one run; a cold one adds the probe of the tool.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from harness import atomic
from harness.bench.engines.base import Inferred, OnProgress, Timed
from harness.bench.engines.inputs import prepare_inputs
from harness.bench.engines.native import batches as native_batches
from harness.bench.engines.native import check as native_check
from harness.bench.engines.native import evaluation as native_eval
from harness.bench.engines.native.scripts import CLEAN, NO_FOLDER, ONE_RUN, PROBE, Told, new_token, read_told
from harness.bench.plan import Cell
from harness.delegates import Delegate
from harness.drivers.base import Completed, Device
from harness.drivers.benchmark_tool import binaries, text_log
from harness.drivers.benchmark_tool.binaries import Tool
from harness.drivers.benchmark_tool.facts import Flavour, Statistics, ToolOutput
from harness.drivers.benchmark_tool.flags import Command, Input, Libraries, Outputs, Runs
from harness.drivers.benchmark_tool.parse import parse
from harness.drivers.benchmark_tool.truth import Truth, judge
from harness.errors import MeasurementError, UsageError
from harness.records.records import DelegateFacts, ProcessFacts, SummaryFacts
from harness.records.store import now
from harness.vocabulary import MEASURED, Status

START_TIMEOUT_S = 120.0
"""For loading, and for the compilation of the graph that some accelerators begin with."""
PROBE_TIMEOUT_S = 60.0
_RESULT, _GRAPH, _OPERATORS, _INPUT = "result.pb", "graph.pb", "operators.pb", "in.bin"


@dataclass(frozen=True)
class Bench:
    """What the probe of a tool on a device found: where to work, and which of the two programs it is."""

    folder: str
    flavour: Flavour


@dataclass(frozen=True)
class Placed:
    """Files as the device calls them."""

    tool: str
    model: str
    libraries: tuple[str, ...]
    further: tuple[str, ...] = ()


@dataclass
class NativeEngine:
    """Measures cells with benchmark_model.

    Attributes:
        device: Where it runs.
        tool: The program and the libraries that delegates need.
        cpu_mask: CPUs to run on, as `taskset` takes it (hexadecimal); None for all.
        eval_tool: eval_coco_object_detection, for the accuracy of models that it can take; None to use none.
    """

    device: Device
    tool: Tool
    cpu_mask: str | None = None
    eval_tool: Tool | None = None
    _bench: Bench | None = None
    _checked: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def time(self, cell: Cell, repetition: int, scratch: Path) -> Timed:
        """Time a cell in one process of the tool.

        Raises:
            MeasurementError: The tool cannot be asked for this delegate.
            DeviceError: The device went away, or has no room.
        """
        _refuse_what_needs_samples(cell)
        started, settings = now(), cell.settings
        runs = Runs(settings.runs_a_process, settings.seconds_a_process, settings.patience_s)
        output, told, ended = self._use_tool(cell, scratch, replace(_PLAIN, runs=runs))
        truth = judge(cell.delegate, output, told.missing)
        facts = _process_facts(cell, _with_median(truth, output), output, told, ended)
        facts = replace_facts(facts, index=repetition, started_at=started, runtime=self.runtime)
        if facts.status in MEASURED:
            facts = self._with_check(cell, facts, scratch)
        return Timed(facts)

    def profile(self, cell: Cell, scratch: Path) -> ToolOutput:
        """Run the tool once with its operator profiler, which slows it down.

        Raises:
            MeasurementError: The tool cannot be asked for this delegate.
            DeviceError: The device went away, or has no room.
        """
        outputs = replace(_PLAIN.outputs, profile=_OPERATORS)
        return self._use_tool(cell, scratch, replace(_PLAIN, runs=Runs(), outputs=outputs))[0]

    def _use_tool(self, cell: Cell, scratch: Path, plain: Command) -> tuple[ToolOutput, Told, Completed]:
        """Run the tool once on a cell, fed with an image where it can be."""
        feed = self._feed(cell, scratch)
        placed = self.place(cell, [feed] if feed else [])
        bench = self.bench(placed.tool)
        inputs = self.named_inputs(cell, bench) if feed else ()
        token = new_token()
        command = self.command(cell, placed, bench, token, replace(plain, inputs=inputs))
        source = placed.further[0] if feed else ""
        ended = self._run_once(cell, placed, command, (token, source), plain.runs)
        return *self._read(ended, token), ended

    def infer(self, cell: Cell, scratch: Path, on_progress: OnProgress) -> Inferred:
        """Run a cell over its dataset, an image a process, a batch a round trip.

        Raises:
            MeasurementError: The delegate did not run, or its outputs are wrong.
            DeviceError: The device went away, or has no room.
        """
        wrong = self._checked_outputs(cell, scratch)
        if wrong:
            raise MeasurementError("; ".join(wrong), status=Status.INCORRECT)
        if self.eval_tool is not None and native_eval.why_not(cell) is None:
            return native_eval.infer(self, self.eval_tool, cell, scratch, on_progress)
        return native_batches.infer(self, cell, scratch, on_progress)

    def bench(self, tool: str) -> Bench:
        """Look once where to work on the device, and ask the tool what it is.

        Raises:
            MeasurementError: The tool cannot be started there, or is neither of the two.
        """
        if self._bench is None:
            ended = self.device.run(["sh", "-c", PROBE, "sh", tool], timeout_s=PROBE_TIMEOUT_S)
            self._bench = _read_probe(ended, self.tool)
        return self._bench

    @property
    def runtime(self) -> str:
        """What stands in the column `runtime`, once the tool was probed."""
        return (
            self.tool.describe(self._bench.flavour)
            if self._bench
            else f"benchmark_model {self.tool.sha256[:16]}"
        )

    def work_folder(self, token: str) -> str:
        """Return the folder of one run on the device; the tool must have been probed."""
        assert self._bench is not None
        return work_folder(self._bench, token)

    def clean(self, token: str) -> None:
        """Remove the folder of a run."""
        if self._bench is not None:
            self.device.run(["sh", "-c", CLEAN, "sh", self.work_folder(token)], timeout_s=PROBE_TIMEOUT_S)

    def place(self, cell: Cell, further: list[Path]) -> Placed:
        """Make the tool, the model and all it takes available on the device, in one push."""
        libraries = self._libraries(cell.delegate)
        files = [self.tool.file, cell.model.file.resolve(), *libraries, *further]
        paths = self.device.push(files)
        split = 2 + len(libraries)
        return Placed(paths[0], paths[1], tuple(paths[2:split]), tuple(paths[split:]))

    def _libraries(self, delegate: Delegate) -> tuple[Path, ...]:
        lacking = binaries.missing_libraries(self.tool, delegate.kind)
        if lacking:
            raise MeasurementError(
                f"{delegate} needs {', '.join(lacking)}: put them beside {self.tool.file.name}, the file given with "
                "--benchmark-binary"
            )
        path = delegate.option("path")
        own = (Path(path).resolve(),) if path and Path(path).is_file() else ()
        return (*self.tool.libraries.get(delegate.kind, ()), *own)

    def command(self, cell: Cell, placed: Placed, bench: Bench, token: str, plain: Command) -> list[str]:
        """Return the tool's command line for a cell, with files of the run relative to its folder.

        Raises:
            MeasurementError: The flavour has no such delegate.
        """
        lib = f"{work_folder(bench, token)}/lib"
        names = [path.rpartition("/")[2] for path in placed.libraries]
        main = next((name for name in names if not name.startswith(("libQnnHtp", "libQnnGpu"))), "")
        main = next((name for name in names if name in {"libQnnTFLiteDelegate.so", "libedgetpu.so.1"}), main)
        backend = binaries.qnn_backend(self.tool, cell.delegate.option("backend"))
        default = "libedgetpu.so.1" if cell.delegate.kind == "edgetpu" else cell.delegate.option("path") or ""
        libraries = Libraries(
            lib, f"{lib}/{main}" if main else default, f"{lib}/{backend}" if backend else ""
        )
        asked = replace(
            plain, flavour=bench.flavour, graph=placed.model, delegate=cell.delegate, libraries=libraries
        )
        try:
            argv = asked.argv(placed.tool)
        except UsageError as error:
            raise MeasurementError(str(error)) from error
        return ["taskset", self.cpu_mask, *argv] if self.cpu_mask else argv

    def environment(self, placed: Placed, bench: Bench, token: str) -> Mapping[str, str]:
        """Return the variables by which a delegate's libraries find each other."""
        if not placed.libraries:
            return {}
        lib = f"{work_folder(bench, token)}/lib"
        dsp = f"{lib};/system/lib/rfsa/adsp;/vendor/lib/rfsa/adsp;/vendor/dsp;/dsp"
        return {"LD_LIBRARY_PATH": lib, "ADSP_LIBRARY_PATH": dsp}

    def named_inputs(self, cell: Cell, bench: Bench) -> tuple[Input, ...]:
        """Return the model's one input as read from `in.bin`; none where the flavour cannot be fed."""
        if bench.flavour == "litert" or len(cell.facts.inputs) != 1:
            return ()
        tensor = cell.facts.inputs[0]
        return (Input(tensor.name, tensor.shape, _INPUT),)

    def _feed(self, cell: Cell, scratch: Path) -> Path | None:
        """Write one prepared image as raw bytes; None where the model takes none (the tool then feeds noise)."""
        images = prepare_inputs(cell, scratch.parent) if len(cell.facts.inputs) == 1 else None
        if images is None:
            return None
        path = images.with_suffix(".bin")
        if not path.exists():
            atomic.write_bytes(path, np.load(images, allow_pickle=False)[0].tobytes())
        return path

    def _run_once(
        self, cell: Cell, placed: Placed, command: list[str], run: tuple[str, str], runs: Runs
    ) -> Completed:
        token, source = run
        assert self._bench is not None
        path = cell.delegate.option("path") or ""
        check = path if "/" in path and not placed.libraries else ""
        folder = work_folder(self._bench, token)
        head = ["sh", "-c", ONE_RUN, "sh", token, folder, source, check, str(len(placed.libraries))]
        timeout_s = START_TIMEOUT_S + 3 * runs.max_seconds
        environment = self.environment(placed, self._bench, token)
        return self.device.run([*head, *placed.libraries, *command], timeout_s=timeout_s, env=environment)

    def _read(self, ended: Completed, token: str) -> tuple[ToolOutput, Told]:
        told = read_told(ended.stdout, token)
        if ended.exit_code == NO_FOLDER:
            raise MeasurementError(f"{self.device.name}: no folder to work in: {ended.stderr.strip()}")
        printed = told.tool[0] if told.tool else ""
        exit_code = ended.exit_code if told.exit_code is None and ended.exit_code else told.exit_code
        names = {"result": _RESULT, "graph": _GRAPH, "profile": _OPERATORS}
        files = {what: told.files.get(name) for what, name in names.items()}
        return parse(printed, ended.stderr, exit_code, timed_out=ended.timed_out, **files), told

    def _with_check(self, cell: Cell, facts: ProcessFacts, scratch: Path) -> ProcessFacts:
        """Hold the outputs of an accelerator that ran against the CPU's, once a cell (law 10)."""
        wrong = self._checked_outputs(cell, scratch)
        if wrong is None:
            why = f"{self.runtime} cannot be fed images of this model"
            if cell.facts.edgetpu:
                why = "no CPU runs a model that is compiled for the Edge TPU"
            remark = f"its outputs were not held against the CPU's: {why}"
            return replace_facts(facts, reasons=(*facts.reasons, remark))
        return replace_facts(facts, status=Status.INCORRECT, reasons=wrong) if wrong else facts

    def _checked_outputs(self, cell: Cell, scratch: Path) -> tuple[str, ...] | None:
        """Return what is wrong with a cell's outputs; None where it cannot be told."""
        if cell.dataset is None or (cell.delegate.is_cpu and (cell.delegate.threads or 1) == 1):
            return ()
        if cell.facts.edgetpu or (self._bench is not None and not self.named_inputs(cell, self._bench)):
            return None
        if cell.id not in self._checked:
            self._checked[cell.id] = native_check.wrong_outputs(self, cell, scratch)
        return self._checked[cell.id]


def _refuse_what_needs_samples(cell: Cell) -> None:
    for name, asked in (
        ("--mlperf", cell.settings.mlperf),
        ("--sustained", cell.settings.sustained is not None),
    ):
        if asked:
            raise MeasurementError(
                f"{name} needs every sample, and benchmark_model keeps them to itself: leave it out"
            )
    if cell.settings.switch_models:
        raise MeasurementError("--switch-models: benchmark_model runs one model a process: leave it out")


_PLAIN = Command("tflite", "", Delegate("cpu"), outputs=Outputs(result=_RESULT, graph=_GRAPH))


def work_folder(bench: Bench, token: str) -> str:
    """Return the folder of one run on the device."""
    return f"{bench.folder}/harness-run-{token}"


def replace_facts(facts: ProcessFacts, **changes: object) -> ProcessFacts:
    """Return facts with some replaced."""
    return msgspec.structs.replace(facts, **changes)


def delegate_facts(cell: Cell, truth: Truth) -> DelegateFacts:
    """Return what was asked for and what is proven to have run."""
    return DelegateFacts(
        requested=str(cell.delegate),
        actual=truth.actual,
        delegated_nodes=truth.delegated_nodes,
        total_nodes=truth.total_nodes,
        evidence=truth.evidence,
    )


def _process_facts(
    cell: Cell, truth: Truth, output: ToolOutput, told: Told, ended: Completed
) -> ProcessFacts:
    return ProcessFacts(
        index=0,
        started_at="",
        status=truth.status,
        reasons=(*truth.reasons, *output.notes),
        delegate=delegate_facts(cell, truth),
        init_ns=output.init_ns,
        first_inference_ns=output.first_ns,
        peak_memory_bytes=None if output.memory.peak_mb is None else round(output.memory.peak_mb * 2**20),
        summary=None if truth.status == Status.FAILED else _summary_facts(output.steady),
        duration_s=ended.duration_s,
        telemetry=told.telemetry,
    )


def _with_median(truth: Truth, output: ToolOutput) -> Truth:
    """A process is known by its median, which versions before 2023 do not print."""
    if truth.status not in MEASURED or output.steady is None or output.steady.median_ns is not None:
        return truth
    reason = "this benchmark_model prints no median: use a version of 2023 or later"
    return replace(truth, status=Status.FAILED, reasons=(reason,))


def _summary_facts(steady: Statistics | None) -> SummaryFacts | None:
    if steady is None:
        return None
    names = ("count", "mean_ns", "std_ns", "min_ns", "max_ns", "median_ns", "p5_ns", "p95_ns", "first_ns")
    return SummaryFacts(**{name: getattr(steady, name) for name in names})


def _read_probe(ended: Completed, tool: Tool) -> Bench:
    head, _, printed = ended.stdout.partition("\n")
    if ended.exit_code != 0 or not head.startswith("base "):
        detail = ended.stderr.strip() or f"exit code {ended.exit_code}"
        raise MeasurementError(f"no folder on the device can be written to, or it has no shell ({detail})")
    flavour = tool.flavour or text_log.flavour_of(printed)
    if flavour is None:
        last = (printed + ended.stderr).strip().splitlines()[-3:]
        raise MeasurementError(
            f"{tool.file.name} cannot be started on the device, or is no benchmark_model: {'; '.join(last)}"
        )
    return Bench(head.removeprefix("base ").strip(), flavour)
