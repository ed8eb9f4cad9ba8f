"""Images → detections of a side, as `harness run` makes them, and again under changes without repeating inferences.

Raw outputs are kept in memory as far as `OUTPUT_BUDGET` goes; a change that only reads them in another way (decoder
settings, labels, other numbers in place of the outputs) costs no inference. Images beyond the budget are inferred
again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.bootstrap import PairedDifference, paired_difference
from harness.accuracy.dataset import Dataset, ImageEntry
from harness.accuracy.detections import DetectionTable
from harness.accuracy.pipeline import ImageDetections, Recipe
from harness.accuracy.prepare import Preparation, UnreadableImageError
from harness.cards import Model
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.diagnosis.runs.changes import AS_IS, Change, Found, Raw, Trial
from harness.diagnosis.runs.engines import Engines
from harness.diagnosis.runs.sides import Side
from harness.errors import JobError, UsageError
from harness.tflite.model import ModelDescription, describe

S = TypeVar("S")
T = TypeVar("T")
OnStep = Callable[[int, int, str], None]
"""Is told how many of how many images are done, and of what."""
OUTPUT_BUDGET = 400 << 20
"""Bytes of raw outputs that are kept: those of 100 images of a YOLOv5 would take twice as much."""
_DECIMALS = 3  # as `DetectionWriter` writes boxes


@dataclass(frozen=True)
class _Subject:
    """A side with a change: what is run, and how it is read."""

    side: Side
    change: Change
    model: Model
    description: ModelDescription

    @property
    def key(self) -> tuple[Any, ...]:
        """What its raw outputs depend on."""
        fed = self.change.words if self.change.feed else ""
        return self.description.sha256, self.side.place, self.model.card.input, fed


@dataclass
class Runs:
    """The detections of sides on the images of one dataset.

    Attributes:
        dataset: The images.
        truth: Their annotations.
        on_step: Is told how it goes.
    """

    dataset: Dataset
    truth: GroundTruth
    on_step: OnStep = lambda done, total, text: None
    budget: int = OUTPUT_BUDGET
    _engines: Engines = field(default_factory=Engines, repr=False)
    _kept: dict[tuple[Any, ...], dict[int, Raw]] = field(default_factory=dict, repr=False)
    _found: dict[tuple[Any, ...], Found] = field(default_factory=dict, repr=False)

    def image_ids(self, n_images: int | None = None) -> tuple[int, ...]:
        """Ids of the first `n_images` images; all for None."""
        return self.dataset.image_ids[:n_images]

    def detections(self, side: Side, change: Change = AS_IS, n_images: int | None = None) -> Found:
        """Return a side's detections, with a change to it.

        Args:
            side: Whose.
            change: What is different.
            n_images: Only the first so many images; all for None.

        Raises:
            ModelError: The changed card does not fit the file.
            JobError: The model failed on an image.
            UsageError: The change needs the raw outputs of a side that runs elsewhere.
        """
        subject = self._subject(side, change)
        plain = change.outputs is None
        key = (*subject.key, subject.model.card.decoder, subject.model.card.labels, n_images)
        if plain and key in self._found:
            return self._found[key]
        found = self._here(subject, n_images) if side.place.is_here else self._elsewhere(subject, n_images)
        if plain:
            self._found[key] = found
        return found

    def trial(self, side: Side, change: Change, n_images: int | None = None) -> Trial:
        """Measure a side with a change against itself without it, on the same images."""
        found = self.detections(side, change, n_images)
        before = self.detections(side, AS_IS, n_images)
        return Trial(change, found, self.compare(before, found))

    def compare(self, first: Found, second: Found) -> PairedDifference:
        """Return the paired difference of two sides' mAPs, with its 95 % interval over images."""
        return paired_difference(self.truth, first.table, second.table, first.image_ids)

    def raw(self, side: Side, change: Change = AS_IS, n_images: int | None = None) -> Iterator[Raw]:
        """Yield the raw outputs of each image, in the order of the images.

        Raises:
            UsageError: The side runs elsewhere.
        """
        yield from self._each(self._subject(side, change), n_images, lambda raw: raw)

    def in_threads(self, work: Callable[[S], T], items: Iterable[S], text: str) -> Iterator[T]:
        """Map in order with all cores, telling how it goes."""
        for done, result in enumerate(self._engines.map(work, items), 1):
            self.on_step(done, len(self.dataset.images), text)
            yield result

    def _subject(self, side: Side, change: Change) -> _Subject:
        model, description = side.model, side.description
        if change.file is not None:
            description = describe(change.file)
            model = replace(model, file=change.file)
        if change.card is not None:
            model = replace(model, card=change.card)
        return _Subject(side, change, model, description)

    def _here(self, subject: _Subject, n_images: int | None) -> Found:
        card = subject.model.card
        context = ModelContext(card.input.width, card.input.height, _anchored(subject))
        decoder = make_decoder(card.decoder, subject.description.outputs, context)
        recipe = Recipe(Preparation(card.input, subject.description.inputs[0]), decoder, card.labels)
        images = list(self._each(subject, n_images, lambda raw: _decoded(raw, recipe)))
        unreadable = tuple(image.problem for image in images if image.problem is not None)
        ran, runtime = self._engines.facts(subject.model.file, subject.side.place.delegate)
        return Found(as_table(images), self.image_ids(n_images), unreadable, ran, runtime)

    def _elsewhere(self, subject: _Subject, n_images: int | None) -> Found:
        from harness.diagnosis.runs.on_device import infer

        if subject.change.outputs is not None or subject.change.feed is not None:
            raise UsageError(
                f"{subject.side.place}: its raw outputs are not read, so «{subject.change.words}» cannot be tried there"
            )
        dataset = self.dataset.limited(n_images)
        return infer(subject.side.place, subject.model, subject.description, dataset, self.on_step)

    def _each(self, subject: _Subject, n_images: int | None, finish: Callable[[Raw], T]) -> Iterator[T]:
        """Infer the images, or take what was kept, and hand each to `finish` in the thread that has it."""
        if not subject.side.place.is_here:
            raise UsageError(
                f"{subject.side.place}: only a side that runs in this process has raw outputs to read"
            )
        preparation = Preparation(subject.model.card.input, subject.description.inputs[0])
        # Other files are tried once, and would take the place of the outputs that are read again and again.
        once = subject.change.file is not None
        kept = {} if once else self._kept.setdefault(subject.key, {})
        images = self.dataset.images[:n_images]
        delegate = subject.side.place.delegate

        def work(image: ImageEntry) -> T:
            raw = kept.get(image.id)
            if raw is None:
                raw = self._infer(image, subject, preparation, delegate)
                if not once:
                    self._keep(kept, raw)
            change = subject.change.outputs
            if change is not None and raw.outputs is not None:
                raw = replace(raw, outputs=change(raw.outputs))
            return finish(raw)

        text = subject.change.words or subject.side.name
        for done, result in enumerate(self._engines.map(work, images), 1):
            self.on_step(done, len(images), text)
            yield result

    def _infer(self, image: ImageEntry, subject: _Subject, preparation: Preparation, delegate: str) -> Raw:
        try:
            tensor, geometry = preparation.load(image.path)
        except UnreadableImageError as error:
            return Raw(image.id, None, None, str(error))
        if subject.change.feed is not None:
            tensor = subject.change.feed(tensor)
        with self._engines.borrow(subject.model.file, delegate) as engine:
            try:
                return Raw(image.id, engine.infer(tensor), geometry)
            except (RuntimeError, ValueError) as error:
                raise JobError(
                    f"model {subject.model.name!r}: it failed on {image.path.name}: {error}"
                ) from error

    def _keep(self, kept: dict[int, Raw], raw: Raw) -> None:
        if raw.n_bytes <= self.budget:
            self.budget -= raw.n_bytes
            kept[raw.image_id] = raw


def _anchored(subject: _Subject) -> Path:
    """A side file of anchors lies beside the card or the side's own file, not beside a changed one."""
    anchors = subject.model.card.decoder.anchors
    if subject.change.file is not None and anchors is not None and anchors.source == "file":
        return subject.side.file
    return subject.model.file


def _decoded(raw: Raw, recipe: Recipe) -> ImageDetections:
    if raw.outputs is None or raw.geometry is None:
        nothing = np.empty(0)
        return ImageDetections(raw.image_id, np.empty((0, 4)), nothing, np.empty(0, np.int64), raw.problem)
    return recipe.decode(raw.image_id, raw.outputs, raw.geometry)


def as_table(images: list[ImageDetections]) -> DetectionTable:
    """Return the detections of images as one table, rounded as they are stored by `harness run`."""
    rows = [
        np.column_stack(
            [
                np.full(len(image.scores), image.image_id, np.float64),
                np.round(image.boxes, _DECIMALS) + 0.0,
                image.scores,
                image.categories,
            ]
        )
        for image in images
        if len(image.scores)
    ]
    return DetectionTable(np.concatenate(rows) if rows else np.empty((0, 7)))
