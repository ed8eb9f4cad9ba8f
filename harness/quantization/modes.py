"""The ways to quantize a float .tflite: one line each in `MODES`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from harness.errors import MissingExtraError, UnknownNameError
from harness.tflite.graph import POSTPROCESS
from harness.vocabulary import Quantization

Calibration = Literal["minmax", "mse"]
MSE_OPERATORS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "CONV_2D_TRANSPOSE")
"""Operators whose weights litert-quantizer 0.11 can give the scale of the least squared error."""
EXTRA = "quantize"
WHY_POSTPROCESS_STAYS_FLOAT = (
    f"{POSTPROCESS} stays float by design: its kernel computes boxes and NMS in float32 only and has no integer "
    "form (detection_postprocess.cc), so its four outputs stay float32 in every mode"
)


@dataclass(frozen=True)
class Mode:
    """One way to quantize.

    Attributes:
        name: As on the command line.
        makes: The value of the column `quantization` that the file must have afterwards.
        calibrated: Whether the ranges of activations are needed, and with them representative images.
        float_io: Whether inputs and outputs stay float.
        float_operators: Whether operators without an integer form may stay float.
        meaning: One line for help and tables.
    """

    name: str
    makes: Quantization
    calibrated: bool
    float_io: bool
    float_operators: bool
    meaning: str


MODES: dict[str, Mode] = {
    mode.name: mode
    for mode in (
        Mode(
            "dynamic",
            Quantization.DYNAMIC_RANGE,
            False,
            True,
            True,
            "int8 weights, activations quantized as they come; depthwise stays float",
        ),
        Mode("float16", Quantization.FLOAT16, False, True, True, "float16 weights, float32 arithmetic"),
        Mode("weight-only", Quantization.WEIGHT_ONLY, False, True, True, "int8 weights, float32 arithmetic"),
        Mode(
            "int8", Quantization.FULL_INTEGER, True, False, False, "int8 weights and activations, int8 input"
        ),
        Mode(
            "int16x8",
            Quantization.FULL_INTEGER_FLOAT_IO,
            True,
            True,
            True,
            "int8 weights and int16 activations, float input and output",
        ),
        Mode(
            "int8-float-fallback",
            Quantization.FULL_INTEGER_FLOAT_IO,
            True,
            True,
            True,
            "int8 where there is an integer kernel, float input and output",
        ),
    )
}


def find_mode(name: str) -> Mode:
    """Return a mode by its name.

    Raises:
        UnknownNameError: There is no such mode.
    """
    if name not in MODES:
        raise UnknownNameError("mode", name, MODES)
    return MODES[name]


def quantizer_module(name: str = "quantizer") -> Any:
    """Import a module of litert-quantizer; late, for it is optional and takes a second.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        return import_module(f"litert_quantizer.{name}")
    except ImportError as error:
        raise MissingExtraError("quantizing (package `litert-quantizer`)", EXTRA) from error


def recipe(
    mode: Mode,
    float_output: bool = False,
    keep_float: Sequence[str] = (),
    calibration: Calibration = "minmax",
) -> list[dict[str, Any]]:
    """Return litert-quantizer's recipe for a mode (its `recipe.py`; float16 by its float-casting algorithm).

    Args:
        mode: The way to quantize.
        float_output: Leave the outputs as they are: class numbers and counts of `TFLite_Detection_PostProcess` are
            no quantities to be rounded to a scale.
        keep_float: Regular expressions; operators one of whose outputs' names they match stay float.
        calibration: How weights get their scale: by the largest value, or by the least squared error.
    """
    return [*_base(mode, float_output, calibration), *(_untouched("*", pattern) for pattern in keep_float)]


def _base(mode: Mode, float_output: bool, calibration: Calibration) -> list[dict[str, Any]]:
    if mode.name == "float16":
        return [_float16()]
    ready = quantizer_module("recipe")
    made: list[dict[str, Any]] = {
        "dynamic": ready.dynamic_wi8_afp32,
        "weight-only": ready.weight_only_wi8_afp32,
        "int8": ready.static_wi8_ai8,
        "int16x8": ready.static_wi8_ai16,
        "int8-float-fallback": ready.static_wi8_ai8,
    }[mode.name]()
    if calibration == "mse":
        made += [{**made[0], "operation": name, "algorithm_key": "MSE"} for name in MSE_OPERATORS]
    if mode.name == "dynamic":
        # XNNPACK takes no depthwise convolution with int8 weights under float activations, and TensorFlow leaves them
        # in float: with them a detector is twice as slow as in float32.
        made.append(_untouched("DEPTHWISE_CONV_2D"))
    if mode.float_io and mode.calibrated:
        made.append(_untouched("INPUT"))
    if (mode.float_io and mode.calibrated) or float_output:
        made.append(_untouched("OUTPUT"))
    return made


def _float16() -> dict[str, Any]:
    weights = {"num_bits": 16, "dtype": "FLOAT", "symmetric": True, "granularity": "TENSORWISE"}
    return {
        "regex": ".*",
        "operation": "*",
        "algorithm_key": "float_casting",
        "op_config": {
            "weight_tensor_config": weights,
            "compute_precision": "FLOAT",
            "explicit_dequantize": True,
        },
    }


def _untouched(operation: str, pattern: str = ".*") -> dict[str, Any]:
    """Leave operators in float; the graph's inputs and outputs are operators of the recipe's own."""
    return {
        "regex": pattern,
        "operation": operation,
        "algorithm_key": "no_quantize",
        "op_config": {"compute_precision": "FLOAT"},
    }
