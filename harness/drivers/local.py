"""This computer."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import copyfileobj

from harness import atomic, child_process
from harness.delegates import CPU, CPU_REFERENCE
from harness.drivers.base import Completed, DeviceInfo, OnLine
from harness.drivers.conversation import Conversation, ProcessConversation
from harness.errors import DeviceError
from harness.paths import is_file, resolved

_CPUFREQ = Path("/sys/devices/system/cpu/cpu0/cpufreq")


class LocalDevice:
    """Runs commands as child processes; files need no copying."""

    def __init__(self, name: str = "local", delegates: Sequence[str] = (CPU, CPU_REFERENCE)) -> None:
        self.name = name
        self._delegates = tuple(delegates)

    def describe(self) -> DeviceInfo:
        """Return the processor, system and memory of this computer."""
        processor = processor_name()
        facts: dict[str, str | int | float] = {
            "cores": os.cpu_count() or 1,
            "memory_mb": round(_memory_bytes() / 1e6),
        }
        governor = _read(_CPUFREQ / "scaling_governor")
        if governor:
            facts["governor"] = governor
        return DeviceInfo(
            name=self.name,
            kind="local",
            model=platform.node() or None,
            soc=processor,
            os=_system_name(),
            abi=platform.machine(),
            delegates=self._delegates,
            facts=facts,
        )

    def push(self, files: Sequence[Path], room: int = 0) -> tuple[str, ...]:
        """Return the files' own paths; they are here already.

        Raises:
            DeviceError: A file does not exist.
        """
        for file in files:
            if not is_file(file):
                raise DeviceError(self.name, f"{file}: no such file")
        return tuple(str(resolved(file)) for file in files)

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float,
        on_line: OnLine | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Completed:
        """Run a command in a process group of its own; after `timeout_s` seconds the whole group is killed.

        Raises:
            DeviceError: The command could not be started.
        """
        try:
            return child_process.run(argv, timeout_s=timeout_s, on_line=on_line, env=env)
        except (OSError, ValueError) as error:
            raise DeviceError(self.name, f"cannot start {argv[0]!r}: {error}", argv) from error

    @contextmanager
    def converse(
        self, argv: Sequence[str], *, env: Mapping[str, str] | None = None
    ) -> Iterator[Conversation]:
        """Start a command that is written to while it is heard; its group is killed at the end of the block.

        Raises:
            DeviceError: The command could not be started.
        """
        pipe = subprocess.PIPE
        try:
            process = subprocess.Popen(
                list(argv),
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise DeviceError(self.name, f"cannot start {argv[0]!r}: {error}", argv) from error
        conversation = ProcessConversation(process)
        try:
            yield conversation
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            conversation.close()

    def pull(self, remote: str, local: Path) -> None:
        """Copy a file of this computer.

        Raises:
            DeviceError: There is no such file, or it cannot be read.
            OutputError: The copy cannot be written.
        """
        try:
            source = Path(remote).open("rb")  # noqa: SIM115 - closed below
        except OSError as error:
            raise DeviceError(self.name, f"{remote}: cannot be pulled ({error.strerror or error})") from error
        with (
            source,
            atomic.writing(local),
            atomic.replacing(local) as temporary,
            temporary.open("wb") as copy,
        ):
            copyfileobj(source, copy)

    def close(self) -> None:
        """Do nothing: nothing is held."""


def _memory_bytes() -> int:
    """Return the size of this computer's memory; where the system tells it itself, psutil need not be loaded."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        import psutil

        return int(psutil.virtual_memory().total)


def processor_name() -> str | None:
    """Return what this computer calls its processor."""
    for line in (_read(Path("/proc/cpuinfo")) or "").splitlines():
        if line.lower().startswith(("model name", "hardware")):
            return line.partition(":")[2].strip()
    return platform.processor() or None


def _system_name() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return f"{platform.system()} {platform.release()}"
    return release.get("PRETTY_NAME", platform.system())


def _read(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None
