"""The log of `edgetpu_compiler`, from its standard output or from the file it writes, of any version.

Forms that are known, as posted with versions 1.0 to 16.0 in the issues of google-coral/edgetpu: a header (`Edge TPU
Compiler version 16.0.384591198`), for each model its files, sizes and memory (`Input model: …`, in the log file
`Input: …`), and with `-s` a table of operators, in which one operator can stand in several rows. Several models in one
log were compiled together. What is not understood is passed over: nothing is refused here.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace

MAPPED = "mapped to edge tpu"
_ROW = re.compile(r"(?P<operator>[A-Z][A-Z0-9_]*)\s+(?P<count>\d{1,9})\s+(?P<status>\S.*)")
_SIZE = re.compile(r"(?P<number>\d{1,12}(\.\d{1,6})?)\s*(?P<unit>[KMGT]?i?B)", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_VERSION = re.compile(r"edge tpu compiler version\s+(?P<version>[\w.+-]{1,60})", re.IGNORECASE)
_COMPILED = re.compile(r"models? compiled successfully in (?P<ms>\d{1,12}(\.\d{1,6})?) ms", re.IGNORECASE)
_QUOTED = re.compile(r"^[\s>#|]*")
"""Logs are passed on in messages, where each line has a mark before it."""

PROBLEMS = (
    "invalid model",
    "model not quantized",
    "internal compiler error",
    "compilation failed",
    "compilation timed out",
    "compilation child process timed out",
    "error:",
    "didn't find op for builtin opcode",
    "cannot open",
    "could not",
)
"""How lines begin by which the compiler says that it made nothing."""


@dataclass(frozen=True)
class Row:
    """One row of the table.

    Attributes:
        operator: As in the schema, `CUSTOM` for any custom one.
        count: How many of them.
        status: The compiler's words.
    """

    operator: str
    count: int
    status: str

    @property
    def mapped(self) -> bool:
        """Whether they run on the Edge TPU."""
        return self.status.lower().startswith(MAPPED)


@dataclass(frozen=True)
class ModelLog:
    """What the log says of one model; what it does not say is None.

    Attributes:
        model: The model's file, as the compiler calls it.
        output: The compiled file.
        input_bytes: Size of the model.
        output_bytes: Size of the compiled one.
        on_chip_bytes: On-chip memory that holds its parameters.
        on_chip_left_bytes: On-chip memory that is left for others.
        off_chip_bytes: Parameters that are sent anew for every inference.
        subgraphs: Parts of the graph that run on the TPU.
        operations: Operators of the model.
        on_tpu: How many of them run on the TPU, as the log counts.
        on_cpu: How many run on the CPU.
        rows: The table; empty where the compiler was called without `-s`.
    """

    model: str = ""
    output: str = ""
    input_bytes: int | None = None
    output_bytes: int | None = None
    on_chip_bytes: int | None = None
    on_chip_left_bytes: int | None = None
    off_chip_bytes: int | None = None
    subgraphs: int | None = None
    operations: int | None = None
    on_tpu: int | None = None
    on_cpu: int | None = None
    rows: tuple[Row, ...] = ()

    @property
    def mapped(self) -> int | None:
        """Operators on the TPU: the log's own number, else the sum of its rows."""
        if self.on_tpu is not None or not self.rows:
            return self.on_tpu
        return sum(row.count for row in self.rows if row.mapped)

    @property
    def left(self) -> int | None:
        """Operators on the CPU."""
        if self.on_cpu is not None or not self.rows:
            return self.on_cpu
        return sum(row.count for row in self.rows if not row.mapped)


@dataclass(frozen=True)
class CompilerLog:
    """A whole log.

    Attributes:
        version: Of the compiler.
        compiled_ms: How long it took.
        models: What it says of each model.
        problems: Lines by which it says that it failed.
    """

    version: str | None = None
    compiled_ms: float | None = None
    models: tuple[ModelLog, ...] = ()
    problems: tuple[str, ...] = field(default=())


def size_in_bytes(text: str) -> int | None:
    """Read `6.83MiB`, `187.00KiB`, `0.00B`; None for anything else."""
    found = _SIZE.match(text.strip())
    if found is None:
        return None
    unit = found["unit"].lower().removesuffix("b").removesuffix("i")
    return round(float(found["number"]) * _UNITS[unit])


def _count(text: str) -> int | None:
    found = re.match(r"\s*(\d{1,9})\b", text)
    return int(found[1]) if found else None


_FIELDS: tuple[tuple[str, str, Callable[[str], int | None]], ...] = (
    # beginning of the line                               attribute             what stands behind the colon
    ("input size", "input_bytes", size_in_bytes),
    ("output size", "output_bytes", size_in_bytes),
    ("on-chip memory used for caching", "on_chip_bytes", size_in_bytes),
    ("on-chip memory remaining for caching", "on_chip_left_bytes", size_in_bytes),
    ("off-chip memory used for streaming", "off_chip_bytes", size_in_bytes),
    ("number of edge tpu subgraphs", "subgraphs", _count),
    ("total number of operations", "operations", _count),
    ("number of operations that will run on edge tpu", "on_tpu", _count),
    ("number of operations that will run on cpu", "on_cpu", _count),
)


def parse(text: str) -> CompilerLog:
    """Read a log; whatever it is, something comes back."""
    log, models, problems = CompilerLog(), [ModelLog()], []
    for raw in text.splitlines():
        line = _QUOTED.sub("", raw).strip()
        small = line.lower()
        if found := _VERSION.search(line):
            log = replace(log, version=found["version"])
        elif found := _COMPILED.search(line):
            log = replace(log, compiled_ms=float(found["ms"]))
        elif small.startswith(PROBLEMS):
            problems.append(line)
        else:
            _read_line(line, small, models)
    told = tuple(model for model in models if model != ModelLog())
    return replace(log, models=told, problems=tuple(dict.fromkeys(problems)))


def _read_line(line: str, small: str, models: list[ModelLog]) -> None:
    """Read a line that is of one model; the last one of `models` is the one that is being read."""
    key, _, value = line.partition(":")
    if key.strip().lower() in {"input model", "input"}:
        if models[-1] != ModelLog():
            models.append(ModelLog())
        models[-1] = replace(models[-1], model=value.strip())
    elif key.strip().lower() in {"output model", "output"}:
        models[-1] = replace(models[-1], output=value.strip())
    elif found := _ROW.fullmatch(line):
        row = Row(found["operator"], int(found["count"]), found["status"].strip())
        models[-1] = replace(models[-1], rows=(*models[-1].rows, row))
    else:
        for beginning, name, read in _FIELDS:
            if small.startswith(beginning):
                models[-1] = replace(models[-1], **{name: read(value)})  # type: ignore[arg-type]
                return
