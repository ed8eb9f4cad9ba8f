"""`harness detect`: what a model finds in images, as a table and drawn."""

from __future__ import annotations

from pathlib import Path

import rich_click as click

from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.printing import note, show, warn
from harness.cli.types import Share
from harness.errors import JobError


@click.command(
    "detect",
    context_settings=CONTEXT,
    epilog=examples(
        "harness detect ssd.tflite street.jpg                 a table of what it finds",
        "harness detect ssd.tflite photos/ -o found/          and the pictures with its boxes",
        "harness detect my-card a.jpg b.jpg --score-threshold 0.5 --format json",
    ),
)
@click.argument("model", metavar="MODEL")
@click.argument("images", metavar="IMAGE…", nargs=-1, required=True, type=PATH)
@click.option(
    "-o",
    "--output",
    type=PATH,
    metavar="DIR",
    help="Draw the boxes, and write the pictures there. [default: draw nothing]",
)
@click.option(
    "--score-threshold",
    type=Share(),
    default=0.3,
    show_default=True,
    metavar="S",
    help="Leave out what has a lower score.",
)
@format_option()
@click.pass_context
def command(
    ctx: click.Context,
    model: str,
    images: tuple[Path, ...],
    output: Path | None,
    score_threshold: float,
    format_: str,
) -> None:
    """Run a model on images and show what it finds: class, score, and box in pixels. No annotations are needed.

    IMAGE is a file, or a folder of them. The model runs on this computer's CPU.
    """
    from harness.bench.detect import detect_objects, find_images
    from harness.report import detected_objects
    from harness.workspace import find_workspace

    found = list(detect_objects(model, find_images(images), find_workspace(ctx.obj), score_threshold))
    drawn = [] if output is None else detected_objects.draw_all(found, output)
    show(detected_objects.content(found), format_)
    if drawn:
        note(f"drawn: {len(drawn)} in {output}")
    unreadable = [image.problem for image in found if image.problem is not None]
    for problem in unreadable:
        warn(f"not read: {problem}")
    if unreadable:
        raise JobError(f"{len(unreadable)} of {len(found)} images could not be read")
