"""A decoder of raw heads in two halves: what the tensors say of every candidate, and which of them are kept.

Apart, so that the candidates of two models can be mixed before suppression (`harness.diagnosis`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.cards import ModelCard
from harness.detectors.base import Decoder, Detections
from harness.detectors.nms import Floats, NmsSettings, Overlaps, suppress
from harness.errors import ModelError


@dataclass(frozen=True)
class Candidates:
    """Every box of an image before suppression.

    Attributes:
        boxes: float32 [N, 4], x_min, y_min, x_max, y_max as shares of the input.
        scores: float32 [N, C], without a background column.
        weights: float32 [N] that each box's scores are multiplied with (objectness); None for 1.
        best: float32 [N], each box's greatest score, without its weight, where it is known; None else.
    """

    boxes: Floats
    scores: Floats
    weights: Floats | None = None
    best: Floats | None = None


@dataclass(frozen=True)
class HeadDecoder:
    """Decodes raw heads.

    Attributes:
        read: Turns the output tensors into candidates.
        settings: Which of them are kept.
        n_classes: Columns of the scores; None where they are not known beforehand.
    """

    read: Callable[[Sequence[npt.NDArray[np.generic]]], Candidates]
    settings: NmsSettings
    n_classes: int | None = None

    def __call__(self, outputs: Sequence[npt.NDArray[np.generic]], /) -> Detections:
        """Decode one image's outputs."""
        return keep(self.read(outputs), self.settings)


def keep(found: Candidates, settings: NmsSettings, overlaps: Overlaps | None = None) -> Detections:
    """Suppress candidates; `overlaps` are those of their boxes, where these are suppressed several times."""
    kept = suppress(found.boxes, found.scores, settings, found.weights, overlaps, found.best)
    return Detections(found.boxes[kept.boxes], kept.scores, kept.classes)


def check_names(card: ModelCard, decoder: Decoder, said: Sequence[str]) -> None:
    """Hold the number of classes that a decoder reads against the names that the card and the file have.

    Args:
        card: Its labels.
        decoder: For the card's settings.
        said: The names in the file itself.

    Raises:
        ModelError: They are not as many, so the columns are something else.
    """
    n = decoder.n_classes if isinstance(decoder, HeadDecoder) else None
    for names, whose in ((card.labels.names or (), "the card's labels.names"), (said, "the file itself")):
        if n is not None and names and len(names) != n:
            raise ModelError(
                f"decoder {card.decoder.name}: the outputs have {n} columns of class scores, but {whose} names "
                f"{len(names)} classes: correct the card's decoder (name, background, extra_columns) or its labels"
            )
