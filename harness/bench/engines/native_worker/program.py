"""The worker and LiteRT's library as files of this computer: found, fetched and pinned, or why they are not there."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.delegates import CPU, CPU_REFERENCE, GPU, NPU, Delegate
from harness.drivers.base import DeviceInfo
from harness.drivers.benchmark_tool.binaries import fetch_library
from harness.errors import FetchError, UsageError
from harness.hashing import hash_file
from harness.native.programs import Program, find_program
from harness.paths import found_in, is_file, resolved

LIBRARY = "libLiteRt.so"
_ACCELERATORS = {GPU: "libLiteRt*Accelerator.so", NPU: "libLiteRtDispatch*.so"}
"""What must lie beside the library for a kind of delegate."""


@dataclass(frozen=True)
class WorkerFiles:
    """What is pushed to a device to measure there.

    Attributes:
        program: The worker.
        library: LiteRT's.
        beside: Further libraries that lie beside it: accelerators, an NPU's dispatch library and plugin.
    """

    program: Program
    library: Path
    beside: tuple[Path, ...] = ()

    @property
    def library_sha256(self) -> str:
        """The library's hash."""
        return hash_file(self.library)

    def why_not(self, delegate: Delegate) -> str | None:
        """Return why these files cannot run a delegate; None where they may."""
        if delegate.kind in {CPU, CPU_REFERENCE}:
            return None
        if delegate.kind == GPU and delegate.option("backend") is not None:
            return "LiteRT's GPU accelerator takes no back end"
        wanted = _ACCELERATORS.get(delegate.kind)
        if wanted is None:
            return f"our own worker has no {delegate.kind}"
        if any(path.match(wanted) for path in self.beside):
            return None
        return f"{delegate} needs {wanted} beside {self.library}"

    def libraries(self, delegate: Delegate) -> tuple[Path, ...]:
        """Return the libraries that a delegate needs, LiteRT's first."""
        return (self.library,) if delegate.is_cpu else (self.library, *self.beside)


def find_files(info: DeviceInfo, library: str | None, tool: str | None) -> WorkerFiles:
    """Find the worker and LiteRT's library for a device.

    Args:
        info: The device.
        library: `--litert-library`, or the profile's; None to look for it.
        tool: The native tool that was given, beside which it may lie.

    Raises:
        UsageError: One of the two is not there; says how to get it.
            Or the library could not be fetched, or is not what was fetched before.
    """
    system, abi = "android" if info.is_phone else "linux", info.abi
    if abi is None:
        raise UsageError(f"{info.name}: its ABI is not known")
    return files_with(find_program(system, abi), _library(system, abi, library, tool))


def files_with(program: Program, library: Path) -> WorkerFiles:
    """Put a worker together with a library and what lies beside that."""
    library = resolved(library)
    others = (path for path in found_in(library.parent, "*.so") if path != library)
    return WorkerFiles(program, library, tuple(path for path in others if path.name.startswith("libLiteRt")))


def _library(system: str, abi: str, given: str | None, tool: str | None) -> Path:
    if given is not None:
        if not is_file(given):
            raise UsageError(f"--litert-library: {given} is not a file")
        return Path(given)
    found = next(filter(is_file, _candidates(system, abi, tool)), None)
    fetched = found if found is not None else _fetched(system, abi)
    if isinstance(fetched, str):
        raise UsageError(fetched)
    return fetched


@cache
def _fetched(system: str, abi: str) -> Path | str:
    """Fetch the library, or say why that fails: asked once a process, since a plan asks for every cell."""
    try:
        return fetch_library(system, abi)
    except (UsageError, FetchError) as error:
        return str(error)


def _candidates(system: str, abi: str, tool: str | None) -> Iterator[Path]:
    if tool is not None:
        yield Path(tool).parent / LIBRARY
    if system == "linux" and sys.platform == "linux" and abi == _own_abi():
        own = own_library()
        if own is not None:
            yield own


@cache
def own_library() -> Path | None:
    """Return the library of this computer's own runtime, which boards of the same ABI can use too."""
    from importlib.util import find_spec

    spec = find_spec("ai_edge_litert")
    folders = [] if spec is None else list(spec.submodule_search_locations or ())
    return next((Path(folder) / LIBRARY for folder in folders if is_file(Path(folder) / LIBRARY)), None)


def _own_abi() -> str:
    import platform

    return platform.machine()


def why_unavailable(info: DeviceInfo, library: str | None, tool: str | None) -> str | None:
    """Return why a device cannot be measured with our own worker; None where it can be."""
    try:
        find_files(info, library, tool)
    except (UsageError, FetchError) as error:
        return str(error)
    return None
