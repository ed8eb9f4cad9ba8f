"""Try the readings of a model on a few dozen labeled images: the one with the best mAP is right.

An inference is the expensive part, so each prepared image is inferred once for all readings of the outputs, and the
meaning of the class numbers is tried on the same detections. The preparation is varied one property after another, each
time from the best reading so far.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from harness.accuracy.annotations import GroundTruth, read_annotations
from harness.accuracy.coco import evaluate
from harness.accuracy.dataset import Dataset, ImageEntry
from harness.accuracy.image_files import UnreadableImageError
from harness.accuracy.interpreters import InterpreterEngine, Pool, make_here, map_in_order
from harness.accuracy.labels import category_ids
from harness.accuracy.pipeline import ImageDetections, Recipe, unreadable
from harness.accuracy.prepare import Preparation
from harness.cards import Labels, Model, ModelCard
from harness.delegates import available_cores
from harness.detectors.base import Decoder, ModelContext
from harness.detectors.registry import make_decoder
from harness.errors import JobError, UsageError
from harness.recognize import readings
from harness.recognize.readings import Reading
from harness.tflite.model import ModelDescription, describe
from harness.tflite.runnable import check_runnable

DEFAULT_IMAGES = 32
_RIGHT_ENOUGH = 0.05
"""mAP above which the decoder counts as right while the preparation is varied."""
_CHANCE = 0.01
"""Difference of two mAPs on a few dozen images that can be chance (50 images, paired: ±0.01)."""
_SHARE = 0.10
"""A gain of less than this share can be chance, too: on drawn shapes BGR beats RGB by 7 % on 8 images."""

OnProgress = Callable[[int, str], None]
"""Called with the number of readings that are done and the words of the last one."""


@dataclass(frozen=True)
class ReadingScore:
    """A reading and its accuracy.

    Attributes:
        reading: Its difference from the first reading; `as inferred` or `as the card says` for that one.
        card: The card of the reading.
        map: COCO's mAP on the images; None without anything to average.
        ap50: AP at an overlap of 0.5.
        n_detections: Number of detections.
        best: Whether it is the winner.
    """

    reading: str
    card: ModelCard
    map: float | None
    ap50: float | None
    n_detections: int
    best: bool = False

    @property
    def rank(self) -> tuple[float, float]:
        """The key by which readings are compared."""
        return self.map or 0.0, self.ap50 or 0.0


def probe(
    model: Model, dataset: Dataset, limit: int = DEFAULT_IMAGES, on_progress: OnProgress | None = None
) -> list[ReadingScore]:
    """Try a model's readings; return the best first, the others by their mAP.

    Args:
        model: Its card is the first reading.
        dataset: Labeled images; the first `limit` that have annotations are used.
        limit: Number of images.
        on_progress: Called with the progress.

    Raises:
        UsageError: No image is labeled, or the model has no decoder that could be varied.
        ModelError: The model cannot be read or run.
        JobError: The model failed on the images.
    """
    if model.card.decoder.name == "none":
        reasons = " ".join(sentence for sentence in model.evidence if sentence.startswith("decoder"))
        raise UsageError(
            f"model {model.name!r}: its outputs are of no known family, so there is nothing to try. {reasons}"
        )
    images = [image for image in dataset.images if image.n_annotations][: max(1, limit)]
    if not images:
        raise UsageError(f"dataset {dataset.name!r}: no image has annotations, so no reading can be judged")
    facts = describe(model.file)
    check_runnable(facts)
    trials = _Trials(model, facts, images, read_annotations(dataset.annotations), on_progress)
    return _ranked(trials.explore("as inferred" if model.origin is None else "as the card says"))


def winner(scores: Sequence[ReadingScore]) -> ReadingScore:
    """Return the reading to believe: the first one, unless a later one is better by more than chance.

    The first rests on evidence in the file, so a few thousandths on a few dozen images do not overrule it.
    """
    best = scores[0]
    for one in scores[1:]:
        gain = one.rank[0] - best.rank[0]
        if gain > max(_CHANCE, _SHARE * best.rank[0]) or (best.rank[0] < _CHANCE and gain > best.rank[0]):
            best = one
    return best


def _ranked(scores: list[ReadingScore]) -> list[ReadingScore]:
    """Sort by mAP, the winner first."""
    best = winner(scores)
    others = sorted((one for one in scores if one is not best), key=lambda one: one.rank, reverse=True)
    return [replace(best, best=True), *others]


@dataclass
class _Trials:
    """The trials of one model's readings, with everything that they share."""

    model: Model
    facts: ModelDescription
    images: Sequence[ImageEntry]
    truth: GroundTruth
    on_progress: OnProgress | None

    def __post_init__(self) -> None:
        self._threads = available_cores()
        engines = (InterpreterEngine(make_here(self.model.file)) for _ in range(self._threads))
        self._engines = Pool(engines)
        self._done = 0

    def explore(self, first: str) -> list[ReadingScore]:
        """Try the outputs' readings on the card's preparation, then other preparations on the best of them."""
        known = readings.settled(self.model.evidence)
        scores = self._score_readings(Reading(first, self.model.card), self._outputs(self.model.card, known))
        if winner(scores).rank[0] < _RIGHT_ENOUGH and known:
            scores += self._score_readings(
                Reading(first, self.model.card), self._outputs(self.model.card)[1:]
            )
        for vary in readings.PREPARATIONS:
            best = winner(scores)
            words = "" if best.reading == first else f"{best.reading}; "
            for prepared in vary(best.card, self.facts):
                outputs = [Reading("", prepared.card)]
                if best.rank[0] < _RIGHT_ENOUGH:
                    outputs = self._outputs(prepared.card)
                scores += self._score_readings(Reading(words + prepared.words, prepared.card), outputs)
        return scores

    def _outputs(self, card: ModelCard, known: frozenset[str] = frozenset()) -> list[Reading]:
        return list(readings.decoders(card, self.facts, known))

    def _score_readings(self, start: Reading, outputs: list[Reading]) -> list[ReadingScore]:
        """Infer the images prepared as `start`, decode them in every way, and try the meanings of classes."""
        found = self._detections(start.card, [reading.card for reading in outputs])
        scores = []
        for reading, images in zip(outputs, found, strict=True):
            classes = np.concatenate([image.categories for image in images])
            ends = (int(classes.min()), int(classes.max())) if classes.size else (0, 0)
            for meaning in readings.labels(reading.card):
                if readings.in_range(meaning.card.labels, *ends):
                    words = "; ".join(filter(None, (start.words, reading.words, meaning.words)))
                    scores.append(self._score(words, meaning.card, images))
        return scores

    def _score(self, words: str, card: ModelCard, images: Sequence[ImageDetections]) -> ReadingScore:
        table = np.concatenate([_rows(image, card.labels) for image in images])
        result = evaluate(self.truth, table, [image.image_id for image in images]).figures
        self._done += 1
        if self.on_progress is not None:
            self.on_progress(self._done, words)
        return ReadingScore(words, card, result.map, result.ap50, len(table))

    def _detections(self, card: ModelCard, cards: Sequence[ModelCard]) -> list[list[ImageDetections]]:
        """Return each decoder's detections of all images, classes as the model counts them."""
        preparation = Preparation(card.input, self.facts.inputs[0])
        context = ModelContext(card.input.width, card.input.height, self.model.file)
        recipes = [Recipe(preparation, self._decoder(one, context), Labels()) for one in cards]

        def work(image: ImageEntry) -> list[ImageDetections]:
            try:
                tensor, geometry = preparation.load(image.file)
            except UnreadableImageError as error:
                return [unreadable(image.id, error)] * len(recipes)
            try:
                with self._engines.lend() as engine:
                    outputs = engine.infer(tensor)
            except (RuntimeError, ValueError) as error:
                raise JobError(
                    f"model {self.model.name!r}: it failed on {image.path.name}: {error}"
                ) from error
            return [recipe.decode(image.id, outputs, geometry) for recipe in recipes]

        by_image = list(map_in_order(work, self.images, self._threads))
        return [list(images) for images in zip(*by_image, strict=True)]

    def _decoder(self, card: ModelCard, context: ModelContext) -> Decoder:
        return make_decoder(card.decoder, self.facts.outputs, context)


def _rows(image: ImageDetections, labels: Labels) -> npt.NDArray[np.float64]:
    """Return COCO's result rows [N, 7] of one image."""
    categories = category_ids(image.categories, labels)
    ids = np.full(len(categories), image.image_id)
    return np.column_stack([ids, image.boxes, image.scores, categories]).astype(np.float64)


def distinct(scores: Sequence[ReadingScore]) -> Iterator[ReadingScore]:
    """Yield each reading once: of those with the same figures and detections, the first."""
    seen: set[tuple[float | None, float | None, int]] = set()
    for one in scores:
        key = (one.map, one.ap50, one.n_detections)
        if key not in seen or one.best:
            yield one
        seen.add(key)
