"""Compute the real numbers that a network gets for a pixel, prepared by its card and stored by its input."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from msgspec.structs import replace
from PIL import Image

from harness.accuracy.prepare import Preparation
from harness.cards import InputSpec
from harness.detectors.base import dequantize
from harness.diagnosis.runs.model_pair import ComparedModel
from harness.tflite.tensor_info import TensorInfo
from harness.tflite.values import EIGHT_BIT, real_range

PROBES = (0, 64, 128, 192, 255)
"""Gray levels that are fed; the preparation is affine in the pixel, but for the clipping of integers."""
CLOSE = 0.02
"""Two inputs count as equal where they differ by less than this share of the range of pixels (5 of 255)."""


@dataclass(frozen=True)
class InputValues:
    """The values that a network gets for gray pixels.

    Attributes:
        values: float64 [5, 3], for each of `PROBES` and each channel of the input, red first.
    """

    values: npt.NDArray[np.float64]

    @property
    def low(self) -> float:
        """The least value."""
        return float(self.values.min())

    @property
    def high(self) -> float:
        """The greatest value."""
        return float(self.values.max())

    def __str__(self) -> str:
        """Return `-1…1`, or each channel's ends where they differ."""
        ends = [f"{low:.3g}…{high:.3g}" for low, high in zip(self.values[0], self.values[-1], strict=True)]
        return ends[0] if len(set(ends)) == 1 else " / ".join(ends)

    def is_close_to(self, other: InputValues) -> bool:
        """Whether two networks get the same values, within `CLOSE` of the range of the other."""
        width = max(other.high - other.low, 1e-9)
        return bool(np.abs(self.values - other.values).max() <= CLOSE * width)


def prepared_values(spec: InputSpec, info: TensorInfo) -> InputValues:
    """Return the values that a network gets under a card's preparation; integers are dequantized.

    Raises:
        ModelError: The card does not fit the input.
    """
    preparation = Preparation(spec, info)
    found = [_value(preparation, info, level) for level in PROBES]
    values = np.array(found, np.float64)
    return InputValues(values[:, ::-1] if spec.channels == "bgr" else values)


def values_of(model: ComparedModel) -> InputValues:
    """Return the values that a model's network gets.

    Raises:
        ModelError: The card does not fit the input.
    """
    return prepared_values(model.card.input, model.description.image_input)


def _value(preparation: Preparation, info: TensorInfo, level: int) -> npt.NDArray[np.float32]:
    spec = preparation.spec
    tensor, _ = preparation.prepare(Image.new("RGB", (spec.width, spec.height), (level,) * 3))
    real = dequantize(tensor, info)[0]
    middle = real[:, spec.height // 2, spec.width // 2] if preparation.channels_first else None
    found: npt.NDArray[np.float32] = real[spec.height // 2, spec.width // 2] if middle is None else middle
    return found


def can_store(info: TensorInfo, wanted: InputValues) -> bool | None:
    """Whether an integer input can store another network's values; None for an input that is not quantized."""
    found = storable_range(info)
    slack = CLOSE * (wanted.high - wanted.low)
    return None if found is None else found[0] - slack <= wanted.low and wanted.high <= found[1] + slack


def storable_range(info: TensorInfo) -> tuple[float, float] | None:
    """Return the least and the greatest value that an integer input can store; None for another input."""
    return real_range(info.dtype, info.scale, info.zero_point) if info.dtype in EIGHT_BIT else None


def is_integer(model: ComparedModel) -> bool:
    """Whether a model's input takes integers."""
    return model.description.image_input.dtype in EIGHT_BIT


def card_values(spec: InputSpec, info: TensorInfo) -> InputValues | None:
    """Return the values that a card asks for, before an integer input rounds and clips; None without a normalization.

    A float input without one asks for the pixels themselves.
    """
    levels = np.repeat(np.array(PROBES, np.float64)[:, None], 3, axis=1)
    if spec.mean is None or spec.std is None:
        return InputValues(levels) if info.dtype.startswith("float") else None
    values = (levels - np.array(spec.mean)) / np.array(spec.std)
    return InputValues(values[:, ::-1] if spec.channels == "bgr" else values)


def preparation_for(
    spec: InputSpec, info: TensorInfo, wanted: InputValues, other: ComparedModel
) -> InputSpec:
    """Return a card's preparation, changed so that the network gets another network's values.

    Args:
        spec: The present preparation.
        info: The input.
        wanted: The other network's values; affine in the pixel.
        other: The other model; its card's own entries are taken where they mean the same here.
    """
    theirs, their_info = other.card.input, other.description.image_input
    same_storage = (info.dtype, info.scale, info.zero_point) == (
        their_info.dtype,
        their_info.scale,
        their_info.zero_point,
    )
    if theirs.mean is not None or same_storage:
        return replace(spec, mean=theirs.mean, std=theirs.std)
    slope = (wanted.values[-1] - wanted.values[0]) / (PROBES[-1] - PROBES[0])
    std = np.round(1 / slope, 6)
    mean = np.round(-wanted.values[0] / slope, 6) + 0.0
    return replace(spec, mean=_triple(mean), std=_triple(std))


def _triple(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
