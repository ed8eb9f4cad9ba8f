"""The interpreter's own description of its inputs and outputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.tflite.tensor_info import TensorInfo


def input_infos(interpreter: Any) -> list[TensorInfo]:
    """Describe the inputs, in the model's order."""
    return [_info(detail) for detail in interpreter.get_input_details()]


def output_infos(interpreter: Any) -> list[TensorInfo]:
    """Describe the outputs, in the model's order."""
    return [_info(detail) for detail in interpreter.get_output_details()]


def _info(detail: dict[str, Any]) -> TensorInfo:
    scale, zero_point = detail["quantization"]
    quantized = scale != 0.0
    return TensorInfo(
        name=detail["name"],
        shape=tuple(int(n) for n in detail["shape"]),
        dtype=np.dtype(detail["dtype"]).name,
        scale=float(scale) if quantized else None,
        zero_point=int(zero_point) if quantized else None,
    )
