"""What real numbers a model's network gets for a pixel: prepared as its card says, stored as its input stores them."""

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
"""Grey levels that are fed; the preparation is affine in the pixel, but for the clipping of integers."""
CLOSE = 0.02
"""Two inputs are taken for the same where they differ by less than this share of the range of pixels (5 of 255)."""


@dataclass(frozen=True)
class Fed:
    """What the network gets.

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

    def like(self, other: Fed) -> bool:
        """Whether two networks get the same, within `CLOSE` of the range of the other."""
        width = max(other.high - other.low, 1e-9)
        return bool(np.abs(self.values - other.values).max() <= CLOSE * width)


def fed(spec: InputSpec, info: TensorInfo) -> Fed:
    """Return what a network gets under a card's preparation; integers dequantized with the input's own scale.

    Raises:
        ModelError: The card does not fit the input.
    """
    preparation = Preparation(spec, info)
    found = [_value(preparation, info, level) for level in PROBES]
    values = np.array(found, np.float64)
    return Fed(values[:, ::-1] if spec.channels == "bgr" else values)


def of_side(model: ComparedModel) -> Fed:
    """Return what a model's network gets.

    Raises:
        ModelError: The card does not fit the input.
    """
    return fed(model.card.input, model.description.inputs[0])


def _value(preparation: Preparation, info: TensorInfo, level: int) -> npt.NDArray[np.float32]:
    spec = preparation.spec
    tensor, _ = preparation.prepare(Image.new("RGB", (spec.width, spec.height), (level,) * 3))
    real = dequantize(tensor, info)[0]
    middle = real[:, spec.height // 2, spec.width // 2] if preparation.channels_first else None
    found: npt.NDArray[np.float32] = real[spec.height // 2, spec.width // 2] if middle is None else middle
    return found


def holds(info: TensorInfo, wanted: Fed) -> bool | None:
    """Whether an integer input can store what another network gets; None for an input that is not quantized."""
    found = held(info)
    slack = CLOSE * (wanted.high - wanted.low)
    return None if found is None else found[0] - slack <= wanted.low and wanted.high <= found[1] + slack


def held(info: TensorInfo) -> tuple[float, float] | None:
    """Return the least and the greatest value that an integer input can store; None for another input."""
    return real_range(info.dtype, info.scale, info.zero_point) if info.dtype in EIGHT_BIT else None


def is_integer(model: ComparedModel) -> bool:
    """Whether a model's input takes integers."""
    return model.description.inputs[0].dtype in EIGHT_BIT


def asked(spec: InputSpec, info: TensorInfo) -> Fed | None:
    """Return what a card asks for, before an integer input rounds and clips it; None without a normalization.

    A float input without one asks for the pixels themselves.
    """
    levels = np.repeat(np.array(PROBES, np.float64)[:, None], 3, axis=1)
    if spec.mean is None or spec.std is None:
        return Fed(levels) if info.dtype.startswith("float") else None
    values = (levels - np.array(spec.mean)) / np.array(spec.std)
    return Fed(values[:, ::-1] if spec.channels == "bgr" else values)


def with_values(spec: InputSpec, info: TensorInfo, wanted: Fed, like: ComparedModel) -> InputSpec:
    """Return a card's preparation that feeds what another network gets.

    Args:
        spec: The present one.
        info: The input that is fed.
        wanted: What the other network gets; affine in the pixel.
        like: The other network; its card's own entries are taken where they mean the same here.
    """
    theirs, other = like.card.input, like.description.inputs[0]
    same_storage = (info.dtype, info.scale, info.zero_point) == (other.dtype, other.scale, other.zero_point)
    if theirs.mean is not None or same_storage:
        return replace(spec, mean=theirs.mean, std=theirs.std)
    slope = (wanted.values[-1] - wanted.values[0]) / (PROBES[-1] - PROBES[0])
    std = np.round(1 / slope, 6)
    mean = np.round(-wanted.values[0] / slope, 6) + 0.0
    return replace(spec, mean=_triple(mean), std=_triple(std))


def _triple(values: npt.NDArray[np.float64]) -> tuple[float, float, float]:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
