"""Convert the numbers of a tensor: stored integers to real values and back.

Affine quantization by TFLite's specification of 8-bit quantization: real = scale × (q − zero point).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from harness.tflite.graph import Graph, Quantization, Tensor

Array = npt.NDArray[Any]
LIMITS = {"uint8": (0, 255), "int8": (-128, 127), "int16": (-32768, 32767), "uint4": (0, 15), "int4": (-8, 7)}
EIGHT_BIT = {dtype: LIMITS[dtype] for dtype in ("uint8", "int8")}
"""The types that pixels are stored in."""


def to_real(
    values: Array,
    scale: float | Array,
    zero_point: float | Array,
    dtype: type[np.floating] = np.float32,
    out: Array | None = None,
) -> Array:
    """Return scale × (q − zero point), computed in `dtype`.

    Args:
        values: q.
        scale: One, or an array that is broadcast against the values.
        zero_point: As many.
        dtype: float32 as the runtime computes, float64 for measuring errors.
        out: The array to write to; a new one by default.
    """
    shifted = np.subtract(values, np.asarray(zero_point, dtype), out=out, dtype=dtype, casting="unsafe")
    return np.asarray(np.multiply(shifted, np.asarray(scale, dtype), out=out))


def to_integers(real: Array, scale: float, zero_point: int | None, dtype: str) -> Array:
    """Return q = round(real / scale) + zero point, clipped to the range of the type."""
    limits = np.iinfo(dtype)
    rounded = np.rint(real / scale) + (zero_point or 0)
    return np.asarray(np.clip(rounded, limits.min, limits.max).astype(dtype))


def real_range(dtype: str, scale: float | None, zero_point: int | None) -> tuple[float, float] | None:
    """Return the real values of the lowest and the highest integer; None without a scale."""
    if not scale or dtype not in LIMITS:
        return None
    low, high = LIMITS[dtype]
    return scale * (low - (zero_point or 0)), scale * (high - (zero_point or 0))


def input_stats(dtype: str, scale: float | None, zero_point: int | None) -> tuple[float, float] | None:
    """Return the `quantized_input_stats` of an 8-bit input; None for another type or without a scale.

    TF1's converter takes (mean, std) with real = (pixel − mean) / std for pixels of 0…255
    (`tf.compat.v1.lite.TFLiteConverter`), so mean = zero point and std = 1 / scale; for int8 the pixel is q + 128.
    """
    if not scale or dtype not in EIGHT_BIT:
        return None
    return float((zero_point or 0) - EIGHT_BIT[dtype][0]), 1 / scale


def stored(graph: Graph, tensor: Tensor) -> Array:
    """Return a constant's stored numbers, flat."""
    return np.frombuffer(graph.data(tensor), np.dtype(tensor.dtype), count=tensor.n_elements)


def real_values(graph: Graph, tensor: Tensor) -> npt.NDArray[np.float32]:
    """Return a constant's real values, in its shape."""
    values = stored(graph, tensor).reshape(tensor.shape)
    found = tensor.quantization
    if found is None or np.issubdtype(values.dtype, np.floating):
        return values.astype(np.float32)
    shape = channels_shape(found, values.ndim)
    scales, zeros = (np.asarray(v, np.float64).reshape(shape) for v in (found.scales, found.zero_points))
    return to_real(values, scales, zeros, np.float64).astype(np.float32)


def channels_shape(quantization: Quantization, n_dims: int) -> list[int]:
    """Return the shape in which one number, or one a channel, is broadcast against a tensor."""
    shape = [1] * n_dims
    if len(quantization.scales) > 1:
        shape[quantization.axis] = len(quantization.scales)
    return shape
