"""`harness edgetpu`: run Google's compiler, and read its log."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.printing import emit, note, show, warn
from harness.errors import cannot_read
from harness.paths import content_of
from harness.report.content import Content
from harness.text import clean

if TYPE_CHECKING:
    from harness.edgetpu.coverage import Coverage, Share
    from harness.edgetpu.log import CompilerLog, ModelLog

COLUMNS = ("file", "operator", "count", "status", "mapped")
SUMMARY = (
    "file",
    "model",
    "compiler",
    "operations",
    "on_tpu",
    "on_cpu",
    "subgraphs",
    "on_chip_bytes",
    "on_chip_left_bytes",
    "off_chip_bytes",
    "macs_low",
    "macs_high",
    "weight_bytes_low",
    "weight_bytes_high",
    "advice",
)
_MODEL = click.option(
    "--model",
    "model",
    metavar="MODEL",
    help="The model from before the compiler: how much of its work is mapped. [default: not compared]",
)
_SUMMARY = click.option("--summary", is_flag=True, help="One row a model: counts, memory, shares, advice.")


@dataclass(frozen=True)
class Told:
    """What one log says of one model, and how much work that is."""

    file: str
    log: CompilerLog
    model: ModelLog
    coverage: Coverage | None = None


@click.group(
    "edgetpu",
    context_settings=CONTEXT,
    epilog=examples(
        "harness edgetpu compile ssd_int8.tflite                      the file that a Coral runs, and the log",
        "harness edgetpu log ssd_int8_edgetpu.log --model ssd_int8.tflite   what is mapped, and how much work that is",
        "harness edgetpu log ptq.log qat.log                          two logs side by side",
    ),
)
def command() -> None:
    """Compile models for the Coral Edge TPU, and say what the compiler's log means."""


@command.command(
    "log",
    context_settings=CONTEXT,
    epilog=examples(
        "harness edgetpu log ssd_edgetpu.log                          operator, count, status, and what to do",
        "harness edgetpu log ssd_edgetpu.log --model ssd.tflite       with the share of MACs and of weights",
        "harness edgetpu log ptq.log qat.log                          side by side, with what only one has",
        "harness edgetpu log ssd_edgetpu.log --summary --format json  one object a model",
    ),
)
@click.argument("files", nargs=-1, required=True, type=PATH, metavar="FILE...")
@_MODEL
@_SUMMARY
@format_option()
@click.pass_context
def log_command(
    ctx: click.Context, files: tuple[Path, ...], model: str | None, summary: bool, format_: str
) -> None:
    """Show the log of edgetpu_compiler as a table: what runs on the Edge TPU, what does not, and why.

    FILE is what the compiler printed, or the .log file that it wrote; with the option -s it holds the table.
    """
    from harness.recognize.find import find_file

    logs = [named for path in files for named in _runs_in(path)]
    for name, log in logs:
        if not (log.models or log.problems or log.version):
            raise _no_log(name)
    _show(_told(logs, None if model is None else find_file(model, ctx.obj)), logs, summary, format_)


@command.command(
    "compile",
    context_settings=CONTEXT,
    epilog=examples(
        "harness edgetpu compile ssd_int8.tflite            ssd_int8_edgetpu.tflite beside it, and its log",
        "harness edgetpu compile ssd_int8.tflite -o build/  in another folder",
    ),
)
@click.argument("model", metavar="MODEL")
@click.option("-o", "--output", type=PATH, metavar="DIR", help="Folder. [default: the model's]")
@click.option("-a", "--multiple-subgraphs", is_flag=True, help="Map every part that can be (experimental).")
@click.option(
    "--min-runtime",
    type=click.IntRange(1),
    metavar="N",
    help="Oldest runtime that shall run it. [default: the compiler's]",
)
@click.option(
    "--segments",
    type=click.IntRange(1),
    metavar="N",
    help="Cut it for a pipeline of N Edge TPUs. [default: one piece]",
)
@click.option(
    "--timeout",
    "timeout_s",
    type=click.IntRange(1),
    metavar="S",
    help="Give up after S seconds. [default: never]",
)
@_SUMMARY
@format_option()
@click.pass_context
def compile_command(ctx: click.Context, /, model: str, summary: bool, format_: str, **options: Any) -> None:
    """Compile a fully quantized model with edgetpu_compiler, where it is installed, and show its log."""
    from harness.edgetpu.compiler import Options, compile_model
    from harness.recognize.find import find_converted

    path = find_converted(model, ctx.obj)
    done = compile_model(path, Options(**options))
    logs = [(str(done.log_file), done.log)]
    _show(_told(logs, path), logs, summary, format_)
    note(f"compiled: {done.model}\nlog: {done.log_file}")


def _runs_in(path: Path) -> list[tuple[str, CompilerLog]]:
    """Read the runs of the compiler in a file, each with its name."""
    from harness.edgetpu.log import parse_runs

    runs = parse_runs(_read(path))
    if len(runs) == 1:
        return [(str(path), runs[0])]
    return [(f"{path} (run {at} of {len(runs)})", run) for at, run in enumerate(runs, 1)]


def _read(path: Path) -> str:
    from harness.errors import UsageError

    try:
        data = content_of(path)
    except OSError as error:
        raise UsageError(cannot_read(path, error)) from error
    return data.decode(_encoding(data), errors="replace")


def _encoding(data: bytes) -> str:
    """Tell how a log is written: PowerShell's `>` writes UTF-16, at times without a mark."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    zeros = data[:200].count(0)
    if zeros * 3 < len(data[:200]) or not zeros:
        return "utf-8"
    return "utf-16-le" if data[1:2] == b"\0" else "utf-16-be"


def _no_log(name: str) -> Exception:
    from harness.errors import UsageError

    return UsageError(
        f"{name}: is no log of edgetpu_compiler: found neither its version nor a table of operators; give what "
        "`edgetpu_compiler -s MODEL` printed"
    )


def _told(logs: list[tuple[str, CompilerLog]], path: Path | None) -> list[Told]:
    """Put the logs of all files one after the other, each with its share of the model's work."""
    from harness.edgetpu.coverage import coverage
    from harness.errors import UsageError

    told = [Told(name, log, model) for name, log in logs for model in log.models]
    if path is None:
        return told
    if len(told) != 1:
        raise UsageError(f"--model: found logs of {len(told)} models, expected one")
    if not told[0].model.rows:
        raise UsageError(f"{told[0].file}: holds no table of operators: compile with `edgetpu_compiler -s`")
    (one,) = told
    return [Told(one.file, one.log, one.model, coverage(one.model, path))]


def _show(told: list[Told], logs: list[tuple[str, CompilerLog]], summary: bool, format_: str) -> None:
    from harness.edgetpu.advice import advice

    if summary:
        emit([_summary(one) for one in told], SUMMARY, format_)
    else:
        show(_rows_of(told), format_)
        if format_ == "table":
            _say_around(told)
    for name, log in logs:
        if log.problems:
            from harness.edgetpu.log import ModelLog

            warn(f"{name}: {'; '.join(advice(log, ModelLog()))}")
        elif not any(model.rows for model in log.models):
            warn(f"{name}: found no table of operators; `edgetpu_compiler -s MODEL` prints one")


def _rows_of(told: list[Told]) -> Content:
    """The rows of all logs; a table of two stands side by side."""
    rows = [_row(one.file, row) for one in told for row in one.model.rows]
    if len(told) == 2:
        return Content(rows, COLUMNS, own={"table": lambda: _side_by_side(told)})
    return Content(rows, COLUMNS, in_table=COLUMNS if len(told) > 1 else COLUMNS[1:])


def _say_around(told: list[Told]) -> None:
    """Say what stands around a table: what only one of two logs has, and the facts of each."""
    if len(told) == 2:
        from harness.edgetpu.compare import remarks, side_by_side

        pairs = side_by_side(told[0].model, told[1].model)
        for text in remarks(pairs, (told[0].file, told[1].file)):
            note(f"- {text}")
    for one in told:
        _say(one)


def _row(file: str, row: Any) -> dict[str, Any]:
    return {
        "file": file,
        "operator": row.operator,
        "count": row.count,
        "status": row.status,
        "mapped": row.mapped,
    }


def _side_by_side(told: list[Told]) -> Content:
    """Two logs beside each other."""
    from harness.edgetpu.compare import side_by_side

    first, second = (clean(f"{k}: {one.file}") for k, one in enumerate(told, 1))
    pairs = side_by_side(told[0].model, told[1].model)
    rows = [
        {"operator": pair.operator, first: pair.first, second: pair.second, "status": pair.status}
        for pair in pairs
    ]
    return Content(rows, ("operator", first, second, "status"))


def _summary(one: Told) -> dict[str, Any]:
    from harness.edgetpu.advice import advice

    model, found = one.model, one.coverage
    return {
        "file": one.file,
        "model": model.model or None,
        "compiler": one.log.version,
        "operations": model.operations,
        "on_tpu": model.mapped,
        "on_cpu": model.left,
        "subgraphs": model.subgraphs,
        "on_chip_bytes": model.on_chip_bytes,
        "on_chip_left_bytes": model.on_chip_left_bytes,
        "off_chip_bytes": model.off_chip_bytes,
        "macs_low": found.macs.low if found else None,
        "macs_high": found.macs.high if found else None,
        "weight_bytes_low": found.weight_bytes.low if found else None,
        "weight_bytes_high": found.weight_bytes.high if found else None,
        "advice": advice(one.log, model),
    }


def _say(one: Told) -> None:
    """Say in words what stands around the table, and what to do."""
    from harness import units
    from harness.edgetpu.advice import advice

    model = one.model
    facts = [
        f"compiler {one.log.version}" if one.log.version else "",
        f"{model.mapped} of {model.mapped + model.left} operators on the Edge TPU"
        if model.mapped is not None and model.left is not None
        else "",
        f"compiled after {one.log.refused} refused cuts" if one.log.refused else "",
        f"{model.subgraphs} subgraph(s)" if model.subgraphs is not None else "",
        f"on-chip {units.size(model.on_chip_bytes)}" if model.on_chip_bytes is not None else "",
        f"off-chip {units.size(model.off_chip_bytes)}" if model.off_chip_bytes is not None else "",
        f"{_percent(one.coverage.macs)} of the MACs" if one.coverage else "",
        f"{_percent(one.coverage.weight_bytes)} of the weights' bytes" if one.coverage else "",
    ]
    note(f"{one.file}: {', '.join(filter(None, facts)) or 'no further facts'}")
    for text in advice(one.log, model):
        note(f"- {text}")


def _percent(share: Share) -> str:
    """A share as `98.2 %`, or as a range where the log leaves open which operators are mapped."""
    if share.low is None or share.high is None:
        return "unknown share"
    low, high = f"{100 * share.low:.1f}", f"{100 * share.high:.1f}"
    return f"{low} %" if low == high else f"{low} to {high} %"
