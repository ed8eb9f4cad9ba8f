"""`harness convert`: TensorFlow → TFLite."""

from __future__ import annotations

import re
from math import inf, isfinite
from pathlib import Path
from typing import Any, get_args

import rich_click as click

from harness import outputs
from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.printing import note, show, warn
from harness.cli.progress import progress
from harness.cli.types import OutputFile, Place
from harness.conversion.facts import ModeName
from harness.conversion.request import InputType, OutputType, Request, make_job
from harness.option import shortened
from harness.report.content import Content


class Size(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """Width and height: `320x320`, or `320` for a square."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read it."""
        found = re.fullmatch(r"0*([1-9][0-9]{0,5})(?:[x×]0*([1-9][0-9]{0,5}))?", str(value))
        if found is None:
            self.fail(f"found {shortened(str(value))!r}, expected a size such as 320 or 320x240", param, ctx)
        return int(found[1]), int(found[2] or found[1])


class Stats(click.ParamType):  # type: ignore[type-arg]
    """Mean and std: `128,128`."""

    name = "stats"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, float]:
        """Read it."""
        try:
            mean, std = (float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"found {value!r}, expected MEAN,STD such as 128,128", param, ctx)
        if not (0 < std < inf and isfinite(mean)):
            self.fail(f"found mean {mean:g} and std {std:g}, expected numbers, and a std above 0", param, ctx)
        return mean, std


@click.command(
    "convert",
    context_settings=CONTEXT,
    epilog=examples(
        "harness convert tflite_graph.pb --mode qat-uint8 -o q.tflite            a graph trained for quantization",
        "harness convert tflite_graph.pb --mode int8 --representative train/ -o q.tflite",
        "harness convert tflite_graph.pb --mode dynamic -o d.tflite              weights of 8 bits",
        "harness convert ssd-mobilenet-v1-mlperf                                 a card's graph, both ways",
        "harness convert saved_model/ --mode float16 --size 320x320 -o f.tflite  a SavedModel's folder",
    ),
)
@click.argument("source")
@click.option(
    "--mode",
    type=click.Choice(get_args(ModeName)),
    help="What to make. [default: what the card says of its file, else float32]",
)
@click.option(
    "-o",
    "--output",
    type=OutputFile(outputs.MODEL_ENDINGS),
    metavar="FILE",
    help="The .tflite to write. [default: the file of the card]",
)
@click.option(
    "--representative",
    type=PATH,
    metavar="DIR",
    help="Images (or .npy) to calibrate with. [default: none; int8 needs them]",
)
@click.option(
    "--card",
    "card",
    metavar="MODEL",
    help="Card that says how images are prepared and decoded. [default: worked out]",
)
@click.option(
    "--size",
    type=Size(),
    help="Input size, where the graph leaves it open: 320 or 320x240. [default: the graph's]",
)
@click.option("--input", "inputs", multiple=True, metavar="NAME", help="The input. [default: found]")
@click.option("--outputs", metavar="A,B", help="The outputs. [default: found]")
@click.option("--stats", type=Stats(), help="quantized_input_stats MEAN,STD. [default: from the preparation]")
@click.option(
    "--input-type",
    type=click.Choice(get_args(InputType)),
    help="Of an int8 model. [default: uint8]",
)
@click.option(
    "--output-type",
    type=click.Choice(get_args(OutputType)),
    help="Of an int8 model. [default: float32]",
)
@click.option("--dataset", type=Place(), help="COCO dataset for mAP of the result. [default: no mAP]")
@click.option("--limit", type=int, help="Evaluate only the first so many images. [default: all]")
@click.option("--force", is_flag=True, help="Convert although the check of the images found an error.")
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Convert a TensorFlow model: a frozen graph (.pb), a SavedModel's folder or a Keras file.

    SOURCE may also be the name of a card whose source has to be converted.
    """
    from harness.conversion import workflow
    from harness.edgetpu.compiler import compile_converted
    from harness.report.run_progress import Shown

    job = make_job(_request(ctx.obj, options), note)
    with progress() as shown:
        report = workflow.convert(job, shown.update, Shown(shown))
    for finding in report.findings:
        warn(f"{finding.name}: {finding.message} {finding.remedy}")
    for text in report.remarks:
        note(text)
    show(Content(report.rows, workflow.COLUMNS_WITH_ROUTE, in_table=workflow.COLUMNS), format_)
    for text in compile_converted(job.card, job.output):
        note(text)


def _request(workspace: str | None, options: dict[str, Any]) -> Request:
    chosen = {name: options[name] for name in ("source", "mode", "output", "representative", "card", "size")}
    types = {
        name: options[name] for name in ("inputs", "stats", "input_type", "output_type", "limit", "force")
    }
    return Request(
        **chosen,
        **types,
        outputs=tuple(options["outputs"].split(",")) if options["outputs"] else (),
        dataset=Path(options["dataset"]) if options["dataset"] else None,
        workspace=workspace,
    )
