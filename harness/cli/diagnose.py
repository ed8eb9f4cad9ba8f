"""`harness diagnose`: why a quantized detector lost accuracy, with the evidence."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness import outputs, units
from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.printing import emit_bytes, note, show, warn
from harness.cli.progress import progress
from harness.cli.types import OutputFile, Place
from harness.diagnosis.request import DEFAULT_LAYER_IMAGES, DEFAULT_LIMIT, Request, make_case, refuse_outputs
from harness.report.progress import Progress

if TYPE_CHECKING:
    from harness.diagnosis.attempt import Attempt
    from harness.diagnosis.diagnose import Case, Diagnosis

LEAST_KNOWN_S = 1.0
"""Seconds of a stage before which how long it takes cannot be told."""
DEFAULT_FOLDER = "diagnose-try"
NOTHING_TO_DRAW = "no picture was drawn: both sides find the same in every image"


@click.command(
    "diagnose",
    context_settings=CONTEXT,
    epilog=examples(
        "harness diagnose shapes-float32 shapes-full-integer          the bundled example",
        "harness diagnose float.tflite int8.tflite --dataset coco/ --html why.html",
        "harness diagnose float.tflite int8.tflite --dataset coco/ --representative calibration/ --try",
        "harness diagnose int8.tflite --dataset coco/                 only the quantized model",
        "harness diagnose float.tflite int8.tflite --dataset coco/ -d pixel-4 --delegate nnapi   the phone's",
        "harness diagnose float.tflite --dataset coco/ -d pixel-4 --delegate gpu   one file, here and there",
    ),
)
@click.argument("model", metavar="[FLOAT]")
@click.argument("quantized", metavar="QUANT", required=False)
@click.option("--dataset", type=PATH, help="COCO dataset: a folder or a TOML card. [default: the card's own]")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    default=DEFAULT_LIMIT,
    show_default=True,
    help="Images, at most.",
)
@click.option(
    "--layer-images",
    type=click.IntRange(min=0),
    metavar="N",
    default=DEFAULT_LAYER_IMAGES,
    show_default=True,
    help="Images that the tensors are compared on, fewer for large models; 0 leaves that out.",
)
@click.option(
    "-d",
    "--device",
    metavar="DEVICE",
    help="Where the quantized side runs: a device profile's name or address. [default: this computer]",
)
@click.option(
    "--delegate", metavar="DELEGATE", help="What executes the quantized side. [default: this computer's CPU]"
)
@click.option(
    "--benchmark-binary",
    type=Place(),
    help="TFLite's native benchmark_model to run it with. [default: the profile's, or the published one]",
)
@click.option(
    "--pipeline-config",
    type=Place(path_type=Path, exists=True, dir_okay=False),
    metavar="FILE",
    help="The training's pipeline.config: what it says is held against the model. [default: not compared]",
)
@click.option(
    "--representative",
    type=Place(path_type=Path, exists=True),
    metavar="DIR|FILE",
    help="The images, or a .npy or .npz file, that the quantized model was calibrated with. [default: not compared]",
)
@click.option("--try", "try_", is_flag=True, help="Carry out the remedies that can be, and measure each.")
@click.option(
    "--try-dir",
    type=Place(path_type=Path, file_okay=False),
    default=Path(DEFAULT_FOLDER),
    show_default=True,
    metavar="DIR",
    help="New folder for what --try makes.",
)
@click.option(
    "--html",
    type=OutputFile(outputs.PAGE_ENDINGS),
    metavar="FILE",
    help="Write a page too. [default: not written]",
)
@click.option(
    "--pictures",
    type=Place(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Draw the images that the sides differ most on: float left, quantized right. [default: not drawn]",
)
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Find out why a quantized detector lost accuracy: how bad, where, why, and what to do, with evidence.

    FLOAT and QUANT are .tflite files, cards' names or cards' paths. With one of them, it is the quantized model, and
    is judged by the annotations alone; or, with --device or --delegate, the same file here and there.
    """
    from harness.diagnosis import diagnose

    case = _case(ctx.obj, options)
    with progress() as shown:
        step = _Steps(shown)
        diagnosis = diagnose.examine(diagnose.gather(case, step), step)
        attempts = _attempts(diagnosis, options, step)
    _write(diagnosis, attempts, options)
    _print(diagnosis, attempts, format_)


class _Steps:
    """Passes on how far the work is; a log has no bar, so there each line says how much time a stage has left."""

    def __init__(self, shown: Progress) -> None:
        self._shown, self._log = shown, not sys.stderr.isatty()
        self._stage, self._begin = "", 0.0

    def __call__(self, done: int, total: int, text: str) -> None:
        if text != self._stage:
            self._stage, self._begin = text, time.monotonic()
        passed = time.monotonic() - self._begin
        known = self._log and passed > LEAST_KNOWN_S and 0 < done < total
        tail = f", {units.duration(passed * (total - done) / done)} left" if known else ""
        self._shown.update(done, total, text + tail)


def _case(workspace: str | None, options: dict[str, Any]) -> Case:
    refuse_outputs(options["html"], (options["pictures"], options["try_dir"] if options["try_"] else None))
    names = [field.name for field in fields(Request) if field.name != "workspace"]
    return make_case(Request(workspace=workspace, **{name: options[name] for name in names}), note)


def _attempts(diagnosis: Diagnosis, options: dict[str, Any], step: _Steps) -> Sequence[Attempt]:
    if not options["try_"]:
        return ()
    from harness.diagnosis.attempt import carry_out

    return carry_out(diagnosis, options["try_dir"], step)


def _write(diagnosis: Diagnosis, attempts: Sequence[Attempt], options: dict[str, Any]) -> None:
    """Write the page and the pictures, where they were asked for."""
    if options["pictures"] is not None:
        from harness.diagnosis.pictures import write_pictures

        files = write_pictures(diagnosis.evidence, options["pictures"])
        note(f"wrote {len(files)} pictures to {options['pictures']}" if files else NOTHING_TO_DRAW)
    if options["html"] is not None:
        from harness.report.html.diagnosis import render

        emit_bytes(render(diagnosis, attempts).encode("utf-8"), options["html"])
        note(f"wrote {options['html']}")


def _print(diagnosis: Diagnosis, attempts: Sequence[Attempt], format_: str) -> None:
    from harness.diagnosis.document import document
    from harness.report.diagnosis_sheet import content

    show(content(document(diagnosis, attempts)), format_)
    for name, reason in diagnosis.untested:
        warn(f"cause {name} could not be tested: {reason}")
