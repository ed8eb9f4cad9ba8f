"""`harness edit`: set the NMS of a .tflite, take it out, put it in; set entries of its card."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import rich_click as click

from harness import outputs
from harness.cli.common import CONTEXT, PATH, examples, format_option
from harness.cli.printing import emit, note
from harness.cli.types import OutputFile
from harness.paths import expand_user, is_file, resolved

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from harness.cards import Model
    from harness.edit.files import EditResult

F = TypeVar("F", bound="Callable[..., Any]")


def _output(endings: Collection[str]) -> Callable[[F], F]:
    """Add `-o/--output OUT`, passed as `output`."""
    return click.option(
        "-o",
        "--output",
        type=OutputFile(endings),
        metavar="OUT",
        required=True,
        help="The new file; the input is never changed.",
    )


def _nms_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that `nms` and `attach` share."""
    for option in (
        click.option(
            "--detections-per-class",
            type=int,
            metavar="N",
            help="Boxes a class (regular NMS). [default: as it is]",
        ),
        click.option("--max-detections", type=int, metavar="N", help="Boxes an image. [default: as it is]"),
        click.option(
            "--iou-threshold",
            type=float,
            metavar="X",
            help="Overlap above which the lower score goes. [default: as it is]",
        ),
        click.option(
            "--score-threshold",
            type=float,
            metavar="X",
            help="Lowest score that is kept. [default: as it is]",
        ),
        click.option("--regular/--fast", "regular", default=None, help="NMS class by class, or all at once."),
    ):
        command = option(command)
    return command


@click.group(
    "edit",
    context_settings=CONTEXT,
    epilog=examples(
        "harness edit nms ssd.tflite --regular --max-detections 100 -o ssd-100.tflite   its NMS, set anew",
        "harness edit cut ssd.tflite -o heads.tflite        raw heads, with anchors and a card beside them",
        "harness edit attach heads.toml -o ssd2.tflite      NMS inside the model again",
        "harness edit card ssd.toml --set labels.offset=1 -o ssd-1.toml   the card, read otherwise",
    ),
)
def command() -> None:
    """Change the NMS or the ReLU6 inside a .tflite (the rest stays byte for byte), or a card."""


@command.command(
    "nms",
    context_settings=CONTEXT,
    epilog=examples(
        "harness edit nms ssd.tflite --max-detections 100 --score-threshold 0.01 -o ssd-100.tflite",
        "harness edit nms ssd.tflite --regular -o ssd-regular.tflite",
    ),
)
@click.argument("model")
@_nms_options
@_output(outputs.MODEL_ENDINGS)
@format_option()
@click.pass_context
def nms_command(ctx: click.Context, /, model: str, output: Path, format_: str, **options: Any) -> None:
    """Change the options of TFLite_Detection_PostProcess; what is not named stays."""
    from harness.edit.files import edit_nms
    from harness.edit.nms import NmsChange
    from harness.errors import UsageError
    from harness.recognize.find import find_file

    change = NmsChange(**options)
    if change == NmsChange():
        raise UsageError("nothing to change: name at least one option, such as --max-detections 100")
    _tell(edit_nms(find_file(model, ctx.obj), output, change), format_)


@command.command(
    "relu",
    context_settings=CONTEXT,
    epilog=examples(
        "harness edit relu ssd_int16x8.tflite -o ssd_relu.tflite",
        "harness npu ssd_relu.tflite --soc SM8650           what the NPU takes now",
    ),
)
@click.argument("model")
@_output(outputs.MODEL_ENDINGS)
@format_option()
@click.pass_context
def relu_command(ctx: click.Context, /, model: str, output: Path, format_: str) -> None:
    """Replace ReLU6 by ReLU in a 16x8 model where no value changes by it: Qualcomm's NPU takes such layers."""
    from harness.edit.files import edit_relu
    from harness.recognize.find import find_file

    _tell(edit_relu(find_file(model, ctx.obj), output), format_)


@command.command(
    "cut",
    context_settings=CONTEXT,
    epilog=examples("harness edit cut ssd.tflite -o heads.tflite", "harness run heads.toml --dataset coco/"),
)
@click.argument("model")
@click.option("--force", is_flag=True, help="Replace a card and anchors that exist beside OUT.")
@_output(outputs.MODEL_ENDINGS)
@format_option()
@click.pass_context
def cut_command(ctx: click.Context, /, model: str, force: bool, output: Path, format_: str) -> None:
    """Remove TFLite_Detection_PostProcess: OUT gives raw heads, OUT.anchors.npy and a card lie beside it."""
    from harness.edit.files import edit_cut

    _tell(edit_cut(_model(model, ctx.obj), output, force), format_)


@command.command(
    "attach",
    context_settings=CONTEXT,
    epilog=examples(
        "harness edit attach heads.toml -o ssd.tflite                     as the card says",
        "harness edit attach heads.tflite --anchors a.npy --no-background --regular -o ssd.tflite",
    ),
)
@click.argument("model")
@click.option(
    "--anchors",
    type=PATH,
    metavar="FILE",
    help="A .npy file [N, 4]: y and x of the centre, height, width. [default: where the card says]",
)
@click.option(
    "--order", metavar="ROLES", help="What the outputs are, such as boxes,scores. [default: as the card says]"
)
@click.option("--background/--no-background", default=None, help="Whether score column 0 is the background.")
@click.option(
    "--activation",
    type=click.Choice(["none", "sigmoid"]),
    help="What the scores still need. [default: as the card says]",
)
@_nms_options
@_output(outputs.MODEL_ENDINGS)
@format_option()
@click.pass_context
def attach_command(
    ctx: click.Context, /, model: str, anchors: Path | None, output: Path, format_: str, **options: Any
) -> None:
    """Add TFLite_Detection_PostProcess to raw heads. What is not named is as the model's card says."""
    from harness.edit.attach import with_settings
    from harness.edit.files import edit_attach, find_heads_and_anchors

    found = _model(model, ctx.obj)
    heads, values = find_heads_and_anchors(found, anchors)
    _tell(edit_attach(found.file, output, values, with_settings(heads, options)), format_)


@command.command(
    "card",
    context_settings=CONTEXT,
    epilog=examples(
        "harness edit card ssd.toml --set input.channels=bgr -o ssd-bgr.toml",
        "harness edit card ssd.tflite --set 'input.mean=[0, 0, 0]' --set 'input.std=[255, 255, 255]' -o ssd.toml",
        "harness edit card ssd.toml --set input.mean=none --set input.std=none -o ssd-pixels.toml",
    ),
)
@click.argument("model")
@click.option(
    "--set",
    "settings",
    multiple=True,
    required=True,
    metavar="KEY=VALUE",
    help="An entry as in TOML, such as labels.offset=1; `none` takes it out.",
)
@_output(outputs.CARD_ENDINGS)
@format_option()
@click.pass_context
def card_command(
    ctx: click.Context, /, model: str, settings: tuple[str, ...], output: Path, format_: str
) -> None:
    """Write the card of MODEL with other entries to a new file; a bare .tflite's card is worked out first."""
    from harness.edit.card_settings import with_settings, write_card
    from harness.edit.card_toml import changed_entries
    from harness.edit.files import COLUMNS

    found = _model(model, ctx.obj)
    card = with_settings(found.card, settings)
    write_card(card, found, output, f"{found.name} with {' '.join(settings)}")
    emit(
        [dict(zip(COLUMNS, row, strict=True)) for row in changed_entries(found.card, card)], COLUMNS, format_
    )
    note(f"written: {output}")


def _model(text: str, workspace: str | None) -> Model:
    """Return a model's card, preferring the one that lies beside a .tflite.

    Raises:
        ModelError: The file is not on this computer.
    """
    from harness.cards import load_card
    from harness.errors import ModelError
    from harness.recognize.find import find_model
    from harness.workspace import find_workspace

    path = expand_user(text)
    beside = path.with_suffix(".toml")
    if path.suffix == ".tflite" and is_file(path) and is_file(beside):
        card = load_card(beside)
        if resolved(card.file) == resolved(path):
            note(f"with the card {beside}")
            return card
    model = find_model(text, find_workspace(workspace))
    if not model.available:
        raise ModelError(f"{model.name}: {model.why_missing}")
    return model


def _tell(edited: EditResult, format_: str) -> None:
    """Print what changed, and to stderr what was written and whether it ran."""
    from harness.edit.files import COLUMNS

    emit(edited.rows, COLUMNS, format_)
    note(f"written: {', '.join(map(str, edited.written))}")
    note("it was loaded and run once" if edited.not_run is None else f"it was not run here: {edited.not_run}")
