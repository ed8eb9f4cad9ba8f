"""What a user asks of a diagnosis, and the case that comes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from harness import outputs
from harness.errors import OutputError, UsageError
from harness.paths import found_in, is_folder

if TYPE_CHECKING:
    from harness.accuracy.dataset import Dataset
    from harness.cards import Model
    from harness.diagnosis.diagnose import Case
    from harness.diagnosis.runs.model_pair import ModelPair, Place

DEFAULT_LIMIT = 500
DEFAULT_LAYER_IMAGES = 100
Say = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """What is asked for.

    Attributes:
        model: The float model, or the only one: a .tflite file, a card's name or a card's path.
        quantized: The quantized model.
        dataset: COCO dataset; None for the models' own.
        limit: Images, at most.
        layer_images: Images that the tensors are compared on, fewer for large models; 0 leaves that out.
        device: Where the quantized side runs; None for this computer.
        delegate: What executes the quantized side; None for the device's first.
        benchmark_binary: TFLite's native benchmark_model to run it with.
        pipeline_config: The training's `pipeline.config`.
        representative: What the quantized model was calibrated with.
        workspace: Folder with devices/ and models/; None to look it up.
    """

    model: str
    quantized: str | None = None
    dataset: Path | None = None
    limit: int = DEFAULT_LIMIT
    layer_images: int = DEFAULT_LAYER_IMAGES
    device: str | None = None
    delegate: str | None = None
    benchmark_binary: str | None = None
    pipeline_config: Path | None = None
    representative: Path | None = None
    workspace: str | None = None


def make_case(request: Request, say: Say) -> Case:
    """Find what a request names.

    Args:
        request: What is asked for.
        say: Called with what the user should know before the work begins.

    Raises:
        UsageError: A model, device or dataset that cannot be used, or no dataset at all.
    """
    from harness.diagnosis.classes import match_classes
    from harness.diagnosis.diagnose import Case

    pair = _pair(request, say)
    dataset = _dataset(pair, request, say)
    pair, categories = match_classes(pair, dataset, say)
    return Case(
        pair=pair,
        dataset=dataset,
        categories=categories,
        layer_images=request.layer_images,
        pipeline_config=request.pipeline_config,
        representative=request.representative,
        workspace=request.workspace,
    )


def refuse_outputs(page: Path | None, folders: Iterable[Path | None]) -> None:
    """Refuse what could not be written at the end before the work begins.

    Raises:
        OutputError: A folder is there already, or the page's is not.
    """
    for folder in folders:
        if folder is not None and is_folder(folder) and found_in(folder):
            raise OutputError(f"{folder}: is there already, and nothing in it is replaced; name a new folder")
    if page is None:
        return
    outputs.check(page, outputs.PAGE_ENDINGS)
    folder = outputs.folder_of(page)
    if folder is not None and not is_folder(folder):
        raise OutputError(f"{page}: there is no folder {folder} to write it to")


def _pair(request: Request, say: Say) -> ModelPair:
    from harness.diagnosis.runs.model_pair import ModelPair, load_model
    from harness.recognize.find import find_model
    from harness.workspace import find_workspace

    there, places = _place(request), find_workspace(request.workspace)
    given = [find_model(name, places) for name in (request.model, request.quantized) if name]
    for model in given:
        _tell_card(model, say)
    moved = request.device is not None or request.delegate is not None
    if len(given) == 1 and not moved:
        return ModelPair(None, load_model("quantized", given[0], there))
    return ModelPair(load_model("float", given[0]), load_model("quantized", given[-1], there))


def _place(request: Request) -> Place:
    from harness.delegates import CPU
    from harness.diagnosis.runs.model_pair import THIS_COMPUTER, Place

    return Place(
        device=request.device or THIS_COMPUTER,
        delegate=request.delegate or (CPU if request.device is None else _first_delegate(request)),
        workspace=request.workspace,
        benchmark_binary=request.benchmark_binary,
    )


def _first_delegate(request: Request) -> str:
    from harness.drivers.registry import find_device
    from harness.workspace import find_workspace

    assert request.device is not None
    profile, device = find_device(request.device, find_workspace(request.workspace))
    device.close()
    return str(profile.data.delegates[0])


def _tell_card(model: Model, say: Say) -> None:
    if model.evidence:
        say(f"card of {model.file.name}, worked out from the file:")
    for sentence in model.evidence:
        say(f"  - {sentence}")


def _dataset(pair: ModelPair, request: Request, say: Say) -> Dataset:
    from harness.accuracy.dataset import find_dataset

    known = (request.dataset, *(model.source.dataset_path for model in reversed(pair.models)))
    path = next((place for place in known if place is not None), None)
    if path is None:
        raise UsageError(
            f"model {pair.quantized.name!r} has no dataset, and without annotated images there is nothing to judge it "
            "by: give one with --dataset"
        )
    dataset = find_dataset(path)
    for remark in dataset.remarks:
        say(remark)
    if len(dataset.images) > request.limit:
        say(f"the first {request.limit} of {len(dataset.images)} images are used; --limit N for more")
    return dataset.limited(request.limit)
