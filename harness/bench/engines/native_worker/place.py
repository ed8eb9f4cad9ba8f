"""The worker on one device: its files there, and one process of it started."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.bench.engines.native.scripts import new_token
from harness.bench.engines.native_worker.program import WorkerFiles
from harness.bench.engines.native_worker.session import WorkerSession
from harness.bench.engines.native_worker.shell import around, gauge
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


@dataclass(frozen=True)
class StartedWorker:
    """A worker that has compiled a model.

    Attributes:
        session: With it.
        compiled: What it says of the model.
        inputs: The inputs, in LiteRT's order.
        outputs: The outputs, in LiteRT's order.
        files: The further files that were asked for, as the device calls them.
        token: Marks what the shell tells of the machine in the log; empty where it tells nothing.
    """

    session: WorkerSession
    compiled: Compiled
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    files: tuple[str, ...] = ()
    token: str = ""


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
        watched: bool = False,
        further: Sequence[Path] = (),
    ) -> Iterator[StartedWorker]:
        """Start a process that has compiled the cell's model; it is gone at the end of the block.

        Takes two round trips: a push that finds everything there, and the process.

        Args:
            cell: Its model, and its limit of memory.
            delegate: What the model is compiled for.
            profile: Record operators; slower.
            watched: Have the shell tell of the machine, before and after.
            further: More files to make available there.

        Raises:
            MeasurementError: The model cannot be compiled, or the worker failed; says which.
            DeviceError: The device went away, or has no room.
        """
        libraries = self.files.libraries(delegate)
        wanted = [self.files.program.path, resolved(cell.model.file), *libraries, *further]
        there = self.device.push(wanted, ROOM_BYTES)
        split = 2 + len(libraries)
        folder, token = self._folder(), new_token() if watched else ""
        linked = there[2:split] if len(libraries) > 1 else []
        argv = self._argv(there[0], linked, folder, token)
        setup = self._setup(cell, delegate, there[1], there[2], folder if linked else None)
        env = gauge(cell.settings.sustained) if watched else {}
        with self.device.converse(argv, env=env) as conversation:
            session = WorkerSession(conversation, self.device.name)
            compiled, tensors = session.compiled(replace(setup, profile=profile).lines(), COMPILE_S)
            inputs, outputs = (tuple(t for t in tensors if t.side == side) for side in ("input", "output"))
            yield StartedWorker(session, compiled, inputs, outputs, tuple(there[split:]), token)

    def _folder(self) -> str:
        root = getattr(self.device, "root", None) or f"{tempfile.gettempdir()}/ondevice-harness"
        return f"{root}/runs/{secrets.token_hex(8)}"

    def _argv(self, worker: str, linked: Sequence[str], folder: str, token: str) -> list[str]:
        command = ["taskset", self.cpu_mask, worker] if self.cpu_mask else [worker]
        return around(folder, token, linked, command) if linked or token else command

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
