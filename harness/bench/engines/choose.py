"""Which engine measures on which device.

This computer, its fakes, and boards whose Python has a TFLite runtime run our own worker in Python. Phones and other
boards run our own worker in C where it and LiteRT's library for them are at hand, so every row has all its samples.
TFLite's native benchmark_model measures the delegates that neither has, any device that a `--benchmark-binary` is given
for, and whatever is left.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from harness.bench.request import Request
from harness.bench.stations import Station
from harness.delegates import Delegate
from harness.errors import FetchError, UsageError
from harness.paths import exists, expand_user, is_file
from harness.vocabulary import EngineName

if TYPE_CHECKING:
    from harness.bench.engines.base import Engine
    from harness.bench.engines.board_images import Board
    from harness.bench.engines.native_worker.program import WorkerFiles
    from harness.drivers.conversation import StreamDevice
    from harness.drivers.device_python import DevicePython

_LOG = logging.getLogger(__name__)


def find_engine(station: Station, request: Request) -> Engine:
    """Make the engine of a device, which lets it cool down first where that is asked for.

    Raises:
        UsageError: What is to measure is not to be had.
        FetchError: It could not be fetched, or is not what was fetched before.
    """
    _refuse_no_library(request)
    engine = _engine(station, request)
    if request.max_start_temp is None:
        return engine
    from harness.bench.engines.cooldown import CoolEngine

    return CoolEngine(engine, station.device, request.max_start_temp)


def find_engines(stations: Sequence[Station], request: Request, *, outline: bool) -> tuple[Engine, ...]:
    """Make the engine of each device; of a plan that is only looked at, none: what cannot be had is refused.

    Our own worker in Python is always to be had on this computer, so it need not be loaded for that.
    """
    if not outline:
        return tuple(find_engine(station, request) for station in stations)
    _refuse_no_library(request)
    for station in stations:
        if _for_device(station, request) != EngineName.PYTHON_WORKER:
            _engine(station, request)
    return ()


def _refuse_no_library(request: Request) -> None:
    if request.litert_library is not None and not is_file(expand_user(request.litert_library)):
        raise UsageError(f"--litert-library: {request.litert_library} is no file")


def measured_by(station: Station, request: Request, delegate: Delegate) -> EngineName:
    """Return what measures a delegate on a device, as far as its facts tell before anything is pushed."""
    engine = _for_device(station, request)
    if engine != EngineName.NATIVE_WORKER:
        return engine
    files = native_files(station, request)
    lacking = isinstance(files, str) or files.why_not(delegate) is not None
    return EngineName.BENCHMARK_MODEL if lacking and request.engine == "auto" else engine


def measured_by_tool(station: Station, request: Request) -> bool:
    """Whether a device is measured with TFLite's native tool, whatever the delegate."""
    return _for_device(station, request) == EngineName.BENCHMARK_MODEL


def why_worker_lacks(station: Station, request: Request, delegate: Delegate) -> str | None:
    """Say why our own worker, where nothing else may measure, cannot run a delegate on a phone or board."""
    if request.engine != "worker" or _for_device(station, request) != EngineName.NATIVE_WORKER:
        return None
    files = native_files(station, request)
    why = None if isinstance(files, str) else files.why_not(delegate)
    return None if why is None else f"{why}; benchmark_model may: --engine auto or benchmark-model"


def native_files(station: Station, request: Request) -> WorkerFiles | str:
    """Return the worker in C and LiteRT's library for a device, or why they are not at hand."""
    from harness.bench.engines.native_worker.program import find_files

    library, tool = _given_library(station, request), _given_tool(station, request)
    try:
        return find_files(station.info, library, None if tool is None else str(_located(tool, station)))
    except (UsageError, FetchError) as error:
        return str(error)


def _for_device(station: Station, request: Request) -> EngineName:
    """Return the engine of a device, apart from the delegates that it may lack."""
    info, tool = station.info, _given_tool(station, request)
    if info.is_emulated:
        return EngineName.EMULATOR
    wants_tool = request.engine == "benchmark-model" or (request.engine == "auto" and tool and info.on_host)
    if wants_tool or station.absent is not None:
        return EngineName.BENCHMARK_MODEL
    if info.on_host:
        return EngineName.PYTHON_WORKER
    if not tool and info.python is not None and info.python.why_unusable() is None:
        return EngineName.PYTHON_WORKER
    if request.engine == "worker":
        return EngineName.NATIVE_WORKER
    wanted = not tool or _has_library(station, request, tool)
    there = wanted and not isinstance(native_files(station, request), str)
    return EngineName.NATIVE_WORKER if there else EngineName.BENCHMARK_MODEL


def _given_tool(station: Station, request: Request) -> str | None:
    return request.benchmark_binary or station.profile.data.benchmark_binary or None


def _given_library(station: Station, request: Request) -> str | None:
    own = station.profile.data.litert_library
    return request.litert_library or (str(_located(own, station)) if own else None)


def _has_library(station: Station, request: Request, tool: str) -> bool:
    """Whether LiteRT's library was given, or lies beside the native tool that was given."""
    from harness.bench.engines.native_worker.program import LIBRARY

    return _given_library(station, request) is not None or is_file(_located(tool, station).parent / LIBRARY)


def _engine(station: Station, request: Request) -> Engine:
    info = station.info
    match _for_device(station, request):
        case EngineName.EMULATOR:
            from harness.bench.engines.emulator import EmulatorEngine

            return EmulatorEngine(station.device, info)
        case EngineName.PYTHON_WORKER if info.on_host:
            from harness.bench.engines.python_worker import PythonWorker

            return PythonWorker(station.device)
        case EngineName.PYTHON_WORKER:
            assert info.python is not None
            return _of_board(station, info.python)
        case EngineName.NATIVE_WORKER:
            return _native_worker(station, request)
    if info.on_host or request.engine != "auto" or _given_tool(station, request) is not None:
        return _native(station, request, _given_tool(station, request))
    return _for_want_of_a_worker(station, request)


def _of_board(station: Station, python: DevicePython) -> Engine:
    """Our own worker in the board's Python."""
    from harness.bench.engines.board_worker import BoardWorker

    cores = station.info.facts.get("cores")
    n_cores = cores if isinstance(cores, int) else 1
    # what tells of a Python of its own packs as well
    return BoardWorker(cast("Board", station.device), n_cores, python.why_unusable(accuracy=True))


def _native_worker(station: Station, request: Request) -> Engine:
    """Our own worker in C; where any engine may measure, benchmark_model for the delegates that it lacks."""
    from harness.bench.engines.mixed import MixedEngine
    from harness.bench.engines.native_worker.engine import NativeWorkerEngine
    from harness.bench.engines.native_worker.place import PlacedWorker

    files = native_files(station, request)
    if isinstance(files, str):
        raise UsageError(f"{station.device.name}: --engine worker: {files}")
    device = cast("StreamDevice", station.device)
    worker = NativeWorkerEngine(PlacedWorker(device, files, request.cpu_mask or big_cores(station)))
    if request.engine == "worker":
        return worker
    return MixedEngine(
        worker, files.why_not, lambda: _native(station, request, _given_tool(station, request))
    )


def _for_want_of_a_worker(station: Station, request: Request) -> Engine:
    """The native tool for a device that none of our workers can measure; says once why."""
    python = station.info.python
    problem = None if python is None else python.why_unusable()
    why = "; ".join(filter(None, [problem, str(native_files(station, request))]))
    try:
        engine = _native(station, request, None)
    except (UsageError, FetchError) as error:
        if problem is None:
            raise
        raise UsageError(
            f"{station.device.name}: {problem}, and there is no benchmark_model for it either ({error}). Install a "
            "runtime there: `python3 -m venv ~/harness && ~/harness/bin/pip install ai-edge-litert numpy msgspec "
            'pillow`, and say python = "~/harness/bin/python" in the [connection] of its profile'
        ) from error
    _LOG.warning("%s is measured with benchmark_model, which gives no samples: %s", station.device.name, why)
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
