"""The interpreter's own description of its inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from harness.errors import ModelError, blamed_on_model
from harness.tflite.tensor_info import TensorInfo


def input_infos(interpreter: Any) -> list[TensorInfo]:
    """Describe the inputs, in the model's order."""
    return [_info(detail) for detail in details_of(interpreter.get_input_details)]


def image_input(interpreter: Any) -> TensorInfo:
    """Describe the first input.

    Raises:
        ModelError: There is none.
    """
    infos = input_infos(interpreter)
    if not infos:
        raise ModelError("the model has no input, expected an image input")
    return infos[0]


def output_infos(interpreter: Any) -> list[TensorInfo]:
    """Describe the outputs, in the model's order."""
    return [_info(detail) for detail in details_of(interpreter.get_output_details)]


def details_of(ask: Callable[[], list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return what the runtime says of inputs or outputs.

    Raises:
        ModelError: It fails over them, as over a name that is not UTF-8.
    """
    with blamed_on_model("the runtime cannot describe the inputs and outputs of this model"):
        return ask()


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
