"""`harness convert`: TensorFlow → TFLite."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness.cli.common import CONTEXT, examples, format_option, note, progress, show, warn
from harness.errors import UsageError
from harness.report.content import Content

if TYPE_CHECKING:
    from harness.cards import Model
    from harness.conversion.workflow import Job

MODES = ("float32", "float16", "dynamic", "int8", "qat-uint8")


class Size(click.ParamType):  # type: ignore[type-arg]  # not generic before click 8.3
    """Width and height: `320x320`, or `320` for a square."""

    name = "size"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Read it."""
        found = re.fullmatch(r"(\d+)(?:[x×](\d+))?", str(value))
        if found is None or int(found[1]) < 1:
            self.fail(f"found {value!r}, expected a size such as 320 or 320x240", param, ctx)
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
        if std <= 0:
            self.fail(f"found std {std:g}, expected more than 0", param, ctx)
        return mean, std


@click.command(
    "convert",
    context_settings=CONTEXT,
    epilog=examples(
        "harness convert tflite_graph.pb --mode qat-uint8 -o q.tflite            a graph trained for quantization",
        "harness convert tflite_graph.pb --mode int8 --representative train/ -o q.tflite",
        "harness convert tflite_graph.pb --mode dynamic -o d.tflite              weights of 8 bits",
        "harness convert saved_model/ --mode float16 --size 320x320 -o f.tflite  a SavedModel's folder",
    ),
)
@click.argument("source")
@click.option("--mode", type=click.Choice(list(MODES)), required=True, help="What to make.")
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="The .tflite to write.")
@click.option(
    "--representative",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Images (or .npy) to calibrate with.",
)
@click.option("--card", "card", metavar="MODEL", help="Card that says how images are prepared and decoded.")
@click.option("--size", type=Size(), help="Input size, where the graph leaves it open: 320 or 320x240.")
@click.option("--input", "inputs", multiple=True, metavar="NAME", help="The input (default: found).")
@click.option("--outputs", metavar="A,B", help="The outputs (default: found).")
@click.option("--stats", type=Stats(), help="quantized_input_stats MEAN,STD (default: from the preparation).")
@click.option(
    "--input-type", type=click.Choice(["uint8", "int8", "float32"]), default="uint8", help="Of an int8 model."
)
@click.option(
    "--output-type",
    type=click.Choice(["float32", "uint8", "int8"]),
    default="float32",
    help="Of an int8 model.",
)
@click.option("--dataset", type=click.Path(), help="COCO dataset for mAP of the result.")
@click.option("--limit", type=int, help="Evaluate only the first so many images.")
@click.option("--force", is_flag=True, help="Convert although the check of the images found an error.")
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Convert a TensorFlow model: a frozen graph (.pb), a SavedModel's folder or a Keras file.

    SOURCE may also be the name of a card whose source has to be converted.
    """
    from harness.cli.run_progress import Shown
    from harness.conversion import workflow

    job = _job(ctx.obj, options)
    with progress() as shown:
        report = workflow.convert(job, shown.update, Shown(shown))
    for finding in report.findings:
        warn(f"{finding.name}: {finding.message} {finding.remedy}")
    for text in report.remarks:
        note(text)
    show(Content(report.rows, workflow.COLUMNS_WITH_ROUTE, in_table=workflow.COLUMNS), format_)


def _job(workspace: str | None, options: dict[str, Any]) -> Job:
    from harness.conversion.workflow import Job
    from harness.quantization.representative import find_representative
    from harness.recognize.find import find_model
    from harness.workspace import find_workspace

    source, card = Path(options["source"]), None
    if options["card"] or not (source.exists() or source.suffix):
        card = find_model(options["card"] or options["source"], find_workspace(workspace))
        source = source if source.exists() else _to_convert(card)
    output = options["output"] or (card.file if card and card.download else None)
    if output is None:
        raise UsageError("name the file to write with -o FILE.tflite")
    given = options["representative"]
    if given is not None and card is None:
        note(
            "images are prepared with mean 127.5 and std 127.5, as for the TF detection models; --card says others"
        )
    return Job(
        source=source,
        mode=options["mode"],
        output=output,
        card=card,
        spec=_spec(card, options["size"]),
        size=options["size"] or (None if card is None else (card.card.input.width, card.card.input.height)),
        inputs=options["inputs"],
        outputs=tuple(options["outputs"].split(",")) if options["outputs"] else (),
        stats=options["stats"],
        input_type=options["input_type"],
        output_type=options["output_type"],
        representative=None if given is None else find_representative(given),
        dataset_path=Path(options["dataset"]) if options["dataset"] else None,
        limit=options["limit"],
        force=options["force"],
        workspace=workspace,
    )


def _to_convert(card: Model) -> Path:
    """Return the downloaded graph of a card, or say how to get it."""
    if card.card.source.format == "tflite" or card.download is None:
        raise UsageError(f"model {card.name!r} is a .tflite already: `harness quantize` takes those")
    if not card.download.exists():
        raise UsageError(
            f"model {card.name!r}: {card.download} is not there; run `harness models fetch {card.name}`"
        )
    return card.download


def _spec(card: Model | None, size: tuple[int, int] | None) -> Any:
    """Return how images are prepared: as the card says, else as the TF detection models' −1…1."""
    from harness.cards import InputSpec

    if card is not None:
        return card.card.input
    width, height = size or (1, 1)
    return InputSpec(width=width, height=height, mean=(127.5,) * 3, std=(127.5,) * 3)
