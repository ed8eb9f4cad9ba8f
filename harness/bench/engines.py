"""Which engine measures on which device.

This computer and its fakes run our own worker, which gives every sample; a phone runs TFLite's native benchmark_model,
as does any device that a `--benchmark-binary` is given for.
"""

from __future__ import annotations

from pathlib import Path

from harness.bench.cooldown import CoolEngine
from harness.bench.engine import Engine
from harness.bench.python_worker import PythonWorker
from harness.bench.request import Request
from harness.bench.resolve import Station
from harness.errors import UsageError

WITHOUT_PYTHON = frozenset({"adb"})
"""Kinds of device that have no Python to run our worker with."""


def find_engine(station: Station, request: Request) -> Engine:
    """Make the engine of a device, which lets it cool down first where that is asked for.

    Raises:
        UsageError: The native tool is needed and is not to be had.
        FetchError: It could not be fetched, or is not what was fetched before.
    """
    engine = _engine(station, request)
    if request.max_start_temp is None:
        return engine
    return CoolEngine(engine, station.device, request.max_start_temp)


def _engine(station: Station, request: Request) -> Engine:
    kind = station.profile.data.connection.kind
    binary = request.benchmark_binary or station.profile.data.benchmark_binary or None
    if binary is None and kind not in WITHOUT_PYTHON:
        return PythonWorker(station.device)
    from harness.bench.native import NativeEngine
    from harness.drivers.benchmark_tool.binaries import fetch_tool, tool_from_file

    if binary is not None:
        tool = tool_from_file(_located(binary, station))
    else:
        if station.info.abi is None:
            raise UsageError(
                f"{station.device.name}: its ABI is not known, so no benchmark_model can be fetched for it; "
                "give one with --benchmark-binary"
            )
        tool = fetch_tool(station.info.abi)
    evaluation = None if request.eval_binary is None else tool_from_file(Path(request.eval_binary))
    return NativeEngine(station.device, tool, request.cpu_mask or big_cores(station), evaluation)


def _located(binary: str, station: Station) -> Path:
    """A path in a profile is relative to the profile."""
    path = Path(binary).expanduser()
    if path.is_absolute() or path.exists():
        return path
    return station.profile.origin.parent / binary


def big_cores(station: Station) -> str | None:
    """The mask of the fastest cores, as the phone itself says; None where it does not or has only one kind."""
    mask = station.info.facts.get("big_core_mask")
    return None if mask is None else str(mask)
