"""`harness resize`: other input sizes of a model."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import rich_click as click

from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.convert import Size
from harness.cli.progress import progress
from harness.cli.variants import measuring_options, show_rows, subject, what_is_measured
from harness.paths import is_file

if TYPE_CHECKING:
    from harness.conversion.sizes import Resizing
    from harness.quantization.measure import How


class Sizes(Size):
    """Several sizes: `256,320,384x256`."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read them."""
        read = super().convert
        return [read(part.strip(), param, ctx) for part in str(value).split(",")]


@click.command(
    "resize",
    context_settings=CONTEXT,
    epilog=examples(
        "harness resize centernet.tflite --sizes 256,320,384 --dataset coco/ -o sizes/  accuracy against size",
        "harness resize tflite_graph.pb --sizes 192,224,320 --dataset coco/             an SSD, by its graph",
        "harness resize net.tflite --sizes 320x240 -o sizes/ --no-latency               one size, not timed",
    ),
)
@click.argument("model")
@click.option(
    "--sizes",
    "--input",
    "sizes",
    type=Sizes(),
    required=True,
    metavar="SIZES",
    help="Sizes: 256,320,384x256.",
)
@click.option("-o", "--output", type=PATH, help="Folder for the files. [default: none, only the table]")
@click.option("--card", metavar="MODEL", help="Card of a TensorFlow source. [default: worked out]")
@measuring_options
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Give a model other input sizes; measure accuracy and latency against the size, in one table.

    MODEL is a fully convolutional .tflite, or a TensorFlow source: a frozen graph (.pb), a SavedModel's folder, a Keras
    file of an open size, or a card that names its graph. An SSD's .tflite cannot be resized, for its anchors are
    constants; its graph can, where the API's generators give its anchors. The weights stay those of the old size.
    """
    with ExitStack() as opened:
        if options["output"] is None:
            options["output"] = Path(opened.enter_context(TemporaryDirectory(prefix="harness-")))
        rows = _resized(ctx.obj, options)
        if show_rows(rows, format_):
            ctx.exit(1)


def _resized(workspace: str | None, options: dict[str, Any]) -> list[dict[str, Any]]:
    from harness.quantization import variants
    from harness.report.run_progress import Shown

    job = _source(workspace, options)
    if job is None:
        model, how = subject(workspace, options)
        with progress() as shown:
            return variants.resize_model(model, options["sizes"], options["output"], how, Shown(shown))
    from harness.conversion.sizes import resize_source

    with progress() as shown:
        how = _how(job, workspace, options)
        return resize_source(job, how, shown.update, Shown(shown), shown.say)


def _how(job: Resizing, workspace: str | None, options: dict[str, Any]) -> How:
    """Return what is measured; without a card, what is made tells how it is read."""
    if job.card is not None:
        return what_is_measured(job.card, workspace, options)
    from harness.quantization.measure import How

    dataset = Path(options["dataset"]) if options["dataset"] and not options["no_accuracy"] else None
    return How(dataset, not options["no_latency"], options["limit"], options["repetitions"], workspace)


def _source(workspace: str | None, options: dict[str, Any]) -> Resizing | None:
    """Return the TensorFlow source that is named, by itself or by a card of a graph; None for a .tflite."""
    from harness.cli.inspect import is_graph
    from harness.conversion.request import graph_of
    from harness.conversion.sizes import Resizing
    from harness.conversion.sources import KERAS
    from harness.recognize.find import find_model
    from harness.workspace import find_workspace

    path, sizes = Path(options["model"]), tuple(options["sizes"])
    named = None if options["card"] is None else find_model(options["card"], find_workspace(workspace))
    if is_graph(path) or (path.suffix in KERAS and is_file(path)):
        return Resizing(path, named, sizes, options["output"])
    if path.suffix and path.suffix != ".toml":
        return None
    card = find_model(options["model"], find_workspace(workspace))
    if card.graph is None or (card.available and not is_file(card.graph)):
        return None
    return Resizing(graph_of(card), card, sizes, options["output"])
