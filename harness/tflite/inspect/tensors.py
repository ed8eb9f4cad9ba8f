"""An input or output as a person wants to know it: its type, its real-value range, how pixels go in."""

from __future__ import annotations

from typing import Any

from harness.tflite.tensor_info import TensorInfo

LIMITS = {"uint8": (0, 255), "int8": (-128, 127), "int16": (-32768, 32767), "uint4": (0, 15), "int4": (-8, 7)}


def tensor_row(info: TensorInfo, is_input: bool) -> dict[str, Any]:
    """Describe an input or output; what does not apply is None.

    `quantized_input_stats` is what TF1's converter is given for such an input: (mean, std) with
    real = (q − mean) / std, so mean = zero point and std = 1 / scale (`tf.compat.v1.lite.TFLiteConverter`).
    For int8 the mean is that of the uint8 pixels q + 128.
    """
    low, high = real_range(info) or (None, None)
    stats = input_stats(info) if is_input else None
    return {
        "name": info.name,
        "dtype": info.dtype,
        "shape": list(info.shape),
        "scale": info.scale,
        "zero_point": info.zero_point,
        "real_low": low,
        "real_high": high,
        "quantized_input_stats": None if stats is None else list(stats),
    }


def real_range(info: TensorInfo) -> tuple[float, float] | None:
    """Return the real values that the lowest and the highest integer stand for; None without a scale."""
    if not info.scale or info.dtype not in LIMITS:
        return None
    low, high = LIMITS[info.dtype]
    zero = info.zero_point or 0
    return info.scale * (low - zero), info.scale * (high - zero)


def input_stats(info: TensorInfo) -> tuple[float, float] | None:
    """Return (mean, std) of an 8-bit input for pixels 0…255; None for another type or without a scale."""
    if not info.scale or info.dtype not in {"uint8", "int8"}:
        return None
    shift = 128 if info.dtype == "int8" else 0
    return float((info.zero_point or 0) + shift), 1 / info.scale
