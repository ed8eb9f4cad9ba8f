"""Qualcomm's HTP (the NPU of Snapdragon chips), as LiteRT's compiler plugin asks QNN for it.

Rows: learned from the reasons that the compiler itself gives for each operator that it leaves, with the models at hand
(`harness npu MODEL --soc SM8650 --why` asks it anew): LiteRT's `libLiteRtCompilerPlugin_Qualcomm` of ai-edge-litert
2.3.0 with QNN of onnxruntime-qnn 2.7.0. An operator that none of those models has is unknown.
"""

from __future__ import annotations

from harness.delegates import QNN
from harness.tflite.graph import Tensor
from harness.tflite.nodes import Node
from harness.tflite.support.rules import FLOATS, QUANT8, Answer, Table, computed, no, rows, static, unknown

_INTEGERS = frozenset({"int32", "int64"})


def _any_number(node: Node) -> Answer | None:
    bad = computed(node) - FLOATS - QUANT8 - {"int16"}
    return unknown(f"none of the models has one of {', '.join(sorted(bad))}") if bad else None


def _weights(node: Node) -> Answer | None:
    """Answer by how weights and activations are stored: full integer and float, not integer weights beside floats."""
    first, weight = node.input(0), node.stored(1)
    if first is None or weight is None or weight.dtype in FLOATS:
        return None
    if weight.dtype in {"int4", "int2"}:
        return no(f"weights of {weight.dtype.removeprefix('int')} bits")
    if first.dtype == "float32" and weight is node.input(1):
        return no("integer weights under float activations (dynamic range)")
    return None


def _fused_relu6(node: Node) -> Answer | None:
    fused = node.options.get("activation") == "RELU6" and "int16" in computed(node)
    return no("a ReLU6 fused into an operator of 16-bit activations; RELU is taken") if fused else None


def _depthwise(node: Node) -> Answer | None:
    return no("depthwise of 16-bit activations") if "int16" in computed(node) else None


def _sizes(node: Node) -> Answer | None:
    return no("slices no computed sizes") if computed(node) & _INTEGERS else None


def _unpacked(node: Node) -> Answer | None:
    """The compiler selects an operator that unpacks weights of a scale a channel, and then gives the model up."""
    first = node.input(0)
    if not node.unpacks or first is None or first.dtype in FLOATS:
        return None
    if _scales(first) > 1:
        return no("it unpacks weights of a scale a channel, and then the compiler gives the whole model up")
    return unknown("no rule for unpacked weights of one scale")


def _scales(tensor: Tensor) -> int:
    return 0 if tensor.quantization is None else len(tensor.quantization.scales)


_SEEN = "CONCATENATION LOGISTIC MUL PAD MAX_POOL_2D RESIZE_NEAREST_NEIGHBOR RESIZE_BILINEAR SOFTMAX DEQUANTIZE QUANTIZE"

TABLE = Table(
    delegate=QNN,
    condition="HTP of SM8650, LiteRT 2.3.0 with QNN 2.7.0",
    source="the reasons of LiteRT's compiler plugin for Qualcomm (ai-edge-litert 2.3.0, onnxruntime-qnn 2.7.0)",
    rows={
        **rows(_SEEN, _any_number),
        **rows("ADD", _any_number, _fused_relu6),
        **rows("RESHAPE PACK"),
        **rows("CONV_2D", _any_number, _weights, _fused_relu6),
        **rows("DEPTHWISE_CONV_2D", _any_number, _weights, _depthwise),
        **rows(
            "FULLY_CONNECTED TRANSPOSE_CONV", _weights, lambda node: unknown("none of the models has one")
        ),
        **rows("STRIDED_SLICE", _sizes),
        **rows("TILE", static(1, what="the repeats, input")),
        **rows("SHAPE", lambda node: no("sizes are not computed there")),
        **rows(
            "NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5", lambda node: no("sizes are not computed there")
        ),
        **rows("TFLite_Detection_PostProcess edgetpu-custom-op", lambda node: no("a custom operator")),
    },
    whole=(_unpacked,),
    partitions_told=False,
    unlisted=unknown("none of the models that the compiler was asked about has one"),
    note="`harness npu MODEL --soc SM8650` asks the compiler itself, without a phone",
)
