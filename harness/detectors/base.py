"""What a decoder takes and gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.tflite.tensor_info import TensorInfo
from harness.tflite.values import to_real


@dataclass(frozen=True)
class ModelContext:
    """What a decoder may need to know of its model apart from the outputs.

    Attributes:
        width: Of the input image in pixels; 0 when unknown.
        height: Of the input image in pixels; 0 when unknown.
        file: The .tflite; None when unknown.
    """

    width: int = 0
    height: int = 0
    file: Path | None = None


@dataclass(frozen=True)
class Detections:
    """The detections of one image, best score first or in the model's own order.

    Attributes:
        boxes: float [N, 4], x_min, y_min, x_max, y_max as shares (0…1) of the model's input image.
        scores: float [N], 0…1.
        classes: int [N], class index as the model counts; the card's labels turn it into a category id.
    """

    boxes: npt.NDArray[np.floating]
    scores: npt.NDArray[np.floating]
    classes: npt.NDArray[np.integer]


class Decoder(Protocol):
    """Turns the output tensors of one image into detections."""

    def __call__(self, outputs: Sequence[npt.NDArray[np.generic]], /) -> Detections:
        """Decode one image's outputs, given in the order of the model's output list."""


class DecoderFactory(Protocol):
    """Makes a decoder for one model; checks once what does not change from image to image."""

    def __call__(self, spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
        """Make the decoder.

        Args:
            spec: The card's settings.
            outputs: In the order of the model's output list.
            context: The model.

        Raises:
            ModelError: The outputs are not of this family; says what was found and what is expected.
        """


def dequantize(values: npt.NDArray[np.generic], info: TensorInfo) -> npt.NDArray[np.float32]:
    """Return real = scale * (q - zero_point), or the values as float32 where the tensor is not quantized."""
    if info.scale is None or np.issubdtype(values.dtype, np.floating):
        return values.astype(np.float32, copy=False)
    return to_real(values, info.scale, info.zero_point or 0)
