"""`harness resize`: other input sizes of a fully convolutional model."""

from __future__ import annotations

from typing import Any

import rich_click as click

from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.convert import Size
from harness.cli.progress import progress
from harness.cli.variants import measuring_options, show_rows, subject


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
        "harness resize centernet.tflite --input 256,320,384 --dataset coco/ -o sizes/  accuracy against size",
        "harness resize net.tflite --input 320x240 -o sizes/ --no-latency               one size, not timed",
    ),
)
@click.argument("model")
@click.option(
    "--input", "sizes", type=Sizes(), required=True, metavar="SIZES", help="Sizes: 256,320,384x256."
)
@click.option("-o", "--output", type=PATH, required=True, help="Folder for the files.")
@measuring_options
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Give a fully convolutional model other input sizes; measure accuracy and latency against the size.

    Detectors with constant anchors or grids cannot be resized: the reason is told and no file is written.
    """
    from harness.quantization import variants
    from harness.report.run_progress import Shown

    model, how = subject(ctx.obj, options)
    with progress() as shown:
        rows = variants.resize_model(model, options["sizes"], options["output"], how, Shown(shown))
    if show_rows(rows, format_):
        ctx.exit(1)
