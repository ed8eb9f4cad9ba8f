"""`harness quantize`: a smaller model of a float .tflite, and what it cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness.cli.common import CONTEXT, emit, examples, format_option, note, progress, show, warn
from harness.errors import ModelError
from harness.report.content import Content

if TYPE_CHECKING:
    from harness.quantization.findings import Finding
    from harness.quantization.workflow import Job

MODES = ("dynamic", "float16", "weight-only", "int8", "int8-float-fallback")
TABLE = ("model", "quantization", "size_bytes", "inputs", "outputs", "snr_db", "cosine", "map", "ap50")
"""What a terminal shows; the other formats have all columns."""


@click.command(
    "quantize",
    context_settings=CONTEXT,
    epilog=examples(
        "harness quantize ssd.tflite --mode float16 -o ssd_f16.tflite                weights of half the size",
        "harness quantize ssd.tflite --mode int8 --representative train/ -o q.tflite  for integer accelerators",
        "harness quantize ssd.tflite --representative train/ --check-only            only check the images",
        "harness quantize my-card --mode dynamic --dataset coco/ -o q.tflite          with mAP before and after",
    ),
)
@click.argument("model")
@click.option("--mode", type=click.Choice(list(MODES)), help="How to quantize.")
@click.option(
    "--representative",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Images (or .npy) to calibrate with.",
)
@click.option(
    "--keep-float",
    multiple=True,
    metavar="REGEX",
    help="Leave the operators in float that write tensors of such names; can be given again.",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The file to write.")
@click.option(
    "--dataset", type=click.Path(), help="COCO dataset for mAP before and after (default: the card's own)."
)
@click.option("--limit", type=int, help="Evaluate only the first so many images.")
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
    from harness.cli.run_progress import Shown
    from harness.quantization import workflow

    job = _job(ctx.obj, options)
    if options["check_only"]:
        _check(ctx, job, format_)
        return
    with progress() as shown:
        report = workflow.quantize(job, shown, Shown(shown))
    _tell(report.findings)
    for text in report.remarks:
        note(text)
    show(Content(report.rows, workflow.COLUMNS, in_table=TABLE), format_)


def _job(workspace: str | None, options: dict[str, Any]) -> Job:
    from harness.accuracy.dataset import find_dataset
    from harness.quantization.modes import find_mode
    from harness.quantization.representative import find_representative
    from harness.quantization.workflow import Job
    from harness.recognize.find import find_model
    from harness.workspace import find_workspace

    model = find_model(options["model"], find_workspace(workspace))
    if not model.available:
        raise ModelError(f"model {model.name!r}: {model.why_missing}")
    given = options["representative"]
    dataset = Path(options["dataset"]) if options["dataset"] else model.dataset_path
    dataset = None if options["no_accuracy"] else dataset
    if model.evidence:
        note(f"card of {model.file.name}, worked out from the file:")
    for sentence in model.evidence:
        note(f"  - {sentence}")
    return Job(
        model=model,
        mode=find_mode(options["mode"]) if options["mode"] else None,
        representative=None if given is None else find_representative(given),
        dataset=None if dataset is None else find_dataset(dataset).limited(options["limit"]),
        dataset_path=dataset,
        output=options["output"],
        limit=options["limit"],
        force=options["force"],
        keep_float=options["keep_float"],
        workspace=workspace,
    )


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
