"""Compile a model for a chip of Qualcomm's with LiteRT's plugin: what its NPU takes, and why it refuses the rest."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness import child_process, outputs
from harness.errors import HarnessError, JobError, UsageError
from harness.npu.compiler_log import CompilerLog, Refusal, parse
from harness.npu.license import require_acceptance
from harness.npu.reasons import find_model_reason, find_reason
from harness.npu.vendor import MAKER, Vendor, find_vendor
from harness.paths import content_of, is_file, resolved, size_of
from harness.tflite import reader
from harness.tflite.compiled import CompiledModel, is_dispatch, read_compiled
from harness.tflite.graph import Graph, Operator

TIMEOUT_S = 1800.0
"""YOLO at 640 pixels takes 15 s; a large model on a busy machine may take many minutes."""


@dataclass(frozen=True)
class RefusedOperator:
    """An operator that stays on the CPU.

    Attributes:
        operator: Its name in the file; empty where the compiler gave up on the whole model.
        index: Its place in the model; None where the compiler does not name it.
        inputs: Names of the tensors it reads.
        outputs: Names of the tensors it writes.
        types: What QNN was asked for, as `FLOAT_32, SFIXED_POINT_8 → FLOAT_32`; None where it does not say.
        says: The compiler's own words; None without any.
        why: The reason in plain words; None where it is not known.
        remedy: What helps; None where it is not known.
    """

    operator: str
    index: int | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    types: str | None = None
    says: str | None = None
    why: str | None = None
    remedy: str | None = None


@dataclass(frozen=True)
class Compilation:
    """What the NPU of a chip takes of a model. Unknown is None.

    Attributes:
        model: The file.
        soc: The chip.
        taken: Operators that run on the NPU; 0 where the model could not be compiled.
        operators: Of all.
        partitions: Parts of the graph on the NPU, as the compiled file has them.
        compiled_bytes: Size of the compiled .tflite; None where there is none.
        seconds: Wall time of the compiler; None where it was not heard to the end.
        refused: Operators that stay on the CPU, each with its reason.
        problem: Why there is no compiled model; None where there is one.
        compiler: What compiled, with versions.
        remarks: Versions that do not fit each other.
    """

    model: Path
    soc: str
    taken: int | None
    operators: int | None
    partitions: int | None
    compiled_bytes: int | None
    seconds: float | None
    refused: tuple[RefusedOperator, ...]
    problem: str | None
    compiler: str
    remarks: tuple[str, ...] = ()


def compile_for(
    model: Path, soc: str, output: Path | None = None, vendor: Vendor | None = None
) -> Compilation:
    """Compile a model for a chip: `compile_for(Path("ssd.tflite"), "SM8650")` → taken, partitions, refused.

    For whoever wants the vendor's own answer beside a forecast; `vendor_answer` is the same without an exception.

    Args:
        model: A .tflite.
        soc: Qualcomm's name of the chip: `SM8650`.
        output: Where the compiled .tflite is kept; None to keep nothing.
        vendor: Where compiler and libraries lie; None to look for them, and for the licence's acceptance.

    Raises:
        UsageError: They are not here, the licence was not accepted, or the file is no model for a compiler.
        JobError: The compiler crashed or hung, could not be loaded, or does not know the chip: nothing is known.
    """
    if vendor is None:
        vendor = find_vendor()
        require_acceptance(vendor)
    graph = _graph(model)
    with tempfile.TemporaryDirectory(prefix="harness-npu-") as folder, vendor.environment() as env:
        made = Path(folder, "compiled.tflite")
        ended = child_process.run(_argv(vendor, model, soc, made), timeout_s=TIMEOUT_S, env=env)
        log = parse(ended.stderr, ended.stdout)
        compiled = _compiled(made)
        if compiled is None and log.taken != 0:
            _require_verdict(model, soc, log, ended)
        if compiled is not None and output is not None:
            outputs.write(output, content_of(made))
        size = size_of(made) if compiled is not None else None
    return _compilation(model, soc, vendor, graph, log, compiled, size, ended.duration_s)


def vendor_answer(model: Path, soc: str) -> Compilation | str:
    """Return the vendor's answer for a model, or in words why there is none on this computer; never raises for that."""
    try:
        return compile_for(model, soc)
    except HarnessError as error:
        return str(error)


@contextmanager
def compiled_file(model: Path, soc: str, vendor: Vendor | None = None) -> Iterator[tuple[Path, Compilation]]:
    """Give a compiled file that goes with the block, and what was taken.

    Raises:
        UsageError: As `compile_for`.
        JobError: There is no compiled model; says why.
    """
    with tempfile.TemporaryDirectory(prefix="harness-npu-") as folder:
        file = Path(folder, f"{model.stem}_{soc}.tflite")
        found = compile_for(model, soc, file, vendor)
        if found.problem is not None:
            raise JobError(found.problem)
        yield file, found


def _graph(model: Path) -> Graph:
    data = reader.read_bytes(model)
    graph = reader.read_graph(data, model)
    with reader.malformed(model):
        compiled = read_compiled(graph)
    if compiled is not None:
        raise UsageError(
            f"{model}: is compiled for {compiled.soc or 'an NPU'} already: give the file from before"
        )
    return graph


def _argv(vendor: Vendor, model: Path, soc: str, made: Path) -> list[str]:
    return [
        str(vendor.program),
        "--cmd=apply",
        f"--model={resolved(model)}",
        f"--o={made}",
        f"--soc_manufacturer={MAKER}",
        f"--soc_model={soc}",
        "--err=--",
        f"--libs={vendor.plugins}",
    ]


def _compiled(made: Path) -> tuple[CompiledModel, Graph] | None:
    """Believe only what the file itself says: the program leaves an empty one where it fails."""
    if not is_file(made) or not size_of(made):
        return None
    graph = reader.read_graph(reader.read_bytes(made), made)
    with reader.malformed(made):
        found = read_compiled(graph)
    return None if found is None else (found, graph)


def _require_verdict(model: Path, soc: str, log: CompilerLog, ended: child_process.Completed) -> None:
    """Go on only where the compiler gave up on the model, and not on itself: else 0 of it would be taken for its word.

    Raises:
        JobError: It says nothing of the model.
    """
    row = find_model_reason(log)
    if row is not None and not row.verdict:
        said = next((f" ({words})" for words in log.problems if row.says in words), "")
        raise JobError(f"{model.name} cannot be compiled for {soc}: {row.why}{said}: {row.remedy}")
    if not log.problems:
        raise JobError(f"{model.name} for {soc}: {_how_it_ended(ended)}")


def _how_it_ended(ended: child_process.Completed) -> str:
    if ended.timed_out:
        return f"the compiler gave no answer within {TIMEOUT_S:g} s and was killed"
    tail = "; ".join(ended.stderr.strip().splitlines()[-2:])
    return f"the compiler ended with exit code {ended.exit_code} and no model: {tail}"


def _compilation(
    model: Path,
    soc: str,
    vendor: Vendor,
    graph: Graph,
    log: CompilerLog,
    compiled: tuple[CompiledModel, Graph] | None,
    size: int | None,
    seconds: float,
) -> Compilation:
    facts: dict[str, Any] = {
        "model": model,
        "soc": soc,
        "seconds": seconds,
        "compiled_bytes": size,
        "compiler": f"{vendor}, QNN {log.sdk}" if log.sdk else str(vendor),
        "remarks": log.version_remarks,
    }
    if compiled is None:
        gave_up = _gave_up(log)
        total = log.operators if log.operators is not None else len(graph.primary.operators)
        problem = f"{model.name} cannot be compiled for {soc}: {gave_up.why or gave_up.says}"
        if log.taken == 0:
            return Compilation(
                taken=0,
                operators=total,
                partitions=0,
                problem=problem,
                refused=_left(graph, None, log),
                **facts,
            )
        return Compilation(
            taken=0, operators=total, partitions=0, problem=problem, refused=(gave_up,), **facts
        )
    return Compilation(
        taken=log.taken,
        operators=log.operators,
        partitions=len(compiled[0].partitions),
        problem=None,
        refused=_left(graph, compiled[1], log),
        **facts,
    )


def _gave_up(log: CompilerLog) -> RefusedOperator:
    """The refusal of a whole model."""
    row = find_model_reason(log)
    if row is None and log.taken == 0:
        return RefusedOperator("", why="its NPU takes no operator of the model")
    return RefusedOperator(
        "",
        says="; ".join(log.problems) or None,
        why=row.why if row else None,
        remedy=row.remedy if row else None,
    )


def _left(graph: Graph, compiled: Graph | None, log: CompilerLog) -> tuple[RefusedOperator, ...]:
    """Return the operators that stay on the CPU: those the compiler names, and the others that its file still has."""
    named = {one.index: one for one in log.refused}
    places = named if compiled is None else {**named, **dict.fromkeys(_places_left(graph, compiled, named))}
    operators = graph.primary.operators
    return tuple(
        _refused(graph, operators[index], index, named.get(index), log)
        for index in sorted(places)
        if index < len(operators)
    )


def _places_left(graph: Graph, compiled: Graph, named: dict[int, Refusal]) -> Iterator[int]:
    """Find the operators of a compiled file in the model from before: by the names of what they write."""
    left = Counter(
        (one.name, _names(compiled, one)) for one in compiled.primary.operators if not is_dispatch(one)
    )
    for index in named:
        if index < len(graph.primary.operators):
            left[graph.primary.operators[index].name, _names(graph, graph.primary.operators[index])] -= 1
    for index, operator in enumerate(graph.primary.operators):
        key = (operator.name, _names(graph, operator))
        if index not in named and left[key] > 0:
            left[key] -= 1
            yield index


def _names(graph: Graph, operator: Operator, *, written: bool = True) -> tuple[str, ...]:
    tensors = operator.outputs if written else operator.inputs
    return tuple(graph.primary.tensors[index].name for index in tensors if index >= 0)


def _refused(
    graph: Graph, operator: Operator, index: int, refusal: Refusal | None, log: CompilerLog
) -> RefusedOperator:
    known = refusal or Refusal(index, operator.name)
    row = find_reason(operator.name, known, log)
    types = [", ".join(value.type for value in side) for side in (known.values, known.results)]
    return RefusedOperator(
        operator=operator.name,
        index=index,
        inputs=_names(graph, operator, written=False),
        outputs=_names(graph, operator),
        types=" → ".join(types) if all(types) else None,
        says=known.says or (row.says if row and row.says else None),
        why=row.why if row else None,
        remedy=row.remedy if row else None,
    )
