"""The worker on one device: its files there, and one process of it started."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.bench.engines.native_worker.program import WorkerFiles
from harness.bench.engines.native_worker.session import WorkerSession
from harness.bench.plan import Cell
from harness.delegates import CPU, CPU_REFERENCE, GPU, NPU, Delegate
from harness.drivers.conversation import StreamDevice
from harness.native.job import Setup
from harness.native.protocol import Compiled, Tensor
from harness.paths import resolved
from harness.records.engines import NATIVE_WORKER_RUNTIME

COMPILE_S = 180.0
"""For loading, and for the compilation of the graph that some accelerators begin with."""
ROOM_BYTES = 2_000_000
"""What a run writes on the device: the compiled kernels that some accelerators keep while they live."""

LINKED = r"""
w=$1 n=$2; shift 2
mkdir -p "$w/lib" && cd "$w" || exit 97
find "${w%/*}" -mindepth 1 -maxdepth 1 -mmin +720 -exec rm -rf {} + 2>/dev/null
trap 'cd /; rm -rf "$w"' EXIT
while [ "$n" -gt 0 ]; do ln -sf "$1" "lib/${1##*/}"; shift; n=$((n-1)); done
export TMPDIR="$w" LD_LIBRARY_PATH="$w/lib"
"$@"
"""
"""LiteRT looks for accelerators in the folder of its library, and files are kept by content in folders of their own.
Takes a folder, how many libraries there are, and these; then the command."""


@dataclass(frozen=True)
class StartedWorker:
    """A worker that has compiled a model.

    Attributes:
        session: With it.
        compiled: What it says of the model.
        inputs: The inputs, in LiteRT's order.
        outputs: The outputs, in LiteRT's order.
        files: The further files that were asked for, as the device calls them.
    """

    session: WorkerSession
    compiled: Compiled
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlacedWorker:
    """The worker on a device.

    Attributes:
        device: Where it runs.
        files: The worker and the libraries on this computer.
        cpu_mask: CPUs to run on, as `taskset` takes it; None for all.
    """

    device: StreamDevice
    files: WorkerFiles
    cpu_mask: str | None = None

    def runtime(self, interface: str) -> str:
        """What stands in the column `runtime`."""
        return (
            f"{NATIVE_WORKER_RUNTIME} {self.files.program.sha256[:8]}, LiteRT {interface} "
            f"sha256:{self.files.library_sha256[:16]}"
        )

    @contextmanager
    def started(
        self,
        cell: Cell,
        delegate: Delegate,
        *,
        profile: bool = False,
        further: Sequence[Path] = (),
    ) -> Iterator[StartedWorker]:
        """Start a process that has compiled the cell's model; it is gone at the end of the block.

        Takes two round trips: a push that finds everything there, and the process.

        Args:
            cell: Its model, and its limit of memory.
            delegate: What the model is compiled for.
            profile: Record operators; slower.
            further: More files to make available there.

        Raises:
            MeasurementError: The model cannot be compiled, or the worker failed; says which.
            DeviceError: The device went away, or has no room.
        """
        libraries = self.files.libraries(delegate)
        wanted = [self.files.program.path, resolved(cell.model.file), *libraries, *further]
        there = self.device.push(wanted, ROOM_BYTES)
        split = 2 + len(libraries)
        folder = self._folder()
        argv = self._argv(there[0], there[2:split], folder)
        setup = self._setup(cell, delegate, there[1], there[2], folder if len(libraries) > 1 else None)
        with self.device.converse(argv) as conversation:
            session = WorkerSession(conversation, self.device.name)
            compiled, tensors = session.compiled(replace(setup, profile=profile).lines(), COMPILE_S)
            inputs, outputs = (tuple(t for t in tensors if t.side == side) for side in ("input", "output"))
            yield StartedWorker(session, compiled, inputs, outputs, tuple(there[split:]))

    def _folder(self) -> str:
        root = getattr(self.device, "root", None)
        return f"{root or tempfile.gettempdir()}/runs/{secrets.token_hex(8)}"

    def _argv(self, worker: str, libraries: Sequence[str], folder: str) -> list[str]:
        command = ["taskset", self.cpu_mask, worker] if self.cpu_mask else [worker]
        if len(libraries) == 1:
            return command
        return ["sh", "-c", LINKED, "sh", folder, str(len(libraries)), *libraries, *command]

    def _setup(self, cell: Cell, delegate: Delegate, model: str, library: str, folder: str | None) -> Setup:
        """Return what the worker is set up with; libraries that lie together are in the folder of the run."""
        linked = None if folder is None else f"{folder}/lib"
        npu = linked if delegate.kind == NPU else None
        return Setup(
            library=library if linked is None else f"{linked}/{self.files.library.name}",
            model=model,
            accelerator=CPU if delegate.is_cpu else delegate.kind,
            threads=delegate.threads or 1,
            kernels="builtin" if delegate.kind == CPU_REFERENCE else "delegate",
            precision=delegate.option("precision") if delegate.kind == GPU else None,
            dispatch=npu,
            plugins=npu,
            memory_mb=cell.settings.memory_limit_mb,
            deadline_s=round(COMPILE_S) + 30,
        )
