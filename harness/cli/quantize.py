"""`harness quantize`: a smaller model of a float .tflite, and what it cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import rich_click as click

from harness import outputs
from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.printing import emit, note, show, warn
from harness.cli.progress import progress
from harness.cli.types import OutputFile, Place
from harness.quantization.modes import Calibration
from harness.quantization.request import ModeName, Request, make_job
from harness.report.content import Content

if TYPE_CHECKING:
    from harness.quantization.findings import Finding
    from harness.quantization.workflow import Job

TABLE = ("model", "quantization", "size_bytes", "inputs", "outputs", "snr_db", "cosine", "map", "ap50")
"""What a terminal shows; the other formats have all columns."""


@click.command(
    "quantize",
    context_settings=CONTEXT,
    epilog=examples(
        "harness quantize ssd.tflite --mode float16 -o ssd_f16.tflite                weights of half the size",
        "harness quantize ssd.tflite --mode int8 --representative train/ -o q.tflite  for integer accelerators",
        "harness quantize ssd.tflite --representative train/ --check-only            only check the images",
        "harness quantize ssd.tflite --for qualcomm-SM8650 --representative train/ --dataset coco/    what to ship",
        "harness quantize my-card --mode dynamic --dataset coco/ -o q.tflite          with mAP before and after",
    ),
)
@click.argument("model")
@click.option(
    "--mode",
    type=click.Choice(get_args(ModeName)),
    help="How to quantize. [needed unless --for or --check-only]",
)
@click.option(
    "--for",
    "target",
    metavar="TARGET",
    help="Try every mode for xnnpack, gpu or qualcomm-SM8650, and say what to ship. [default: one --mode]",
)
@click.option(
    "--representative",
    type=PATH,
    metavar="DIR",
    help="Images (or .npy) to calibrate with. [default: none; int8 needs them]",
)
@click.option(
    "--calibration",
    type=click.Choice(get_args(Calibration)),
    default="minmax",
    show_default=True,
    help="Scales by the largest value, or by the least squared error (int8, int16x8).",
)
@click.option(
    "--keep-float",
    multiple=True,
    metavar="REGEX",
    help="Leave the operators in float that write tensors of such names; can be given again. [default: quantize all]",
)
@click.option(
    "-o",
    "--output",
    type=OutputFile(outputs.MODEL_ENDINGS),
    metavar="FILE",
    help="The file to write. [needed unless --for or --check-only]",
)
@click.option(
    "--dataset", type=Place(), help="COCO dataset for mAP before and after. [default: the card's own]"
)
@click.option("--limit", type=int, help="Evaluate only the first so many images. [default: all]")
@click.option("--no-accuracy", is_flag=True, help="Do not measure mAP.")
@click.option(
    "--check-only", is_flag=True, help="Check the representative data and stop; status 1 for an error."
)
@click.option("--force", is_flag=True, help="Quantize although the check of the data found an error.")
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Quantize a float .tflite and show size, output error and mAP before and after.

    MODEL is a .tflite file, a card's name or a card's path. The representative data is checked first.
    """
    from harness.quantization import target, workflow
    from harness.report.run_progress import Shown

    job = _job(ctx.obj, options)
    if options["check_only"]:
        _check(ctx, job, format_)
        return
    columns: tuple[tuple[str, ...], tuple[str, ...]] = (workflow.COLUMNS, TABLE)
    with progress() as shown:
        if options["target"] is None:
            report = workflow.quantize(job, shown, Shown(shown))
        else:
            columns = (target.COLUMNS, target.SHOWN)
            report = target.quantize_for(job, target.find_target(options["target"]), shown, Shown(shown))
    _tell(report.findings)
    for text in report.remarks:
        note(text)
    show(Content(report.rows, columns[0], in_table=columns[1]), format_)


def _job(workspace: str | None, options: dict[str, Any]) -> Job:
    from harness.recognize.find import find_available
    from harness.workspace import find_workspace

    model = find_available(options["model"], find_workspace(workspace))
    if model.evidence:
        note(f"card of {model.file.name}, worked out from the file:")
    for sentence in model.evidence:
        note(f"  - {sentence}")
    request = Request(
        mode=options["mode"],
        output=options["output"],
        representative=options["representative"],
        calibration=options["calibration"],
        keep_float=options["keep_float"],
        dataset=Path(options["dataset"]) if options["dataset"] else None,
        limit=options["limit"],
        accuracy=not options["no_accuracy"],
        force=options["force"],
        workspace=workspace,
    )
    return make_job(model, request)


def _check(ctx: click.Context, job: Job, format_: str) -> None:
    from harness.quantization import workflow
    from harness.quantization.findings import COLUMNS

    findings = workflow.find_faults(job)
    if findings or format_ != "table":
        emit([finding.row() for finding in findings], COLUMNS, format_)
    else:
        note(f"{len(job.representative or ())} samples: nothing wrong was found")
    if any(finding.severity == "error" for finding in findings):
        ctx.exit(1)


def _tell(findings: tuple[Finding, ...]) -> None:
    for finding in findings:
        tell = note if finding.severity == "hint" else warn
        tell(f"{finding.name}: {finding.message} {finding.remedy}")
