"""Try the readings of a model on a few dozen labeled images: the one with the best mAP is right.

An inference is the expensive part, so each prepared image is inferred once for all readings of the outputs, and the
meaning of the class numbers is tried on the same detections. Names that the model and the data set share leave nothing
to try there. The preparation is varied one property after another, each time from the best reading so far.

The best of many readings is some reading, right or not, so it has to beat chance (`harness.recognize.chance`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.accuracy.annotations import GroundTruth
from harness.accuracy.classes import Matching, match_classes
from harness.accuracy.coco import evaluate
from harness.accuracy.dataset import Dataset, ImageEntry, read_truth
from harness.accuracy.detections import DetectionTable
from harness.accuracy.image_files import UnreadableImageError, read_image
from harness.accuracy.interpreters import InterpreterEngine, Pool, make_here, map_in_order
from harness.accuracy.labels import LEFT_OUT, category_ids
from harness.accuracy.pipeline import ImageDetections, Recipe, unreadable
from harness.accuracy.prepare import Geometry, Preparation
from harness.cards import InputSpec, Labels, Model, ModelCard
from harness.delegates import available_cores
from harness.detectors.base import Decoder, ModelContext
from harness.detectors.registry import make_decoder
from harness.errors import JobError, ModelError, UsageError
from harness.recognize import readings
from harness.recognize.chance import like_chance, like_other_classes
from harness.recognize.model_classes import known_names, n_classes_of
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

_HELD_BYTES = 256 << 20
"""Outputs of one preparation that are kept to be read again; what is above is inferred again. As much of pictures."""

OnProgress = Callable[[int, int, str], None]
"""Called with the number of inferences that are done, that of all, and the words of the present preparation."""
Outputs = tuple[Sequence[npt.NDArray[np.generic]], Geometry]


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
        doubt: Why the winner is no better than chance; empty when it is, and for all others.
        truth: The annotations that it was judged by.
        table: Its detections.
    """

    reading: str
    card: ModelCard
    map: float | None
    ap50: float | None
    n_detections: int
    best: bool = False
    doubt: str = ""
    truth: GroundTruth | None = field(default=None, repr=False, compare=False)
    table: DetectionTable | None = field(default=None, repr=False, compare=False)

    @property
    def rank(self) -> tuple[float, float]:
        """The key by which readings are compared."""
        return self.map or 0.0, self.ap50 or 0.0


def probe(
    model: Model, dataset: Dataset, limit: int = DEFAULT_IMAGES, on_progress: OnProgress | None = None
) -> list[ReadingScore]:
    """Try a model's readings; return the best first, the others by their mAP.

    Where even the best is no better than chance, it says so in `doubt`, and none is `best`.

    Args:
        model: Its card is the first reading.
        dataset: Labeled images; the first `limit` that have annotations are used.
        limit: Number of images.
        on_progress: Called with the progress.

    Raises:
        UsageError: No image is labeled, or the model has no decoder that could be varied.
        ModelError: The model cannot be read or run.
        JobError: None of its classes is a category of the data set, or it failed on the images.
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
    trials = _Trials(model, facts, images, read_truth(dataset), on_progress)
    best, *others = _ranked(trials.explore("as inferred" if model.origin is None else "as the card says"))
    return [trials.judged(best), *others]


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
        self._n_classes = n_classes_of(self.model, self.facts)
        self._matching = self._matched()
        preparations = 1 + sum(len(list(vary(self.model.card, self.facts))) for vary in readings.PREPARATIONS)
        self._done, self._total = 0, preparations * len(self.images)
        self._held: dict[int, Outputs] = {}
        self._held_for: InputSpec | None = None
        self._held_bytes = 0
        self._pictures: dict[int, Image.Image] = {}
        self._picture_bytes = 0

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

    def judged(self, best: ReadingScore) -> ReadingScore:
        """Compare the winner with chance: its boxes, and its classes where they are taken by number."""
        if best.truth is None or best.table is None:
            return best
        image_ids = [image.id for image in self.images]
        doubt = like_chance(best.truth, best.table, image_ids)
        if not doubt and self._matching.facts.matched_by == "id":
            doubt = like_other_classes(best.truth, best.table, image_ids)
        return replace(best, best=not doubt, doubt=doubt)

    def _matched(self) -> Matching:
        """Match the classes as a run does.

        Raises:
            JobError: The names of both sides are known, and have nothing in common: no numbers can be right.
        """
        try:
            return match_classes(
                self.model.card.labels,
                known_names(self.model, self.facts),
                self.truth.categories,
                n_classes=self._n_classes,
                annotated=frozenset(self.truth.category_ids.tolist()),
            )
        except ModelError as error:
            raise JobError(f"no reading of {self.model.name} works: {error}") from error

    def _outputs(self, card: ModelCard, known: frozenset[str] = frozenset()) -> list[Reading]:
        return list(readings.decoders(card, self.facts, known))

    def _score_readings(self, start: Reading, outputs: list[Reading]) -> list[ReadingScore]:
        """Infer the images prepared as `start`, decode them in every way, and try the meanings of classes."""
        found = self._detections(start, [reading.card for reading in outputs])
        scores = []
        for reading, images in zip(outputs, found, strict=True):
            for meaning, labels, truth in self._meanings(reading.card, images):
                words = "; ".join(filter(None, (start.words, reading.words, meaning.words)))
                scores.append(self._score(Reading(words, meaning.card), labels, truth, images))
        return scores

    def _meanings(
        self, card: ModelCard, images: Sequence[ImageDetections]
    ) -> Iterator[tuple[Reading, Labels, GroundTruth]]:
        """Yield what the classes can mean: that alone where names or the card say it, else by number."""
        classes = np.concatenate([image.categories for image in images])
        ends = (int(classes.min()), int(classes.max())) if classes.size else (0, 0)
        match = self._matching
        if match.labels.ids is not None and readings.in_range(match.labels, *ends):
            chosen = match.categories
            truth = self.truth if chosen is None else self.truth.of_categories(chosen)
            yield Reading("", card), match.labels, truth
            return
        for meaning in readings.labels(card, self._n_classes):
            if readings.in_range(meaning.card.labels, *ends):
                yield meaning, meaning.card.labels, self.truth

    def _score(
        self, reading: Reading, labels: Labels, truth: GroundTruth, images: Sequence[ImageDetections]
    ) -> ReadingScore:
        rows = np.concatenate([_rows(image, labels) for image in images])
        result = evaluate(truth, rows, [image.image_id for image in images]).figures
        table = DetectionTable(rows)
        return ReadingScore(
            reading.words, reading.card, result.map, result.ap50, len(rows), truth=truth, table=table
        )

    def _detections(self, start: Reading, cards: Sequence[ModelCard]) -> list[list[ImageDetections]]:
        """Return each decoder's detections of all images, classes as the model counts them."""
        card = start.card
        preparation = Preparation(card.input, self.facts.image_input)
        context = ModelContext(card.input.width, card.input.height, self.model.file)
        recipes = [Recipe(preparation, self._decoder(one, context), Labels()) for one in cards]
        again = card.input == self._held_for
        if not again:
            self._held, self._held_for, self._held_bytes = {}, card.input, 0

        def work(image: ImageEntry) -> list[ImageDetections]:
            try:
                outputs, geometry = self._held.get(image.id) or self._infer(preparation, image)
            except UnreadableImageError as error:
                return [unreadable(image.id, error)] * len(recipes)
            return [recipe.decode(image.id, outputs, geometry) for recipe in recipes]

        by_image = []
        for found in map_in_order(work, self.images, self._threads):
            by_image.append(found)
            if not again:
                self._tell(start.words)
        return [list(images) for images in zip(*by_image, strict=True)]

    def _infer(self, preparation: Preparation, image: ImageEntry) -> Outputs:
        tensor, placed = preparation.prepare(self._picture(image))
        geometry = placed.of_size(image.file.size)
        try:
            with self._engines.lend() as engine:
                outputs = engine.infer(tensor)
        except (RuntimeError, ValueError) as error:
            raise JobError(f"model {self.model.name!r}: it failed on {image.path.name}: {error}") from error
        self._held_bytes += sum(output.nbytes for output in outputs)
        if self._held_bytes <= _HELD_BYTES:
            self._held[image.id] = outputs, geometry
        return outputs, geometry

    def _picture(self, image: ImageEntry) -> Image.Image:
        """Decode an image once for all preparations, as far as there is room."""
        if image.id in self._pictures:
            return self._pictures[image.id]
        picture = read_image(image.file)
        self._picture_bytes += picture.width * picture.height * len(picture.getbands())
        if self._picture_bytes <= _HELD_BYTES:
            self._pictures[image.id] = picture
        return picture

    def _tell(self, words: str) -> None:
        self._done += 1
        if self.on_progress is not None:
            self.on_progress(self._done, self._total, words)

    def _decoder(self, card: ModelCard, context: ModelContext) -> Decoder:
        return make_decoder(card.decoder, self.facts.outputs, context)


def _rows(image: ImageDetections, labels: Labels) -> npt.NDArray[np.float64]:
    """Return COCO's result rows [N, 7] of one image."""
    categories = category_ids(image.categories, labels)
    ids = np.full(len(categories), image.image_id)
    rows = np.column_stack([ids, image.boxes, image.scores, categories]).astype(np.float64)
    kept: npt.NDArray[np.float64] = rows[categories != LEFT_OUT]
    return kept


def distinct(scores: Sequence[ReadingScore]) -> Iterator[ReadingScore]:
    """Yield each reading once: of those with the same figures and detections, the first."""
    seen: set[tuple[float | None, float | None, int]] = set()
    for one in scores:
        key = (one.map, one.ap50, one.n_detections)
        if key not in seen or one.best:
            yield one
        seen.add(key)
