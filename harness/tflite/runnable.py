"""Check before a run whether a runtime has the operators that a model needs."""

from __future__ import annotations

from collections.abc import Collection

from harness.errors import ModelError
from harness.tflite.graph import EDGETPU
from harness.tflite.model import ModelDescription

BUILTIN_CUSTOM_OPERATORS = frozenset(
    {"AudioSpectrogram", "Mfcc", "NumericVerify", "TFLite_Detection_PostProcess", "aeq.hadamard_rotation"}
)
"""Custom operators with a kernel in LiteRT's Python wheel 2.3 (found by asking the interpreter for each)."""

XNNPACK_CUSTOM_OPERATORS = frozenset(
    {
        "Convolution2DTransposeBias",
        "MaxPoolingWithArgmax2D",
        "MaxUnpooling2D",
        "odml.scaled_dot_product_attention",
    }
)
"""Custom operators that only the XNNPACK delegate runs (`xnnpack_delegate.cc`); GPU delegates have most."""

RUNTIME_CUSTOM_OPERATORS = BUILTIN_CUSTOM_OPERATORS | XNNPACK_CUSTOM_OPERATORS


def check_runnable(description: ModelDescription, runtime_ops: Collection[str] | None = None) -> None:
    """Check that a runtime has all operators of a model.

    Args:
        description: The model.
        runtime_ops: Names of the custom operators that the runtime has, with its delegates' own
            (`edgetpu-custom-op` for the Edge TPU); by default those of the Python wheels.

    Raises:
        ModelError: Names the operators, says what they are and what to do.
    """
    known = RUNTIME_CUSTOM_OPERATORS if runtime_ops is None else runtime_ops
    missing = [name for name in description.custom_operators if name not in known]
    newer = [name for name, _ in description.operators if name.startswith("BUILTIN_") and name not in known]
    reasons = _reasons(missing, newer)
    if reasons:
        raise ModelError(f"{description.path}: cannot run here: {'; '.join(reasons)}")


def _reasons(missing: list[str], newer: list[str]) -> list[str]:
    flex = [name for name in missing if name.startswith("Flex")]
    unknown = [name for name in missing if name != EDGETPU and name not in flex]
    reasons = []
    if EDGETPU in missing:
        reasons.append(
            f"it is compiled for the Edge TPU (operator {EDGETPU}): use --delegate edgetpu, "
            "or the file from before edgetpu_compiler"
        )
    if flex:
        reasons.append(
            f"operators {', '.join(flex)} need TensorFlow's flex delegate (select TF ops): "
            "convert the model with builtin TFLite operators only"
        )
    if unknown:
        names = ", ".join(repr(name[:80]) for name in unknown)
        reasons.append(
            f"unknown custom operators {names}: they need a runtime or delegate that registers them"
        )
    if newer:
        reasons.append(
            f"operators {', '.join(newer)} are newer than the installed schema: update ai-edge-litert"
        )
    return reasons
