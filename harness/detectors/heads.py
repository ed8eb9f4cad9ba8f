"""A decoder of raw heads in two halves: what the tensors say of every candidate, and which of them are kept.

Apart, so that the candidates of two models can be mixed before suppression (`harness.diagnosis`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.detectors.base import Detections
from harness.detectors.nms import Floats, NmsSettings, suppress


@dataclass(frozen=True)
class Candidates:
    """Every box of an image before suppression.

    Attributes:
        boxes: float32 [N, 4], x_min, y_min, x_max, y_max as shares of the input.
        scores: float32 [N, C], without a background column.
        weights: float32 [N] that each box's scores are multiplied with (objectness); None for 1.
    """

    boxes: Floats
    scores: Floats
    weights: Floats | None = None


@dataclass(frozen=True)
class HeadDecoder:
    """Decodes raw heads.

    Attributes:
        read: Turns the output tensors into candidates.
        settings: Which of them are kept.
    """

    read: Callable[[Sequence[npt.NDArray[np.generic]]], Candidates]
    settings: NmsSettings

    def __call__(self, outputs: Sequence[npt.NDArray[np.generic]], /) -> Detections:
        """Decode one image's outputs."""
        return keep(self.read(outputs), self.settings)


def keep(found: Candidates, settings: NmsSettings) -> Detections:
    """Suppress candidates."""
    kept = suppress(found.boxes, found.scores, settings, found.weights)
    return Detections(found.boxes[kept.boxes], kept.scores, kept.classes)
