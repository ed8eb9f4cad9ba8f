"""Options that nothing in a plan would use: refused, since figures that they did not touch would seem to be of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.bench.engines.choose import measured_by
from harness.bench.engines.cooldown import TEMPERATURES
from harness.bench.plan import Cell
from harness.bench.request import Request
from harness.bench.stations import Station
from harness.errors import UsageError
from harness.vocabulary import EngineName

_WORDS = {
    EngineName.PYTHON_WORKER: "our own worker in Python, with the runtime that is installed there",
    EngineName.NATIVE_WORKER: "our own worker in C",
    EngineName.EMULATOR: "the vendor's emulator",
}


@dataclass(frozen=True)
class _Tried:
    """A cell that is measured, and by what."""

    cell: Cell
    station: Station
    engine: EngineName


@dataclass(frozen=True)
class _Rule:
    """An option, and whether it changes anything about a cell."""

    option: str
    asked: Callable[[Request], object]
    used: Callable[[_Tried], bool]
    hint: str


def _has_temperature(tried: _Tried) -> bool:
    return any(isinstance(tried.station.info.facts.get(name), (int, float)) for name in TEMPERATURES)


def _is_native(tried: _Tried) -> bool:
    return tried.engine in {EngineName.NATIVE_WORKER, EngineName.BENCHMARK_MODEL}


def _is_evaluated_there(tried: _Tried) -> bool:
    return tried.engine == EngineName.BENCHMARK_MODEL and tried.cell.wants_accuracy


def _is_not_emulated(tried: _Tried) -> bool:
    return tried.engine != EngineName.EMULATOR


_RULES = (
    _Rule(
        "--litert-library",
        lambda request: request.litert_library,
        _is_native,
        "it is for our own worker in C, on phones and on boards without Python",
    ),
    _Rule(
        "--benchmark-binary",
        lambda request: request.benchmark_binary,
        _is_not_emulated,
        "it is for devices that are measured",
    ),
    _Rule(
        "--eval-binary",
        lambda request: request.eval_binary,
        _is_evaluated_there,
        "it goes with --engine benchmark-model and a data set",
    ),
    _Rule(
        "--cpu-mask",
        lambda request: request.cpu_mask,
        _is_native,
        "it is for programs that are started by taskset; start the harness itself with taskset here",
    ),
    _Rule(
        "--max-start-temp",
        lambda request: request.max_start_temp is not None,
        _has_temperature,
        "it takes a battery or a thermal zone whose temperature can be read",
    ),
)


def refuse_unused(request: Request, stations: Sequence[Station], cells: Sequence[Cell]) -> None:
    """Refuse options that would change nothing of what is measured.

    Raises:
        UsageError: Names the option, what measures, and what it is for.
    """
    asked = [rule for rule in _RULES if rule.asked(request)]
    if not asked:
        return
    named = {station.device.name: station for station in stations}
    tried = [_tried(cell, named[cell.device], request) for cell in cells if cell.is_tried]
    for rule in asked:
        if tried and not any(map(rule.used, tried)):
            raise UsageError(f"{rule.option} changes nothing here: {_why(tried[0])}; {rule.hint}")


def _tried(cell: Cell, station: Station, request: Request) -> _Tried:
    return _Tried(cell, station, measured_by(station, request, cell.delegate))


def _why(tried: _Tried) -> str:
    engine = _WORDS.get(tried.engine, tried.engine)
    return f"{tried.cell.device} is measured with {engine}"
