"""benchmark_model on one device: its files there, its command line, one run of it, and what that run printed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.bench.engines.native.scripts import (
    CLEAN,
    GAUGE_S,
    NO_FOLDER,
    ONE_RUN,
    PROBE,
    RunReport,
    new_token,
    read_report,
)
from harness.bench.plan import Cell
from harness.delegates import UNKNOWN, Delegate
from harness.drivers.base import Completed, Device
from harness.drivers.benchmark_tool import binaries, text_log
from harness.drivers.benchmark_tool.binaries import Tool
from harness.drivers.benchmark_tool.facts import Flavour, TextLog, ToolOutput
from harness.drivers.benchmark_tool.flags import Command, Input, Libraries
from harness.drivers.benchmark_tool.library_versions import describe_libraries, mixed_versions
from harness.drivers.benchmark_tool.parse import parse, refused_input
from harness.drivers.benchmark_tool.truth import Truth
from harness.drivers.room import FREE_SCRIPT, full_error, parse_free, says_full
from harness.errors import MeasurementError, UsageError
from harness.paths import is_file, resolved
from harness.records.records import DelegateFacts
from harness.vocabulary import Status

START_TIMEOUT_S = 120.0
"""For loading, and for the compilation of the graph that some accelerators begin with."""
PROBE_TIMEOUT_S = 60.0
ROOM_BYTES = 2_000_000
"""What the tool writes of one run, apart from outputs: its results, the graph and a profile."""
RESULT, GRAPH, OPERATORS, INPUT = "result.pb", "graph.pb", "operators.pb", "in.bin"
"""Files of one run, in its folder on the device."""


@dataclass(frozen=True)
class ProbedTool:
    """What the probe of the tool on a device found.

    Attributes:
        folder: Where to work there.
        flavour: Which of the two programs of this name it is.
    """

    folder: str
    flavour: Flavour

    def work_folder(self, token: str) -> str:
        """Return the folder of one run on the device; empty where the script is to find a place."""
        return f"{self.folder}/harness-run-{token}" if self.folder else ""


@dataclass(frozen=True)
class DeviceFiles:
    """Files as the device calls them."""

    tool: str
    model: str
    libraries: tuple[str, ...]
    further: tuple[str, ...] = ()


@dataclass(frozen=True)
class ToolRun:
    """One run of the tool.

    Attributes:
        output: What the tool says of itself, with how it ended.
        report: What the script around it saw.
        duration_s: Wall time of both.
        noise: Why it ran on the tool's own random inputs though there are images; empty where it did not.
    """

    output: ToolOutput
    report: RunReport
    duration_s: float
    noise: str = ""


@dataclass
class NativeTool:
    """A native program on one device.

    Attributes:
        device: Where it runs.
        program: The program and the libraries that delegates need.
        cpu_mask: CPUs to run on, as `taskset` takes it (hexadecimal); None for all.
    """

    device: Device
    program: Tool
    cpu_mask: str | None = None
    _probed: ProbedTool | None = None
    _refused: dict[str, str] = field(default_factory=dict)
    _distrusted: bool = False

    @property
    def probed(self) -> ProbedTool | None:
        """What the probe found; None before it."""
        return self._probed

    @property
    def runtime(self) -> str:
        """What stands in the column `runtime`, once the tool was probed."""
        if self._probed is None:
            return f"benchmark_model {self.program.sha256[:16]}"
        return self.program.describe(self._probed.flavour)

    def probe(self, tool: str) -> ProbedTool:
        """Look once where to work on the device, and ask the tool, by its path there, what it is.

        Raises:
            MeasurementError: The tool cannot be started there, or is neither of the two.
        """
        if self._probed is None:
            ended = self.device.run(["sh", "-c", PROBE, "sh", tool], timeout_s=PROBE_TIMEOUT_S)
            self._probed = _read_probe(ended, self.program)
        return self._probed

    def _assumed(self, delegate: Delegate) -> ProbedTool | None:
        """Take from its own file what the tool is, which saves the probe; None where that does not tell."""
        if self._distrusted or binaries.comes_with_libraries(self.program, delegate):
            return None
        flavour = self.program.flavour or binaries.flavour_in(self.program.file)
        return None if flavour is None else ProbedTool("", flavour)

    def work_folder(self, token: str) -> str:
        """Return the folder of one run on the device; the tool must have been probed."""
        assert self._probed is not None
        return self._probed.work_folder(token)

    def clean(self, token: str) -> None:
        """Remove the folder of a run."""
        if self._probed is not None:
            self.device.run(["sh", "-c", CLEAN, "sh", self.work_folder(token)], timeout_s=PROBE_TIMEOUT_S)

    def place(self, cell: Cell, further: list[Path], room: int = ROOM_BYTES) -> DeviceFiles:
        """Make the tool, the model and all it takes available on the device, in one push.

        Args:
            cell: What is run.
            further: More files.
            room: Bytes that must be free beside them, for what the run writes.
        """
        libraries = self._libraries(cell.delegate)
        files = [self.program.file, resolved(cell.model.file), *libraries, *further]
        paths = self.device.push(files, room)
        split = 2 + len(libraries)
        return DeviceFiles(paths[0], paths[1], tuple(paths[2:split]), tuple(paths[split:]))

    def _libraries(self, delegate: Delegate) -> tuple[Path, ...]:
        lacking = binaries.missing_libraries(self.program, delegate.kind)
        if lacking:
            raise MeasurementError(
                f"{delegate} needs {', '.join(lacking)}: put them beside {self.program.file.name}, the file given with "
                "--benchmark-binary"
            )
        return self.libraries_of(delegate)

    def libraries_of(self, delegate: Delegate) -> tuple[Path, ...]:
        """Return the files of this computer that go with the tool for a delegate."""
        path = delegate.option("path")
        own = (resolved(path),) if path and is_file(path) else ()
        return (*self.program.libraries.get(delegate.kind, ()), *own)

    def refuse_full(self, needs: int, *said: str) -> None:
        """Name the disk as the reason for what failed, where it is full; called after a failure only.

        Args:
            needs: Bytes that the run was to write.
            said: What was printed.

        Raises:
            DeviceFullError: The disk is full.
        """
        if self._probed is None:
            return
        folder = self._probed.folder
        ended = self.device.run(["sh", "-c", FREE_SCRIPT, "sh", folder], timeout_s=PROBE_TIMEOUT_S)
        free = parse_free(ended.stdout)
        if any(map(says_full, said)) or (free is not None and free < needs):
            spelling = getattr(self.device, "spelling", self.device.name)
            raise full_error(self.device.name, spelling, folder, needs, free)

    def command(
        self, cell: Cell, files: DeviceFiles, probed: ProbedTool, token: str, plain: Command
    ) -> list[str]:
        """Return the tool's command line for a cell, with files of the run relative to its folder.

        Raises:
            MeasurementError: The flavour has no such delegate.
        """
        libraries = self._named_libraries(cell.delegate, files, f"{probed.work_folder(token)}/lib")
        asked = replace(
            plain, flavour=probed.flavour, graph=files.model, delegate=cell.delegate, libraries=libraries
        )
        try:
            argv = asked.argv(files.tool)
        except UsageError as error:
            raise MeasurementError(str(error)) from error
        return ["taskset", self.cpu_mask, *argv] if self.cpu_mask else argv

    def _named_libraries(self, delegate: Delegate, files: DeviceFiles, folder: str) -> Libraries:
        """Name the delegate's own library and its back end among those that are linked into a folder there."""
        names = [path.rpartition("/")[2] for path in files.libraries]
        main = binaries.main_library(delegate.kind, names)
        backend = binaries.qnn_backend(self.program, delegate.option("backend"))
        own = f"{folder}/{main}" if main else delegate.library or ""
        return Libraries(folder, own, f"{folder}/{backend}" if backend else "")

    def environment(self, files: DeviceFiles, probed: ProbedTool, token: str) -> Mapping[str, str]:
        """Return the variables by which a delegate's libraries find each other."""
        if not files.libraries:
            return {}
        lib = f"{probed.work_folder(token)}/lib"
        dsp = f"{lib};/system/lib/rfsa/adsp;/vendor/lib/rfsa/adsp;/vendor/dsp;/dsp"
        return {"LD_LIBRARY_PATH": lib, "ADSP_LIBRARY_PATH": dsp}

    def why_unfed(self, cell: Cell) -> str | None:
        """Return why the model cannot be given an image, as far as that is known; None where it can be."""
        known = self._probed or self._assumed(cell.delegate)
        if known is not None and known.flavour == "litert":
            return "benchmark_model of the flavour litert takes no inputs from files"
        inputs = cell.facts.inputs
        if len(inputs) != 1:
            return f"the model has {len(inputs)} inputs"
        if any(size < 1 for size in inputs[0].shape):
            return f"its input has no fixed shape {list(inputs[0].shape)}"
        if "," in inputs[0].name:
            return f"benchmark_model parts names at commas, and its input is called {inputs[0].name!r}"
        return self._refused.get(cell.facts.sha256)

    def note_refusal(self, cell: Cell, output: ToolOutput | TextLog) -> str | None:
        """Remember that the tool does not take the model's input from a file; None where it does."""
        line = refused_input(output.log if isinstance(output, ToolOutput) else output)
        if line is None:
            return None
        name = cell.facts.inputs[0].name
        self._refused[cell.facts.sha256] = f"this benchmark_model refuses its input {name!r} ({line})"
        return self._refused[cell.facts.sha256]

    def named_inputs(self, cell: Cell) -> tuple[Input, ...]:
        """Return the model's one input as read from `in.bin`; none where it cannot be fed."""
        if self.why_unfed(cell) is not None:
            return ()
        tensor = cell.facts.inputs[0]
        return (Input(tensor.name, tensor.shape, INPUT),)

    def run(self, cell: Cell, plain: Command, image: Path | None) -> ToolRun:
        """Run the tool once on a cell, with its own random inputs where it cannot be fed.

        Args:
            cell: What is run.
            plain: What is asked of the tool, without what depends on the cell and the device.
            image: One prepared image as raw bytes; None for noise that the tool makes.

        Raises:
            MeasurementError: The tool cannot be started or asked for this delegate, or there is no folder to work in.
            DeviceError: The device went away, or has no room.
        """
        run = self._run_once(cell, plain, image)
        refused = image is not None and run.output.status == Status.FAILED
        if refused and self.note_refusal(cell, run.output) is not None:
            run = self._run_once(cell, plain, image)
        why = self.why_unfed(cell)
        noise = why if why is not None and cell.dataset is not None else ""
        return replace(run, noise=noise)

    def _run_once(self, cell: Cell, plain: Command, image: Path | None) -> ToolRun:
        """Take two round trips: a push that finds everything there, and one run.

        The first run says where there is a place to work; what its log says of the tool outweighs what its file says.
        """
        files = self.place(cell, [image] if image else [])
        assumed = None if self._probed is not None else self._assumed(cell.delegate)
        probed = assumed or self.probe(files.tool)
        run = self._run_placed(cell, plain, files, probed)
        if assumed is None:
            return run
        if run.output.flavour == assumed.flavour and run.report.base:
            self._probed = replace(assumed, folder=run.report.base)
            return run
        if run.output.status == Status.TIMEOUT:
            return run  # it would hang again
        self._distrusted = True
        return self._run_placed(cell, plain, files, self.probe(files.tool))

    def _run_placed(self, cell: Cell, plain: Command, files: DeviceFiles, probed: ProbedTool) -> ToolRun:
        image = bool(files.further)
        inputs = self.named_inputs(cell) if image else ()
        token = new_token()
        command = self.command(cell, files, probed, token, replace(plain, inputs=inputs))
        path = cell.delegate.option("path") or ""
        check = path if "/" in path and not files.libraries else ""
        source = files.further[0] if image else ""
        head = ["sh", "-c", ONE_RUN, "sh", token, probed.work_folder(token), source, check]
        ended = self.device.run(
            [*head, str(len(files.libraries)), *files.libraries, *command],
            timeout_s=START_TIMEOUT_S + 3 * plain.runs.max_seconds,
            env={**self.environment(files, probed, token), **_gauge(cell)},
        )
        return self._read(ended, token)

    def _read(self, ended: Completed, token: str) -> ToolRun:
        report = read_report(ended.stdout, token)
        if report.exit_code != 0 and (says_full(ended.stderr) or any(map(says_full, report.tool))):
            self.refuse_full(ROOM_BYTES, ended.stderr, *report.tool)
        if ended.exit_code == NO_FOLDER:
            raise MeasurementError(f"{self.device.name}: no folder to work in: {ended.stderr.strip()}")
        printed = report.tool[0] if report.tool else ""
        exit_code = ended.exit_code if report.exit_code is None and ended.exit_code else report.exit_code
        names = {"result": RESULT, "graph": GRAPH, "profile": OPERATORS}
        files = {what: report.files.get(name) for what, name in names.items()}
        output = parse(printed, ended.stderr, exit_code, timed_out=ended.timed_out, **files)
        return ToolRun(output, report, ended.duration_s)


def _gauge(cell: Cell) -> dict[str, str]:
    """Have the battery's gauge read under a sustained load, every second."""
    return {} if cell.settings.sustained is None else {GAUGE_S: "1"}


def delegate_facts(tool: NativeTool, cell: Cell, truth: Truth | None) -> DelegateFacts:
    """Return what was asked for and what is proven to have run; nothing is proven without a truth."""
    if truth is None:
        return DelegateFacts(requested=str(cell.delegate), actual=UNKNOWN)
    libraries = describe_libraries(tool.libraries_of(cell.delegate))
    return DelegateFacts(
        libraries=libraries,
        requested=str(cell.delegate),
        actual=truth.actual,
        delegated_nodes=truth.delegated_nodes,
        total_nodes=truth.total_nodes,
        evidence=(*truth.evidence, *filter(None, [mixed_versions(libraries)])),
    )


def _read_probe(ended: Completed, program: Tool) -> ProbedTool:
    head, _, printed = ended.stdout.partition("\n")
    if ended.exit_code != 0 or not head.startswith("base "):
        detail = ended.stderr.strip() or f"exit code {ended.exit_code}"
        raise MeasurementError(f"no folder on the device can be written to, or it has no shell ({detail})")
    flavour = program.flavour or text_log.flavour_of(printed)
    if flavour is None:
        last = (printed + ended.stderr).strip().splitlines()[-3:]
        raise MeasurementError(
            f"{program.file.name} cannot be started on the device, or is no benchmark_model: {'; '.join(last)}"
        )
    return ProbedTool(head.removeprefix("base ").strip(), flavour)
