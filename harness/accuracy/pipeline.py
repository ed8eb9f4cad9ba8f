"""Images → detections on this computer, with all cores busy and bounded memory.

Each image is one task for a pool of threads: decode, resize, infer, decode the outputs. Pillow and `invoke`
release the GIL, so the threads run at the same time. Interpreters are taken from a pool; there are as many as
fit on the cores with the threads each of them uses. Results come out in the order of the images; at most a
few images a thread are under way.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from harness.accuracy.labels import category_ids
from harness.accuracy.prepare import Geometry, Preparation, Tensor, UnreadableImageError
from harness.cards import Labels
from harness.detectors.base import Decoder, Detections

IN_FLIGHT_PER_THREAD = 3


@dataclass(frozen=True)
class ImageDetections:
    """The detections of one image in COCO's terms.

    Attributes:
        image_id: Of the dataset.
        boxes: float64 [N, 4], x, y, width, height in pixels of the image.
        scores: float32 [N].
        categories: int64 [N], category ids.
        problem: Why the image could not be read; None when it could.
    """

    image_id: int
    boxes: npt.NDArray[np.float64]
    scores: npt.NDArray[np.floating]
    categories: npt.NDArray[np.int64]
    problem: str | None = None


class Engine(Protocol):
    """Runs a model on one prepared input. One thread at a time."""

    def infer(self, tensor: Tensor) -> list[npt.NDArray[np.generic]]:
        """Return the output tensors in the order of the model's output list."""


class InterpreterEngine:
    """A TFLite interpreter as an engine."""

    def __init__(self, interpreter: Any) -> None:
        self._interpreter = interpreter
        self._input = interpreter.get_input_details()[0]["index"]
        self._outputs = [detail["index"] for detail in interpreter.get_output_details()]

    def infer(self, tensor: Tensor) -> list[npt.NDArray[np.generic]]:
        """Set the input, invoke, return copies of the outputs."""
        self._interpreter.set_tensor(self._input, tensor)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(index) for index in self._outputs]


@dataclass(frozen=True)
class Recipe:
    """How one image becomes detections, apart from the inference."""

    preparation: Preparation
    decoder: Decoder
    labels: Labels

    def decode(
        self, image_id: int, outputs: Sequence[npt.NDArray[np.generic]], at: Geometry
    ) -> ImageDetections:
        """Turn the outputs for one image into detections in pixels of that image.

        Detections that are not finite, and boxes without area inside the image, are dropped.
        """
        return self.finish(image_id, self.decoder(outputs), at)

    def finish(self, image_id: int, found: Detections, at: Geometry) -> ImageDetections:
        """Turn decoded detections into pixels and category ids."""
        corners = at.to_image(found.boxes)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        keep = np.isfinite(boxes).all(axis=1) & np.isfinite(found.scores) & (boxes[:, 2:] > 0).all(axis=1)
        categories = category_ids(found.classes[keep], self.labels)
        return ImageDetections(image_id, boxes[keep], found.scores[keep], categories)


def detect(
    images: Iterable[tuple[int, Path]], recipe: Recipe, engines: Sequence[Engine], threads: int
) -> Iterator[ImageDetections]:
    """Yield the detections of each image, in the order of `images`.

    Args:
        images: (image id, file) pairs.
        recipe: Preparation and decoding.
        engines: One or more engines; each is used by one thread at a time.
        threads: Threads that work at the same time.
    """
    idle: queue.SimpleQueue[Engine] = queue.SimpleQueue()
    for engine in engines:
        idle.put(engine)

    def work(item: tuple[int, Path]) -> ImageDetections:
        image_id, path = item
        try:
            tensor, geometry = recipe.preparation.load(path)
        except UnreadableImageError as error:
            return ImageDetections(image_id, np.empty((0, 4)), np.empty(0), np.empty(0, np.int64), str(error))
        engine = idle.get()
        try:
            outputs = engine.infer(tensor)
        finally:
            idle.put(engine)
        return recipe.decode(image_id, outputs, geometry)

    yield from _ordered(work, images, threads)


def _ordered(
    work: Callable[[tuple[int, Path]], ImageDetections], items: Iterable[tuple[int, Path]], threads: int
) -> Iterator[ImageDetections]:
    """Map with threads, in order, with a bounded number of items under way."""
    with ThreadPoolExecutor(threads, thread_name_prefix="image") as pool:
        under_way: deque[Future[ImageDetections]] = deque()
        try:
            for item in items:
                under_way.append(pool.submit(work, item))
                if len(under_way) >= threads * IN_FLIGHT_PER_THREAD:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()
