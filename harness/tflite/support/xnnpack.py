"""XNNPACK, the delegate that LiteRT applies on CPUs by default.

Rows: LiteRT, `tflite/delegates/xnnpack/README.md`, «Limitations and supported operators» (floating-point and
quantized). The README says that the list is not complete: an operator without a row is unknown, and so is a type
that only the other of its two lists has. Where the runtime was seen to do otherwise, or what the README leaves open,
the rule is what ai-edge-litert 2.3.0 did with a model (`seen`): the tests hold all of them against the runtime.
"""

from __future__ import annotations

from harness.delegates import CPU
from harness.tflite.graph import Tensor
from harness.tflite.nodes import Node
from harness.tflite.support.rules import (
    FLOAT32,
    FLOATS,
    QUANT8,
    Answer,
    Check,
    Table,
    activation,
    bias,
    n_inputs,
    n_outputs,
    no,
    option,
    rank_of,
    rows,
    static,
    types,
    unknown,
    values,
)

FOLLOWS_READERS = "as the operators that read it"
"""Reason of an unpacked constant's answer until its readers' are known (`predict` replaces it)."""
SEEN = "as LiteRT 2.3.0 was seen to do"
_FEW_BITS = frozenset({"int4", "int2", "uint4"})
_BOTH = types(FLOAT32, QUANT8)
_FLOAT_ONLY = types(FLOAT32, open_=QUANT8)
_ACTIVATION = activation("NONE", "RELU", "RELU_N1_TO_1", "RELU6")
_SPATIAL = {(1, 2), (2, 1), (2,)}
_ALL = ("float32", "int8", "uint8")
_RATIO_LOW, _RATIO_HIGH = 2.0**-8, 2.0**7


def _one_signedness(node: Node) -> Answer | None:
    """Require eight-bit inputs and outputs not to mix int8 and uint8."""
    found = {t.dtype for t in (node.input(0), *node.outputs[:1]) if t is not None}
    return no("not from uint8 to int8 or back") if found == QUANT8 else None


def _weights(node: Node) -> Answer | None:
    """Answer for float arithmetic with stored integer weights.

    The README excludes it; LiteRT 2.3 takes a convolution with int8 weights, no depthwise one
    and none of 4 or 2 bits, and what DEQUANTIZE makes of such few bits is no constant to it.
    """
    first, weight = node.input(0), node.stored(1)
    if first is None or weight is None or first.dtype != "float32" or weight.dtype in FLOATS:
        return None
    if weight.dtype in _FEW_BITS and node.name != "FULLY_CONNECTED":
        return no(f"not with {weight.dtype} weights, {SEEN}")
    if not node.inputs[1] or not node.inputs[1].constant:
        return None if weight.dtype == "int8" else unknown(f"no rule for unpacked {weight.dtype} weights")
    return _hybrid(node, weight)


def _hybrid(node: Node, weight: Tensor) -> Answer | None:
    """Answer for stored integer weights that float activations meet as they are."""
    if node.name == "DEPTHWISE_CONV_2D":
        return no(f"not with {weight.dtype} weights and float activations, {SEEN}")
    scales = () if weight.quantization is None else weight.quantization.scales
    if node.name == "CONV_2D" and weight.dtype == "int8" and len(scales) in {1, weight.shape[0]}:
        return None
    return unknown(f"no rule for float activations with such {weight.dtype} weights")


def seen(*names: str) -> Check:
    """Answer «not supported» for types of the first input with which the runtime was seen to leave an operator."""

    def check(node: Node) -> Answer | None:
        first = node.input(0)
        if first is None or first.dtype in names:
            return no(f"left to the runtime's own kernels, {SEEN}")
        return unknown("not in the README's list, which is not complete")

    return check


def _pool(node: Node) -> Answer | None:
    one = node.options.get("filter_h") == node.options.get("filter_w") == 1
    strided = (node.options.get("stride_h"), node.options.get("stride_w")) != (1, 1)
    return no("not 1×1 pooling with a stride") if one and strided else None


def _dequantize(node: Node) -> Answer | None:
    """Require conversion from 8-bit to float; stored float16 weights are unpacked with the layer that reads them."""
    first = node.input(0)
    if first is None or not node.outputs or node.outputs[0].dtype != "float32":
        return no("only to float32")
    if node.unpacks:
        return unknown(FOLLOWS_READERS)
    if first.dtype not in QUANT8:
        return no(f"not from {first.dtype}")
    several = first.quantization is not None and len(first.quantization.scales) > 1
    return no("not with one scale a channel") if several else None


def _quantize(node: Node) -> Answer | None:
    first, output = node.input(0), node.outputs[0] if node.outputs else None
    if first is None or output is None or output.dtype not in QUANT8:
        return no("only to 8 bits")
    if first.dtype == "float32":
        return None
    if first.dtype not in QUANT8:
        return no(f"not from {first.dtype}")
    if first.dtype != output.dtype:
        return no("not from uint8 to int8 or back")
    return _ratio(node)


def _ratio(node: Node) -> Answer | None:
    first, output = node.inputs[0], node.outputs[0]
    if first is None or first.quantization is None or output.quantization is None:
        return unknown("the file states no scale")
    scale = output.quantization.scales[0]
    ratio = first.quantization.scales[0] / scale if scale else 0.0
    return None if _RATIO_LOW <= ratio <= _RATIO_HIGH else no("the scales differ too much")


def _softmax(node: Node) -> Answer | None:
    first = node.input(0)
    return no(f"not for int8, {SEEN}") if first is not None and first.dtype == "int8" else _FLOAT_ONLY(node)


def _reshape(node: Node) -> Answer | None:
    if node.input(1) is not None and node.stored(1) is None:
        return no("the new shape must be a constant")
    first = node.input(0)
    if first is None or first.quantization is None or first.dtype not in QUANT8 or not node.outputs:
        return None
    return None if node.outputs[0].quantization == first.quantization else no(f"not to another scale, {SEEN}")


_LAYER: tuple[Check, ...] = (_BOTH, _one_signedness, _weights, static(1, 2), _ACTIVATION)
_ELEMENTWISE: tuple[Check, ...] = (_BOTH, _one_signedness, _ACTIVATION, n_inputs(2, 2))
_UNARY_FLOAT = (
    "ABS CEIL FLOOR HARD_SWISH NEG RELU RELU6 RELU_N1_TO_1 ROUND SQRT SQUARE SQUARED_DIFFERENCE "
    "MAXIMUM MINIMUM"
)

TABLE = Table(
    delegate=CPU,
    condition="XNNPACK, LiteRT's default",
    source="LiteRT, tflite/delegates/xnnpack/README.md, Limitations and supported operators",
    rows={
        **rows(_UNARY_FLOAT, _FLOAT_ONLY),
        **rows("CONV_2D DEPTHWISE_CONV_2D", *_LAYER, bias),
        **rows("FULLY_CONNECTED", *_LAYER),
        **rows(
            "TRANSPOSE_CONV", types(FLOAT32, QUANT8, *({"int32", kind} for kind in _ALL)), static(0, 1, 3)
        ),
        **rows("ADD MUL SUB", *_ELEMENTWISE),
        **rows("DIV", _FLOAT_ONLY, _ACTIVATION),
        **rows("AVERAGE_POOL_2D", _FLOAT_ONLY, _pool, _ACTIVATION),
        **rows("MAX_POOL_2D", _BOTH, _pool, _ACTIVATION),
        # the README says two to four; LiteRT 2.3 was seen to take five and to refuse six
        **rows("CONCATENATION", _BOTH, _one_signedness, n_inputs(2, 5)),
        **rows("DEPTH_TO_SPACE SPACE_TO_DEPTH", _BOTH, option("block_size", at_least=2)),
        **rows("DEQUANTIZE", _dequantize),
        **rows("QUANTIZE", _quantize),
        **rows("ELU", types(FLOAT32, {"int8"}, open_={"uint8"})),
        **rows("LEAKY_RELU", _FLOAT_ONLY),
        **rows("LOGISTIC TANH", _BOTH, _one_signedness),
        **rows(
            "MEAN",
            _BOTH,
            rank_of(0, 4),
            static(1),
            values(1, lambda axes: axes in _SPATIAL, "only over height and width, or width"),
        ),
        **rows(
            "PAD",
            _BOTH,
            static(1),
            values(1, lambda pads: min(pads, default=0) >= 0, "not with negative padding"),
        ),
        **rows("PRELU", _FLOAT_ONLY, static(1)),
        **rows("RESHAPE", _BOTH, _reshape),
        **rows("RESIZE_BILINEAR", _BOTH, rank_of(0, 4), static(1)),
        **rows("SLICE", _BOTH, static(1, 2)),
        **rows("SOFTMAX", _softmax, option("beta", 1.0)),
        **rows("BATCH_MATMUL", types(FLOAT32, open_=QUANT8)),
        **rows("RESIZE_NEAREST_NEIGHBOR", seen("float32", "int8")),
        **rows("PACK TILE CAST FLOOR_MOD SHAPE", seen("int32", "int64", "int8", "float32")),
        **rows("TOPK_V2 SPLIT_V PADV2 GATHER_ND", seen("float32")),
        **rows("SPLIT", types({"int32", "float32"}, {"int32", "uint8"}, {"int32", "int8"}), n_outputs(2, 4)),
        **rows(
            "STRIDED_SLICE",
            types(FLOAT32, {"int8"}, open_={"uint8"}),
            static(1, 2, 3),
            values(3, lambda strides: set(strides) == {1}, "all strides must be 1"),
            option("ellipsis_mask", 0),
            option("new_axis_mask", 0),
            option("shrink_axis_mask", 0),
        ),
        **rows("TRANSPOSE", _BOTH, static(1)),
        **rows("TFLite_Detection_PostProcess edgetpu-custom-op", lambda node: no("a custom operator")),
    },
    unlisted=unknown("not in the README's list, which is not complete"),
    note="quantized operators need a runtime built with them, as LiteRT's wheels and benchmark_model are",
)
