"""Describe an input or output for a person: its type, its real-value range, how pixels are fed."""

from __future__ import annotations

from typing import Any

from harness.tflite.tensor_info import TensorInfo
from harness.tflite.values import input_stats, real_range


def tensor_row(info: TensorInfo, is_input: bool) -> dict[str, Any]:
    """Describe an input or output; None for facts that do not apply."""
    stored_as = info.dtype, info.scale, info.zero_point
    low, high = real_range(*stored_as) or (None, None)
    stats = input_stats(*stored_as) if is_input else None
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
