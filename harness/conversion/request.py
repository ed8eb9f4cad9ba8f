"""What a user asks of a conversion, and the job that comes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from harness.conversion.facts import NEEDS_IMAGES, Kind, ModeName
from harness.errors import UnknownNameError, UsageError
from harness.paths import exists

if TYPE_CHECKING:
    from harness.cards import InputSpec, Model
    from harness.conversion.workflow import Job

InputType = Literal["uint8", "int8", "float32"]
OutputType = Literal["float32", "uint8", "int8"]
ASSUMED_PREPARATION = (
    "images are prepared with mean 127.5 and std 127.5, as for the TF detection models; --card says others"
)
_EXPECTED = (
    "Give a frozen graph (.pb), a SavedModel's folder, a Keras file (.keras, .h5), or the name of a card."
)
_WHO_CALIBRATES = "only --mode int8 calibrates with images; the other modes need none"
_WHO_TAKES_STATS = "only the input of --mode qat-uint8 of a frozen graph has the scale that they set"
_WHO_IS_CUT = "only a frozen graph is cut; the signature of a SavedModel or Keras file names its ends"


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        source: A frozen graph, a SavedModel's folder, a Keras file, or the name of a card whose source is one.
        mode: What to make; None for what the card says of its file, else float32.
        output: The .tflite to write; None for the place that the card names.
        representative: Images, or a .npy or .npz file, to calibrate with.
        card: The card that says how images are prepared and outputs decoded.
        size: Width and height, where the graph leaves them open.
        inputs: Names of the inputs; empty to find them.
        outputs: Names of the outputs; empty to find them.
        stats: `quantized_input_stats` (mean, std); None to work them out of the preparation.
        input_type: Of an int8 model; None for uint8.
        output_type: Of an int8 model; None for float32.
        dataset: COCO dataset for mAP of the result.
        limit: Evaluate only the first so many images.
        force: Whether to convert although the check of the images found an error.
        workspace: Folder with devices/ and models/; None to look it up.
    """

    source: str
    mode: ModeName | None = None
    output: Path | None = None
    representative: Path | None = None
    card: str | None = None
    size: tuple[int, int] | None = None
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    stats: tuple[float, float] | None = None
    input_type: InputType | None = None
    output_type: OutputType | None = None
    dataset: Path | None = None
    limit: int | None = None
    force: bool = False
    workspace: str | None = None


def make_job(request: Request, say: Callable[[str], None]) -> Job:
    """Find what a request names.

    Args:
        request: What is asked for.
        say: Called with what the user should know before the work begins.

    Raises:
        UsageError: No output is named, or the card's source is no TensorFlow model or not on this computer.
        DatasetError: The representative data or the dataset cannot be used.
    """
    from harness.accuracy.dataset import find_dataset
    from harness.conversion.sources import find_kind
    from harness.conversion.workflow import Job
    from harness.quantization.representative import find_representative

    if not all(name.strip() for name in (*request.inputs, *request.outputs)):
        raise UsageError(
            "found an empty name of a tensor: give --input NAME and --outputs A,B without blanks"
        )
    source, card = _find_source(request)
    mode = request.mode or _mode_of(card)
    if request.mode is None and card is not None and card.card.source.mode is not None:
        say(f"--mode {mode}, as the card {card.name} says")
    request = replace(request, mode=mode)
    output = request.output or (None if card is None else _place(card, mode))
    if output is None:
        raise UsageError("name the file to write with -o FILE.tflite")
    refuse_ignored(request, find_kind(source))
    if mode == "int8" and request.representative is None:
        raise UsageError(NEEDS_IMAGES)
    if request.dataset is not None:
        find_dataset(request.dataset, request.limit)
    if request.output is None:
        say(f"it is written to {output}")
    if request.representative is not None and card is None:
        say(ASSUMED_PREPARATION)
    return Job(
        source=source,
        mode=mode,
        output=output,
        card=card,
        spec=_spec(card, request.size),
        size=request.size or (None if card is None else (card.card.input.width, card.card.input.height)),
        inputs=request.inputs,
        outputs=request.outputs,
        stats=request.stats,
        input_type=request.input_type or "uint8",
        output_type=request.output_type or "float32",
        representative=None
        if request.representative is None
        else find_representative(request.representative),
        dataset_path=request.dataset,
        limit=request.limit,
        force=request.force,
        workspace=request.workspace,
    )


def refuse_ignored(request: Request, kind: Kind) -> None:
    """Refuse what the route of a mode would not heed: the user expects something of it.

    Raises:
        UsageError: Names the option, and what heeds it.
    """
    trained = request.mode == "qat-uint8"
    integers = request.mode == "int8" or (trained and kind != "frozen-graph")
    types = "--mode int8 takes it, and --mode qat-uint8 of a SavedModel or Keras file; a frozen graph's is always uint8"
    for option, given, heeded, why in (
        ("--representative", request.representative, request.mode == "int8", _WHO_CALIBRATES),
        ("--input-type", request.input_type, integers, types),
        ("--output-type", request.output_type, integers or trained, types),
        ("--stats", request.stats, trained and kind == "frozen-graph", _WHO_TAKES_STATS),
        ("--input", request.inputs, kind == "frozen-graph", _WHO_IS_CUT),
        ("--outputs", request.outputs, kind == "frozen-graph", _WHO_IS_CUT),
        ("--force", request.force, request.representative is not None, "there are no images to check"),
        ("--limit", request.limit, request.dataset is not None, "there is no --dataset to evaluate on"),
    ):
        if given and not heeded:
            source = f" of a {kind.replace('-', ' ')}" if "frozen" in why or "SavedModel" in why else ""
            raise UsageError(
                f"{option}: --mode {request.mode}{source} would not heed it: {why}. Leave it away"
            )


def _find_source(request: Request) -> tuple[Path, Model | None]:
    """Return the graph to convert and its card; a name that is no file is a card's."""
    from harness.recognize.find import find_model
    from harness.workspace import find_workspace

    source = Path(request.source)
    is_name = len(source.parts) == 1 and not source.suffix and not exists(source)
    is_card = source.suffix == ".toml" or (is_name and not exists(source.with_name(f"{source.name}.index")))
    if not request.card and not is_card:
        return source, None
    try:
        card = find_model(request.card or request.source, find_workspace(request.workspace))
    except UnknownNameError as error:
        if request.card:
            raise
        raise UnknownNameError("model", request.source, error.known, hint=_EXPECTED) from error
    return (graph_of(card) if is_card else source), card


def _mode_of(card: Model | None) -> ModeName:
    """Return what is made where nobody says it: what the card's file is."""
    return (card.card.source.mode if card else None) or "float32"


def _place(card: Model, mode: ModeName) -> Path | None:
    """Return where a card's graph is converted to: its own file, or one of another mode's beside that."""
    if card.download is None:
        return None
    source = card.card.source
    if source.format != "tflite" and mode == (source.mode or mode):
        return card.converted
    return card.file.with_name(f"{card.name}-{mode}.tflite")


def graph_of(card: Model) -> Path:
    """Return the downloaded graph of a card.

    Raises:
        UsageError: It is not there, or the card knows none; says how to get it.
    """
    if card.graph is None:
        raise UsageError(f"model {card.name!r} is a .tflite already: `harness quantize` takes those")
    if card.card.source.made_by and not exists(card.graph):
        raise UsageError(f"model {card.name!r}: {card.why_missing}")
    if not exists(card.graph):
        raise UsageError(
            f"model {card.name!r}: {card.graph} is not there; run `harness models fetch {card.name}`"
        )
    return card.graph


def _spec(card: Model | None, size: tuple[int, int] | None) -> InputSpec:
    """Return how images are prepared: as the card says, else as the TF detection models' −1…1."""
    from harness.cards import InputSpec

    if card is not None:
        return card.card.input
    width, height = size or (1, 1)
    return InputSpec(width=width, height=height, mean=(127.5,) * 3, std=(127.5,) * 3)
