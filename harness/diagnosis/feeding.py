"""What real numbers a side's network gets for a pixel: prepared as its card says, stored as its input stores them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from harness.accuracy.prepare import Preparation
from harness.cards import InputSpec
from harness.detectors.base import TensorInfo, dequantize
from harness.diagnosis.emulate import BOUNDS
from harness.diagnosis.sides import Side

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


def of_side(side: Side) -> Fed:
    """Return what a side's network gets.

    Raises:
        ModelError: The card does not fit the input.
    """
    return fed(side.model.card.input, side.description.inputs[0])


def _value(preparation: Preparation, info: TensorInfo, level: int) -> npt.NDArray[np.float32]:
    spec = preparation.spec
    tensor, _ = preparation.prepare(Image.new("RGB", (spec.width, spec.height), (level,) * 3))
    real = dequantize(tensor, info)[0]
    middle = real[:, spec.height // 2, spec.width // 2] if preparation.channels_first else None
    found: npt.NDArray[np.float32] = real[spec.height // 2, spec.width // 2] if middle is None else middle
    return found


def holds(info: TensorInfo, wanted: Fed) -> bool | None:
    """Whether an integer input can store what another network gets; None for an input that is not quantized."""
    if info.scale is None or info.dtype not in BOUNDS:
        return None
    low, high = (info.scale * (bound - (info.zero_point or 0)) for bound in BOUNDS[info.dtype])
    slack = CLOSE * (wanted.high - wanted.low)
    return low - slack <= wanted.low and wanted.high <= high + slack


def is_integer(side: Side) -> bool:
    """Whether a side's input takes integers."""
    return side.description.inputs[0].dtype in BOUNDS
