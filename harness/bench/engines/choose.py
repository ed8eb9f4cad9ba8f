"""Which engine measures on which device.

This computer, its fakes, and boards whose Python has a TFLite runtime run our own worker, which gives every sample; a
phone and any other board run TFLite's native benchmark_model, as does any device that a `--benchmark-binary` is given
for.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, cast

from harness.bench.engines.base import Engine
from harness.bench.engines.cooldown import CoolEngine
from harness.bench.engines.python_worker import PythonWorker
from harness.bench.request import Request
from harness.bench.stations import Station
from harness.errors import FetchError, UsageError
from harness.paths import exists, expand_user

if TYPE_CHECKING:
    from harness.bench.engines.board_images import Board
    from harness.drivers.device_python import DevicePython

_LOG = logging.getLogger(__name__)


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


def uses_native_tool(station: Station, request: Request) -> bool:
    """Whether a device is measured with TFLite's native tool, as far as its facts tell before anything is pushed."""
    info = station.info
    if info.is_emulated:
        return False
    if request.benchmark_binary or station.profile.data.benchmark_binary:
        return True
    return not info.on_host and (info.python is None or info.python.why_unusable() is not None)


def _engine(station: Station, request: Request) -> Engine:
    info = station.info
    binary = request.benchmark_binary or station.profile.data.benchmark_binary or None
    if info.is_emulated:
        from harness.bench.engines.emulator import EmulatorEngine

        return EmulatorEngine(station.device, info)
    if binary is None and info.on_host:
        return PythonWorker(station.device)
    if binary is None and info.python is not None:
        return _of_board(station, info.python, request)
    return _native(station, request, binary)


def _of_board(station: Station, python: DevicePython, request: Request) -> Engine:
    """Our own worker where the board's Python can run it, else the native tool for its ABI."""
    from harness.bench.engines.board_worker import BoardWorker

    problem = python.why_unusable()
    if problem is None:
        cores = station.info.facts.get("cores")
        n_cores = cores if isinstance(cores, int) else 1
        # what tells of a Python of its own packs as well
        return BoardWorker(cast("Board", station.device), n_cores, python.why_unusable(accuracy=True))
    try:
        engine = _native(station, request, None)
    except (UsageError, FetchError) as error:
        raise UsageError(
            f"{station.device.name}: {problem}, and there is no benchmark_model for it either ({error}). Install a "
            "runtime there: `python3 -m venv ~/harness && ~/harness/bin/pip install ai-edge-litert numpy msgspec "
            'pillow`, and say python = "~/harness/bin/python" in the [connection] of its profile'
        ) from error
    _LOG.warning(
        "%s is measured with benchmark_model, which gives no samples: %s", station.device.name, problem
    )
    return engine


def _native(station: Station, request: Request, binary: str | None) -> Engine:
    from harness.bench.engines.native.engine import NativeEngine
    from harness.bench.engines.native.tool import NativeTool
    from harness.drivers.benchmark_tool.binaries import fetch_tool, tool_from_file

    if binary is not None:
        program = tool_from_file(_located(binary, station))
    else:
        if station.info.abi is None:
            raise UsageError(
                f"{station.device.name}: its ABI is not known, so no benchmark_model can be fetched for it; "
                "give one with --benchmark-binary"
            )
        program = fetch_tool(station.info.abi)
    evaluation = None if request.eval_binary is None else tool_from_file(Path(request.eval_binary))
    tool = NativeTool(station.device, program, request.cpu_mask or big_cores(station))
    return NativeEngine(tool, evaluation)


def _located(binary: str, station: Station) -> Path:
    """Resolve a path in a profile, which is relative to the profile."""
    path = expand_user(binary)
    if path.is_absolute() or exists(path):
        return path
    return station.profile.origin.parent / binary


def big_cores(station: Station) -> str | None:
    """Return the mask of the fastest cores, as the device itself says; None where it does not, or has no `taskset`."""
    mask = station.info.facts.get("big_core_mask")
    can = "taskset" in str(station.info.facts.get("tools", "")).split()
    return None if mask is None or not can else str(mask)
