"""`harness npu`: what Qualcomm's own compiler takes of a model, and why it refuses the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.printing import note, show, warn

if TYPE_CHECKING:
    from harness.npu.compiler import Compilation
    from harness.report.content import Content

COLUMNS = (
    "model",
    "soc",
    "taken",
    "operators",
    "partitions",
    "compiled_bytes",
    "seconds",
    "refused",
    "problem",
    "compiler",
    "file",
)
IN_TABLE = ("model", "soc", "taken", "operators", "partitions", "compiled_bytes", "seconds")
WHY = ("operator", "count", "why", "remedy", "types", "at")
LONGEST_LIST = 6


@click.command(
    "npu",
    context_settings=CONTEXT,
    epilog=examples(
        "harness npu ssd_int8.tflite --soc SM8350,SM8650,SM8850   what the NPU of three chips takes",
        "harness npu ssd_int8.tflite --soc SM8650 --why           each refused operator, QNN's reason and what helps",
        "harness npu ssd_int8.tflite --soc SM8650 -o compiled/    the compiled .tflite is kept",
    ),
)
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--soc", "socs", required=True, multiple=True, metavar="SOC,…", help="Chips, such as SM8650; with commas."
)
@click.option("--why", is_flag=True, help="Say why operators are refused, and what helps.")
@click.option(
    "--accept-vendor-license",
    "accept",
    is_flag=True,
    help="You have read the licence of Qualcomm's libraries and accept it; needed once.",
)
@click.option(
    "-o", "--output", type=PATH, metavar="DIR", help="Keep the compiled models here. [default: not kept]"
)
@format_option()
@click.pass_context
def command(
    ctx: click.Context,
    models: tuple[str, ...],
    socs: tuple[str, ...],
    why: bool,
    accept: bool,
    output: Path | None,
    format_: str,
) -> None:
    """Compile models for the NPU of Qualcomm's chips with the vendor's own compiler, and say what it takes.

    No phone is needed. The compiler's plugin is a part of ai-edge-litert; Qualcomm's libraries are in the PyPI package
    onnxruntime-qnn, which is yours to install and has a licence of its own. devices/socs says which phone has which
    chip.
    """
    from harness import atomic
    from harness.npu.license import require_acceptance
    from harness.npu.vendor import find_vendor
    from harness.recognize.find import find_file

    chips = list(_chips(socs, ctx.obj))
    files = [(name, find_file(name, ctx.obj)) for name in dict.fromkeys(models)]
    if output is not None:
        _require_distinct([file for _, file in files])
    vendor = find_vendor()
    require_acceptance(vendor, accept)
    if output is not None:
        atomic.make_folder(output)
    rows, found, bad_input = [], [], []
    for name, file in files:
        for soc in chips:
            done, kept, refused = _compile(file, soc, output, vendor)
            rows.append(_row(name, done, kept))
            found.append((name, done))
            bad_input.append(refused)
    show(_content(rows, found, why), format_)
    _say_around(found, why)
    if any(done.problem is not None for _, done in found):
        ctx.exit(2 if all(bad_input) else 1)


def _chips(socs: Sequence[str], workspace: str | None) -> Iterator[str]:
    from harness.npu.socs import find_soc
    from harness.workspace import find_workspace

    names = [name.strip() for text in socs for name in text.split(",") if name.strip()]
    if not names:
        raise click.UsageError(f"--soc {','.join(socs)}: names no chip; expected one such as SM8650")
    yield from dict.fromkeys(find_soc(name, find_workspace(workspace)).name for name in names)


def _require_distinct(files: Sequence[Path]) -> None:
    """Go on only where no compiled model would be written over another one."""
    from harness.paths import resolved

    first: dict[str, Path] = {}
    for file in files:
        if resolved(first.setdefault(file.stem, file)) != resolved(file):
            raise click.UsageError(
                f"--output: {first[file.stem]} and {file} would be kept under one name; compile them one by one"
            )


def _compile(file: Path, soc: str, output: Path | None, vendor: Any) -> tuple[Compilation, Path | None, bool]:
    """Compile one model; one that cannot be takes the others' rows down with it as little as a bad cell.

    Returns:
        What came of it, the file that is kept, and whether the model is bad input.
    """
    from harness.errors import HarnessError, UsageError, is_host_fault
    from harness.npu.compiler import Compilation, compile_for

    kept = None if output is None else output / f"{file.stem}_{soc}.tflite"
    try:
        done = compile_for(file, soc, kept, vendor)
    except HarnessError as error:
        if is_host_fault(error):
            raise
        failed = Compilation(file, soc, None, None, None, None, None, (), str(error), str(vendor))
        return failed, None, isinstance(error, UsageError)
    return done, kept if done.problem is None else None, False


def _row(name: str, done: Compilation, kept: Path | None) -> dict[str, Any]:
    return {
        "model": name,
        "soc": done.soc,
        "taken": done.taken,
        "operators": done.operators,
        "partitions": done.partitions,
        "compiled_bytes": done.compiled_bytes,
        "seconds": None if done.seconds is None else round(done.seconds, 2),
        "refused": [_plain(asdict(one)) for one in done.refused],
        "problem": done.problem,
        "compiler": done.compiler,
        "file": None if kept is None else str(kept),
    }


def _plain(refused: dict[str, Any]) -> dict[str, Any]:
    """Turn tuples into lists, as JSON has them."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in refused.items()}


def _content(rows: list[dict[str, Any]], found: Sequence[tuple[str, Compilation]], why: bool) -> Content:
    from harness.report.content import Content, nested

    def table() -> Content:
        reasons = list(_reasons(found))
        columns = WHY if len(found) == 1 else ("model", "soc", *WHY)
        return Content(reasons, columns) if why and reasons else Content(rows, IN_TABLE)

    return nested(rows, COLUMNS, {"table": table})


def _reasons(found: Sequence[tuple[str, Compilation]]) -> Iterator[dict[str, Any]]:
    """Yield one row for the operators of one name that are refused for one reason."""
    for name, done in found:
        groups: dict[tuple[Any, ...], list[Any]] = {}
        for one in done.refused:
            why = one.why or one.says or "the compiler does not say why"
            groups.setdefault((one.operator, why, one.remedy, one.types), []).append(one)
        for (operator, why, remedy, types), members in groups.items():
            yield {
                "model": name,
                "soc": done.soc,
                "operator": operator or "(the model)",
                "count": len(members),
                "why": why,
                "remedy": remedy or "unknown: tell us what helped",
                "types": types,
                "at": _places([one.index for one in members if one.index is not None]),
            }


def _places(indices: Sequence[int]) -> str:
    more = ", …" if len(indices) > LONGEST_LIST else ""
    return ", ".join(f"#{index}" for index in indices[:LONGEST_LIST]) + more


def _say_around(found: Sequence[tuple[str, Compilation]], why: bool) -> None:
    """Say what the counts do not: what failed, versions, and where the reasons are."""
    for _, done in found:
        if done.problem is not None:
            warn(done.problem)
    for text in dict.fromkeys(done.compiler for _, done in found):
        note(f"compiled by {text}")
    for text in dict.fromkeys(remark for _, done in found for remark in done.remarks):
        note(f"- {text}")
    if why:
        for name, done in (one for one in found if one[1].taken is not None):
            note(f"{name} for {done.soc}: {done.taken} of {done.operators} operators on the NPU")
    elif any(done.refused for _, done in found):
        note("--why says why the others are refused, and what helps")
