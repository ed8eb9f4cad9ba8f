"""The facts about an input or output tensor that a decoder and a worker need."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TensorInfo:
    """An input or output tensor of a model.

    Attributes:
        name: Its name in the file; can be empty.
        shape: Its static shape; -1 for a dynamic dimension.
        dtype: NumPy name: `float32`, `uint8`, `int8`, …
        scale: Quantization scale; None when it is not quantized.
        zero_point: Quantization zero point; None when it is not quantized.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float | None = None
    zero_point: int | None = None
