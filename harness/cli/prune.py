"""`harness prune`: set the smallest weights to zero, and see what it brings and costs."""

from __future__ import annotations

from typing import Any

import rich_click as click

from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.progress import progress
from harness.cli.variants import measuring_options, show_rows, subject


@click.command(
    "prune",
    context_settings=CONTEXT,
    epilog=examples(
        "harness prune ssd.tflite --sparsity 0.5 -o sparse.tflite      half the weights of each layer",
        "harness prune my-card --sparsity 0.3 --sparsity 0.5 -o out/   two files in a folder",
        "harness prune my-card --sparsity 0.5 --scope global -o s.tflite --no-latency",
    ),
)
@click.argument("model")
@click.option(
    "--sparsity", "sparsities", type=float, multiple=True, required=True, help="Share of zeros, 0 to 1."
)
@click.option(
    "--scope",
    type=click.Choice(["tensor", "global"]),
    default="tensor",
    show_default=True,
    help="The share of each tensor, or the smallest of all weights.",
)
@click.option("-o", "--output", type=PATH, required=True, help="The file, or a folder for several.")
@measuring_options
@format_option()
@click.pass_context
def command(ctx: click.Context, /, format_: str, **options: Any) -> None:
    """Prune a float .tflite by magnitude, without training again; measure size, latency and mAP before and after.

    Zeros save room in a compressed file only: the .tflite keeps its size, and dense kernels keep their speed.
    """
    from harness.quantization import variants
    from harness.report.run_progress import Shown

    model, how = subject(ctx.obj, options)
    with progress() as shown:
        rows = variants.prune_model(
            model, options["sparsities"], options["scope"], options["output"], how, Shown(shown)
        )
    if show_rows(rows, format_):
        ctx.exit(1)
