"""Images → detections on this computer, with all cores busy and bounded memory.

Each image is one task for a pool of threads: decode, resize, infer, decode the outputs. Pillow and `invoke`
release the GIL, so the threads run at the same time. Interpreters are taken from a pool; there are as many as
fit on the cores with the threads each of them uses. Results come out in the order of the images; at most a
few images a thread are under way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.accuracy.image_files import ImageFile, UnreadableImageError
from harness.accuracy.interpreters import Engine, Pool, map_in_order
from harness.accuracy.labels import LEFT_OUT, category_ids
from harness.accuracy.prepare import Geometry, Preparation
from harness.cards import Labels
from harness.detectors.base import Decoder, Detections
from harness.errors import blamed_on_model


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


def unreadable(image_id: int, error: UnreadableImageError) -> ImageDetections:
    """Return what stands for an image that could not be read."""
    return ImageDetections(image_id, np.empty((0, 4)), np.empty(0), np.empty(0, np.int64), str(error))


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
        with blamed_on_model("its outputs cannot be decoded"):
            found = self.decoder(outputs)
        return self.finish(image_id, found, at)

    def finish(self, image_id: int, found: Detections, at: Geometry) -> ImageDetections:
        """Turn decoded detections into pixels and category ids."""
        boxes, categories, kept = self._placed(found, at)
        return ImageDetections(image_id, boxes, found.scores[kept], categories)

    def finish_several(
        self, image_id: int, several: Sequence[Detections], at: Geometry
    ) -> list[ImageDetections]:
        """Turn several results for one image into pixels and category ids, all at once."""
        parts = zip(*((one.boxes, one.scores, one.classes) for one in several), strict=True)
        found = Detections(*(np.concatenate(part) for part in parts))
        boxes, categories, kept = self._placed(found, at)
        of_result = np.repeat(np.arange(len(several)), [len(one.scores) for one in several])[kept]
        ends = np.searchsorted(of_result, np.arange(1, len(several)))
        columns = (np.split(values, ends) for values in (boxes, found.scores[kept], categories))
        return [ImageDetections(image_id, *one) for one in zip(*columns, strict=True)]

    def _placed(
        self, found: Detections, at: Geometry
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int64], npt.NDArray[np.intp]]:
        """Return boxes in pixels, category ids, and which of the detections they are of."""
        boxes = at.to_image(found.boxes)
        boxes[:, 2:] -= boxes[:, :2]
        usable = np.isfinite(boxes).all(axis=1) & np.isfinite(found.scores) & (boxes[:, 2:] > 0).all(axis=1)
        kept = np.flatnonzero(usable)
        categories = category_ids(found.classes[kept], self.labels)
        meant = categories != LEFT_OUT
        kept = kept[meant]
        return boxes[kept], categories[meant], kept


def detect(
    images: Iterable[tuple[int, ImageFile]], recipe: Recipe, engines: Sequence[Engine], threads: int
) -> Iterator[ImageDetections]:
    """Yield the detections of each image, in the order of `images`.

    Args:
        images: (image id, file) pairs.
        recipe: Preparation and decoding.
        engines: One or more engines; each is used by one thread at a time.
        threads: Threads that work at the same time.
    """
    pool = Pool(engines)

    def work(item: tuple[int, ImageFile]) -> ImageDetections:
        image_id, file = item
        try:
            tensor, geometry = recipe.preparation.load(file)
        except UnreadableImageError as error:
            return unreadable(image_id, error)
        with pool.lend() as engine:
            outputs = engine.infer(tensor)
        return recipe.decode(image_id, outputs, geometry)

    yield from map_in_order(work, images, threads)
