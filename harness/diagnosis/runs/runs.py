"""Detect objects with a model as `harness run` does, and again under changes without repeating inferences.

Raw outputs are kept in memory up to `OUTPUT_BUDGET`; a change that only decodes them differently (decoder settings,
labels, other numbers in place of the outputs) costs no inference. Images beyond the budget are inferred again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.bootstrap import Known, PairedDifference, paired_difference
from harness.accuracy.dataset import Dataset, ImageEntry
from harness.accuracy.detections import DetectionTable
from harness.accuracy.image_files import UnreadableImageError
from harness.accuracy.pipeline import ImageDetections, Recipe
from harness.accuracy.prepare import Geometry, Preparation, Tensor
from harness.cards import Model
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.diagnosis.runs.changes import AS_IS, Change, Detections, ImageOutputs, Trial
from harness.diagnosis.runs.engines import Engines
from harness.diagnosis.runs.model_pair import ComparedModel, Place
from harness.diagnosis.runs.prepared_inputs import PreparedInputs
from harness.errors import JobError, UsageError
from harness.paths import status
from harness.tflite.model import ModelDescription, describe
from harness.tflite.tensor_info import TensorInfo

S = TypeVar("S")
T = TypeVar("T")
Load = Callable[[ImageEntry], tuple[Tensor, Geometry]]
OnStep = Callable[[int, int, str], None]
"""Called with the number of images that are done, the number of all, and the name of the step."""
OUTPUT_BUDGET = 400 << 20
"""Bytes of raw outputs that are kept; those of 100 images of a YOLOv5 would take twice as much."""
FURTHER_BUDGET = 200 << 20
"""Bytes of further outputs that are kept: heads are a hundred times larger than what is left of them."""
_FEW = 4
"""Images up to which one interpreter of a file that is tried once does: to make another takes longer than to wait."""
_DECIMALS = 3  # as `DetectionWriter` writes boxes


@dataclass(frozen=True)
class _ChangedModel:
    """A model with a change: the card and file that are run in its place."""

    original: ComparedModel
    change: Change
    source: Model
    description: ModelDescription

    @property
    def place(self) -> Place:
        """Where it runs: a change leaves that as it is."""
        return self.original.place

    @property
    def key(self) -> tuple[Any, ...]:
        """Everything that the raw outputs depend on."""
        fed = self.change.words if self.change.feed else ""
        return self.description.sha256, self.place, self.source.card.input, fed


@dataclass(frozen=True)
class _LaidOpen:
    """A model's file that gives further outputs behind the model's own."""

    file: Path
    n_own: int
    further: tuple[TensorInfo, ...]


@dataclass
class Runs:
    """The detections of models on the images of one dataset.

    Attributes:
        dataset: The images.
        truth: Their annotations.
        on_step: Called with the progress.
        budget: Bytes of raw outputs that may still be kept.
        further_budget: Bytes of further outputs that may still be kept.
        inputs: Pictures that were prepared before.
        halves: APs of halves of the images that were evaluated before.
    """

    dataset: Dataset
    truth: GroundTruth
    on_step: OnStep = lambda done, total, text: None
    budget: int = OUTPUT_BUDGET
    further_budget: int = FURTHER_BUDGET
    _engines: Engines = field(default_factory=Engines, repr=False)
    inputs: PreparedInputs = field(default_factory=PreparedInputs, repr=False)
    _described: dict[tuple[Path, int | None], ModelDescription] = field(default_factory=dict, repr=False)
    kept: dict[tuple[Any, ...], dict[int, ImageOutputs]] = field(default_factory=dict, repr=False)
    halves: Known = field(default_factory=dict, repr=False)
    _found: dict[tuple[Any, ...], Detections] = field(default_factory=dict, repr=False)
    _laid_open: dict[tuple[Any, ...], _LaidOpen] = field(default_factory=dict, repr=False)

    def image_ids(self, n_images: int | None = None) -> tuple[int, ...]:
        """Return the ids of the first `n_images` images; all for None."""
        return self.dataset.image_ids[:n_images]

    @contextmanager
    def laid_open(self, model: ComparedModel, file: Path) -> Iterator[None]:
        """Run a file in place of a model as it is that gives further outputs behind the same ones, in one inference.

        Args:
            model: The model; it runs in this process.
            file: Its file with further outputs.

        Raises:
            ModelError: The file cannot be read.
            JobError: It cannot be run.
        """
        description, n_own = describe(file), len(model.description.outputs)
        self._engines.facts(file, model.place.delegate)
        key = self._apply(model, AS_IS).key
        self._laid_open[key] = _LaidOpen(file, n_own, description.outputs[n_own:])
        try:
            yield
        finally:
            del self._laid_open[key]
            self._drop_further(self.kept.get(key, {}))

    def detections(
        self, model: ComparedModel, change: Change = AS_IS, n_images: int | None = None
    ) -> Detections:
        """Return a model's detections, with a change to it.

        Args:
            model: The model.
            change: The difference to the model as it is.
            n_images: Number of images, the first ones; all for None.

        Raises:
            ModelError: The changed card does not fit the file.
            JobError: The model failed on an image.
            UsageError: The change needs raw outputs, and the model does not run in this process.
        """
        changed = self._apply(model, change)
        plain = change.outputs is None
        key = (*changed.key, changed.source.card.decoder, changed.source.card.labels, n_images)
        if plain and key in self._found:
            return self._found[key]
        found = (
            self._detect_in_process(changed, n_images)
            if model.place.in_process
            else self._detect_on_device(changed, n_images)
        )
        if plain:
            self._found[key] = found
        return found

    def trial(self, model: ComparedModel, change: Change, n_images: int | None = None) -> Trial:
        """Compare a model with a change to the model as it is, on the same images."""
        found = self.detections(model, change, n_images)
        before = self.detections(model, AS_IS, n_images)
        return Trial(change, found, self.compare(before, found))

    def compare(self, first: Detections, second: Detections) -> PairedDifference:
        """Return the paired difference of two mAPs, with its 95 % interval over images."""
        return paired_difference(self.truth, first.table, second.table, first.image_ids, known=self.halves)

    def raw(
        self, model: ComparedModel, change: Change = AS_IS, n_images: int | None = None
    ) -> Iterator[ImageOutputs]:
        """Yield the raw outputs of each image, in the order of the images.

        Raises:
            UsageError: The model does not run in this process.
        """
        yield from self._map_images(self._apply(model, change), n_images, lambda raw: raw)

    def in_threads(self, work: Callable[[S], T], items: Iterable[S], text: str) -> Iterator[T]:
        """Map in order with all cores, and report the progress."""
        for done, result in enumerate(self._engines.map(work, items), 1):
            self.on_step(done, len(self.dataset.images), text)
            yield result

    def _apply(self, model: ComparedModel, change: Change) -> _ChangedModel:
        source, description = model.source, model.description
        if change.file is not None:
            description = change.described or self._describe(change.file)
            source = replace(source, file=change.file)
        if change.card is not None:
            source = replace(source, card=change.card)
        changed = _ChangedModel(model, change, source, description)
        if change.further:
            described = replace(description, outputs=self._laid_open[changed.key].further)
            return replace(changed, description=described)
        return changed

    def _describe(self, file: Path) -> ModelDescription:
        """Describe a file that is tried, once as long as it is the same."""
        found = status(file)
        key = file, None if found is None else found.st_mtime_ns
        if key not in self._described:
            self._described[key] = describe(file)
        return self._described[key]

    def _detect_in_process(self, changed: _ChangedModel, n_images: int | None) -> Detections:
        card = changed.source.card
        context = ModelContext(card.input.width, card.input.height, _anchored(changed))
        decoder = make_decoder(card.decoder, changed.description.outputs, context)
        recipe = Recipe(Preparation(card.input, changed.description.image_input), decoder, card.labels)
        images = list(self._map_images(changed, n_images, lambda raw: _decoded(raw, recipe)))
        unreadable = tuple(image.problem for image in images if image.problem is not None)
        ids = tuple(image.image_id for image in images if image.problem is None)
        ran, runtime = self._engines.facts(self._file(changed), changed.place.delegate)
        return Detections(as_table(images), ids, unreadable, ran, runtime)

    def _detect_on_device(self, changed: _ChangedModel, n_images: int | None) -> Detections:
        from harness.diagnosis.runs.on_device import infer

        if changed.change.outputs is not None or changed.change.feed is not None:
            raise UsageError(
                f"{changed.place}: its raw outputs are not read, so «{changed.change.words}» cannot be tried there"
            )
        dataset = self.dataset.limited(n_images)
        return infer(changed.place, changed.source, changed.description, dataset, self.on_step)

    def _map_images(
        self, changed: _ChangedModel, n_images: int | None, finish: Callable[[ImageOutputs], T]
    ) -> Iterator[T]:
        """Infer the images, or take the kept outputs, and call `finish` with each in its thread."""
        if not changed.place.in_process:
            raise UsageError(
                f"{changed.place}: only a side that runs in this process has raw outputs to read"
            )
        inputs = self.inputs.of(changed.source.card.input, changed.description.image_input)
        # Another file is tried once; its outputs would take the room of those that are needed again and again.
        once = changed.change.file is not None
        kept = {} if once else self.kept.setdefault(changed.key, {})
        images = self.dataset.images[:n_images]
        delegate, further = changed.place.delegate, changed.change.further

        def work(image: ImageEntry) -> T:
            raw = kept.get(image.id)
            if raw is None or (further and raw.further is None and raw.outputs is not None):
                raw = self._infer(image, changed, inputs.load, delegate)
                if not once:
                    self._keep(kept, raw)
            if further:
                raw = replace(raw, outputs=raw.further)
            change = changed.change.outputs
            if change is not None and raw.outputs is not None:
                raw = replace(raw, outputs=change(raw.outputs))
            return finish(raw)

        text = changed.change.words or changed.original.name
        few = once and len(images) <= _FEW
        for done, result in enumerate(map(work, images) if few else self._engines.map(work, images), 1):
            self.on_step(done, len(images), text)
            yield result

    def _infer(self, image: ImageEntry, changed: _ChangedModel, load: Load, delegate: str) -> ImageOutputs:
        try:
            tensor, geometry = load(image)
        except UnreadableImageError as error:
            return ImageOutputs(image.id, None, None, str(error))
        if changed.change.feed is not None:
            tensor = changed.change.feed(tensor)
        with self._engines.borrow(self._file(changed), delegate) as engine:
            try:
                outputs = engine.infer(tensor)
            except (RuntimeError, ValueError) as error:
                raise JobError(
                    f"model {changed.source.name!r}: it failed on {image.path.name}: {error}"
                ) from error
        opened = self._laid_open.get(changed.key)
        if opened is None:
            return ImageOutputs(image.id, outputs, geometry)
        own, further = outputs[: opened.n_own], outputs[opened.n_own :]
        return ImageOutputs(image.id, own, geometry, further=further)

    def _file(self, changed: _ChangedModel) -> Path:
        """Return the file that is run."""
        opened = self._laid_open.get(changed.key)
        return changed.source.file if opened is None else opened.file

    def _keep(self, kept: dict[int, ImageOutputs], raw: ImageOutputs) -> None:
        if raw.n_further_bytes > self.further_budget:
            raw = replace(raw, further=None)
        if raw.n_bytes <= self.budget and raw.image_id not in kept:
            self.budget -= raw.n_bytes
            self.further_budget -= raw.n_further_bytes
            kept[raw.image_id] = raw

    def _drop_further(self, kept: dict[int, ImageOutputs]) -> None:
        for number, raw in kept.items():
            self.further_budget += raw.n_further_bytes
            kept[number] = replace(raw, further=None)


def _anchored(changed: _ChangedModel) -> Path:
    """Return the file beside which a file of anchors lies: the original one, not a changed one."""
    anchors = changed.source.card.decoder.anchors
    if changed.change.file is not None and anchors is not None and anchors.source == "file":
        return changed.original.file
    return changed.source.file


def _decoded(raw: ImageOutputs, recipe: Recipe) -> ImageDetections:
    if raw.outputs is None or raw.geometry is None:
        nothing = np.empty(0)
        return ImageDetections(raw.image_id, np.empty((0, 4)), nothing, np.empty(0, np.int64), raw.problem)
    return recipe.decode(raw.image_id, raw.outputs, raw.geometry)


def as_table(images: list[ImageDetections]) -> DetectionTable:
    """Return the detections of images as one table, rounded as `harness run` stores them."""
    rows = np.empty((sum(len(image.scores) for image in images), 7))
    if len(rows):
        rows[:, 0] = np.repeat([image.image_id for image in images], [len(image.scores) for image in images])
        rows[:, 1:5] = np.round(np.concatenate([image.boxes for image in images]), _DECIMALS) + 0.0
        rows[:, 5] = np.concatenate([image.scores for image in images])
        rows[:, 6] = np.concatenate([image.categories for image in images])
    return DetectionTable(rows)
