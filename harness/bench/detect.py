"""What a model finds in a few images: the first look at a detector, without annotations or a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.accuracy.foreign.convert import images_below
from harness.accuracy.image_files import ImageFile
from harness.accuracy.interpreters import InterpreterEngine, make_here
from harness.accuracy.labels import LEFT_OUT, category_ids
from harness.accuracy.pipeline import ImageDetections, Recipe, detect
from harness.accuracy.prepare import Preparation
from harness.cards import NO_DECODER, Labels, Model
from harness.delegates import available_cores
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.errors import UsageError
from harness.paths import exists, is_folder
from harness.recognize.find import find_available, find_model
from harness.recognize.model_classes import known_names
from harness.recognize.observe import N_PICTURES
from harness.tflite.model import ModelDescription, describe
from harness.tflite.runnable import check_runnable
from harness.workspace import Workspace

SCORE_THRESHOLD = 0.3


@dataclass(frozen=True)
class DetectedObject:
    """One object that a model finds in an image.

    Attributes:
        name: Its class; None where nothing names the model's classes.
        category_id: As the model's card numbers classes.
        score: 0…1.
        box: x, y, width, height in pixels of the upright image.
    """

    name: str | None
    category_id: int
    score: float
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class ImageObjects:
    """What a model finds in one image, the surest first.

    Attributes:
        path: The image file.
        objects: Those with the asked score or more.
        problem: Why the image could not be read; None when it could.
    """

    path: Path
    objects: tuple[DetectedObject, ...] = ()
    problem: str | None = None


def find_images(places: Sequence[Path]) -> list[Path]:
    """Return image files, and those below folders.

    Raises:
        UsageError: There is no such file or folder, no image in a folder, or nothing at all.
    """
    found: list[Path] = []
    for place in places:
        if not exists(place):
            raise UsageError(f"{place}: no such image")
        inside = images_below(place) if is_folder(place) else [place]
        if not inside:
            raise UsageError(f"{place}: no images in it or below it")
        found += inside
    if not found:
        raise UsageError("no images: give one or more files or folders")
    return list(dict.fromkeys(found))


def detect_objects(
    text: str, images: Sequence[Path], workspace: Workspace, score_threshold: float = SCORE_THRESHOLD
) -> Iterator[ImageObjects]:
    """Run a model on images, on this computer's CPU.

    Args:
        text: The model: a card's name, a card's path or a .tflite file.
        images: Image files.
        workspace: Where cards are.
        score_threshold: Objects with a lower score are left out.

    Returns:
        The objects of each image, in the order of `images`.

    Raises:
        ModelError: The model cannot be read, is not here, or cannot be run.
        UsageError: Its outputs are of no known kind.
        JobError: There is no runtime, or it refuses the model.
    """
    bare = Path(text).suffix in {".tflite", ".lite"}
    model = find_model(text, workspace, images[:N_PICTURES]) if bare else find_available(text, workspace)
    if model.card.decoder.name == NO_DECODER:
        reasons = " ".join(sentence for sentence in model.evidence if sentence.startswith("decoder"))
        raise UsageError(
            f"model {model.name!r}: its outputs are no detections that are known. {reasons}".strip()
        )
    facts = describe(model.file)
    check_runnable(facts)
    return _detected(model, facts, images, score_threshold)


def _detected(
    model: Model, facts: ModelDescription, images: Sequence[Path], score_threshold: float
) -> Iterator[ImageObjects]:
    card = model.card
    context = ModelContext(card.input.width, card.input.height, model.file)
    decoder = make_decoder(card.decoder, facts.outputs, context)
    recipe = Recipe(Preparation(card.input, facts.image_input), decoder, Labels())
    threads = max(1, min(available_cores(), len(images)))
    engines = [InterpreterEngine(make_here(model.file)) for _ in range(threads)]
    known = known_names(model, facts)
    names = () if known is None else known.names
    listed = ((number, ImageFile(path)) for number, path in enumerate(images))
    for found in detect(listed, recipe, engines, threads):
        objects = _objects(found, names, card.labels, score_threshold)
        yield ImageObjects(images[found.image_id], objects, found.problem)


def _objects(
    found: ImageDetections, names: Sequence[str], labels: Labels, score_threshold: float
) -> tuple[DetectedObject, ...]:
    """Return the objects of an image; `found` has classes as the model counts them."""
    order = np.argsort(-found.scores, kind="stable")
    order = order[found.scores[order] >= score_threshold]
    classes = found.categories[order]
    categories = category_ids(classes, labels)
    return tuple(
        DetectedObject(
            name=(names[number] or None) if 0 <= number < len(names) else None,
            category_id=int(category),
            score=float(found.scores[row]),
            box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        )
        for row, number, category in zip(order, classes.tolist(), categories, strict=True)
        for box in (found.boxes[row],)
        if category != LEFT_OUT
    )
