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
_SUCCEEDED = ("compilation succeeded",)
_TRY = "try to compile segment"
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_PREFIX = re.compile(
    r"[\s>#|]+"
    r"|\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?\]?"
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\]?"
    r"|\[[^\]]{1,60}\]"
    r"|[\w./-]{1,60}\s*\|\s"
    r"|(?:INFO|DEBUG|WARNING|STDOUT|STDERR):(?:[\w.]{1,60}:)?"
    r"|(?:- )?(?:[\w.]{1,60} )?- (?:INFO|DEBUG|WARNING) -"
)
"""What others put before each line: marks of a quotation, time stamps of CI, names of Compose's services, loggers."""
_MOST_PREFIXES = 6

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
        problems: Lines by which it says that it failed; none where a later attempt succeeded.
        refused: Attempts that failed before the one that succeeded.
    """

    version: str | None = None
    compiled_ms: float | None = None
    models: tuple[ModelLog, ...] = ()
    problems: tuple[str, ...] = field(default=())
    refused: int = 0


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


def parse_runs(text: str) -> tuple[CompilerLog, ...]:
    """Read a text that may hold several runs of the compiler, each of which begins with its version."""
    runs: list[list[str]] = [[]]
    for line in map(_bare, text.splitlines()):
        if _VERSION.search(line) and any(map(_tells, runs[-1])):
            runs.append([])
        runs[-1].append(line)
    return tuple(map(_parse, runs))


def parse(text: str) -> CompilerLog:
    """Read the log of one run; whatever it is, something comes back."""
    return _parse(list(map(_bare, text.splitlines())))


def _bare(raw: str) -> str:
    """Return a line without what was put before it."""
    line = _COLOURS.sub("", raw).strip("\ufeff\0")
    for _ in range(_MOST_PREFIXES):
        found = _PREFIX.match(line)
        if found is None:
            break
        line = line[found.end() :]
    return line.strip()


def _tells(line: str) -> bool:
    """Tell whether a line belongs to a run, and not to the prompt before the first one."""
    small = line.lower()
    return bool(_VERSION.search(line) or _COMPILED.search(line) or _ROW.fullmatch(line)) or small.startswith(
        PROBLEMS
    )


def _parse(lines: list[str]) -> CompilerLog:
    log, models, tries = CompilerLog(), [ModelLog()], 0
    problems: list[str] = []
    for line in lines:
        small = line.lower()
        tries += small.startswith(_TRY)
        if found := _VERSION.search(line):
            log = replace(log, version=found["version"])
        elif found := _COMPILED.search(line):
            log, problems = replace(log, compiled_ms=float(found["ms"]), refused=max(0, tries - 1)), []
        elif small.startswith(_SUCCEEDED):
            problems = []
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
