"""`quantized_input_stats`: TF1's (mean, std) of a quantized input, and what they must become in the file.

TF1's converter defines real = (q − mean) / std for q of 0…255 (`TFLiteConverter.quantized_input_stats`); the file
says real = scale × (q − zero point). So scale = 1 / std and zero point = mean, and for int8 mean − 128.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.cards import InputSpec
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo
from harness.tflite.values import EIGHT_BIT

SCALE_TOLERANCE, ZERO_TOLERANCE = 0.02, 2


@dataclass(frozen=True)
class InputStats:
    """(mean, std) as `quantized_input_stats` takes them: for uint8 values."""

    mean: float
    std: float

    @property
    def scale(self) -> float:
        """The scale that follows."""
        return 1.0 / self.std

    def zero_point(self, dtype: str = "uint8") -> int:
        """Return the zero point that follows, for `uint8` or `int8`."""
        return round(self.mean) + EIGHT_BIT[dtype][0]


def from_spec(spec: InputSpec) -> InputStats | None:
    """Work the stats out of a card's preparation; (0, 1) where pixels go in as they are.

    The preparation is real = (pixel − mean) / std and the quantized value is the pixel, so they are the same two
    numbers. None where the channels differ: one tensor has one scale.
    """
    if spec.mean is None or spec.std is None:
        return InputStats(0.0, 1.0)
    if len(set(spec.mean)) > 1 or len(set(spec.std)) > 1:
        return None
    return InputStats(spec.mean[0], spec.std[0])


def compare(wanted: InputStats, info: TensorInfo) -> str | None:
    """Return a sentence where the file's input does not fit the preparation; None where it does.

    A calibrated range may miss the ends by 2 % or two steps: not every image set has black and white.
    """
    if info.scale is None or info.zero_point is None or info.dtype not in EIGHT_BIT:
        return None
    zero_point = wanted.zero_point(info.dtype)
    near = abs(info.scale / wanted.scale - 1) <= SCALE_TOLERANCE
    if near and abs(info.zero_point - zero_point) <= ZERO_TOLERANCE:
        return None
    return (
        f"input {info.name!r} has scale {info.scale:.6g} and zero point {info.zero_point}, but images prepared with "
        f"mean {wanted.mean:g} and std {wanted.std:g} need scale {wanted.scale:.6g} and zero point {zero_point}"
    )


def check(wanted: InputStats, info: TensorInfo) -> None:
    """Refuse a file whose input does not fit the preparation.

    Raises:
        ModelError: Names both pairs.
    """
    problem = compare(wanted, info)
    if problem:
        raise ModelError(f"{problem}: the stats given to the converter are not those of the images")
