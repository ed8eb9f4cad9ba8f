"""The times of a cell's operators, from whatever measures it: which part of the graph costs what.

They come from a process of its own, because a profiler slows down what it watches. `benchmark_model` has one for every
delegate; our worker uses that of LiteRT's compiled models, which run on the CPU.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from harness.bench.engines.base import Engine
from harness.bench.engines.cooldown import CoolEngine
from harness.bench.engines.inputs import prepare_inputs
from harness.bench.plan import Cell
from harness.drivers.benchmark_tool.facts import OpRow
from harness.errors import MeasurementError
from harness.records.records import OperatorTime
from harness.settings import DEFAULT_MIN_RUNS, DEFAULT_MIN_SECONDS
from harness.units import NS_PER_MS
from harness.vocabulary import Status

if TYPE_CHECKING:
    from harness.bench.engines.native.engine import NativeEngine
    from harness.bench.engines.python_worker import PythonWorker

TIMEOUT_S = 120.0
"""For loading, and for some dozens of inferences of a slow model."""
IN_DELEGATE = "Delegate/"
"""What stands before an operator that ran inside a delegate: in its kind (LiteRT) or its name (benchmark_model)."""
_DELEGATE_KERNEL = re.compile(r"delegate", re.IGNORECASE)
"""A delegate that does not tell its own operators is one operator, such as `TfLiteGpuDelegateV2`."""
_NUMBER = r"\s+([\d.]+)"
_ROW = re.compile(rf"\s*(\S.*?){_NUMBER * 3}{_NUMBER}%{_NUMBER}%{_NUMBER}\s+(\d+)\s+(\S.*)")
"""Kind, start, first, mean (ms), %, cumulative %, memory, calls, name: ProfileSummaryDefaultFormatter."""
_SECTION = re.compile(r"=+ (.+?) =+\s*$")


@dataclass(frozen=True)
class Recorded:
    """What a profiler gave.

    Attributes:
        operators: In the order of execution.
        runtime: What ran the model.
        n_inferences: How many inferences the times are the mean of; None where that is not known.
    """

    operators: tuple[OperatorTime, ...]
    runtime: str
    n_inferences: int | None = None


@runtime_checkable
class Recorder(Protocol):
    """An engine that has another one, elsewhere, record operators."""

    def record_operators(self, cell: Cell) -> Recorded:
        """Record the operators of a cell; errors as for `record`."""


def record(engine: Engine, cell: Cell, scratch: Path) -> Recorded:
    """Record the operators of a cell in one process.

    Args:
        engine: What measures the cell.
        cell: What is profiled.
        scratch: An empty folder for this call alone.

    Raises:
        MeasurementError: There is no profiler for this cell, or it gave nothing.
        DeviceError: The device went away.
    """
    from harness.bench.engines.native.engine import NativeEngine
    from harness.bench.engines.python_worker import PythonWorker

    if isinstance(engine, CoolEngine):
        return record(engine.engine, cell, scratch)
    if isinstance(engine, NativeEngine):
        return _with_tool(engine, cell, scratch)
    if isinstance(engine, PythonWorker):
        return _with_worker(engine, cell, scratch)
    if isinstance(engine, Recorder):
        return engine.record_operators(cell)
    raise MeasurementError(f"{cell.device}: operator times are not available there")


def _with_tool(engine: NativeEngine, cell: Cell, scratch: Path) -> Recorded:
    output = engine.profile(cell, scratch)
    if output.status != Status.OK:
        raise MeasurementError("; ".join(output.reasons), status=output.status)
    if not output.profile:
        raise MeasurementError(f"{engine.runtime} told no operators: it may be built without a profiler")
    n = None if output.steady is None else output.steady.count
    return Recorded(tuple(map(from_tool, output.profile)), engine.runtime, n)


def from_tool(row: OpRow) -> OperatorTime:
    """Return an operator as benchmark_model tells it."""
    return OperatorTime(
        kind=row.node_type,
        name=row.name.removeprefix(IN_DELEGATE),
        delegated=_is_delegated(row.node_type, row.name),
        time_ns=row.mean_ns * max(row.times_called, 1),
        calls=max(row.times_called, 1),
    )


def _with_worker(engine: PythonWorker, cell: Cell, scratch: Path) -> Recorded:
    from harness.worker.jobs import OperatorsJob

    if not cell.delegate.is_cpu:
        raise MeasurementError(
            f"operator times of {cell.delegate} are not available from LiteRT in Python; give TFLite's benchmark_model "
            "with --benchmark-binary"
        )
    inputs = prepare_inputs(cell, scratch.parent)
    job = OperatorsJob(
        model=str(cell.model.file.resolve()),
        delegate=cell.delegate.kind,
        threads=cell.delegate.threads or 1,
        inputs=None if inputs is None else str(inputs),
        min_runs=DEFAULT_MIN_RUNS,
        min_seconds=DEFAULT_MIN_SECONDS,
        output=str(scratch),
        memory_limit_mb=cell.settings.memory_limit_mb,
    )
    facts = engine.carry_out(job, scratch, TIMEOUT_S).facts
    found = parse_summary(facts["summary"], facts["n_inferences"])
    if not found:
        raise MeasurementError(f"the profiler of {facts['runtime']} told no operators")
    return Recorded(found, facts["runtime"], facts["n_inferences"])


def parse_summary(text: str, n_inferences: int) -> tuple[OperatorTime, ...]:
    """Read the summary of LiteRT's profiler (`LiteRtGetProfileSummary`), which knows whole µs.

    Args:
        text: What it printed; only its section "Run Order" is read.
        n_inferences: How many inferences it is of.
    """
    return tuple(_from_summary(row, n_inferences) for row in _rows(text.splitlines()))


def _rows(lines: Iterable[str]) -> Iterator[re.Match[str]]:
    wanted = False
    for line in lines:
        section = _SECTION.fullmatch(line.strip())
        if section is not None:
            wanted = section[1] == "Run Order"
        elif wanted and (row := _ROW.fullmatch(line.rstrip())) is not None:
            yield row


def _from_summary(row: re.Match[str], n_inferences: int) -> OperatorTime:
    kind, calls = row[1].removeprefix(IN_DELEGATE), int(row[8])
    return OperatorTime(
        kind=kind,
        name=row[9],
        delegated=_is_delegated(row[1], row[9]),
        time_ns=round(float(row[4]) * NS_PER_MS * calls / max(n_inferences, 1)),
        calls=max(round(calls / max(n_inferences, 1)), 1),
    )


def _is_delegated(kind: str, name: str) -> bool:
    told = kind.startswith(IN_DELEGATE) or name.startswith(IN_DELEGATE)
    return told or _DELEGATE_KERNEL.search(kind) is not None
