"""The Hexagon delegate (Qualcomm DSP, unmaintained).

Rows: TensorFlow, `tensorflow/lite/delegates/hexagon/README.md`, «Supported Ops», which names what
`IsNodeSupportedByHexagon` verifies. All support is for quantized tensors with at most 4 dimensions. The delegate
takes 4 graphs by default, of at least 2 operators each (`hexagon_delegate.cc`, `kMaxHexagonGraphs`,
`kMinNodesPerHexagonGraph`).
"""

from __future__ import annotations

from harness.delegates import HEXAGON
from harness.tflite.nodes import Node
from harness.tflite.support.rules import (
    QUANT8,
    Answer,
    Table,
    activation,
    computed,
    max_rank,
    no,
    option,
    rows,
    static,
    unknown,
    values,
)

_RELU = activation("NONE", "RELU", "RELU_N1_TO_1", "RELU6")
_PLAIN = activation("NONE")


def _quantized(node: Node) -> Answer | None:
    allowed = QUANT8 | ({"int32", "int64"} if node.name in {"ARG_MAX", "ARG_MIN"} else set())
    bad = computed(node) - allowed
    return no(f"quantized models only, not {', '.join(sorted(bad))}") if bad else None


def _depthwise(node: Node) -> Answer | None:
    weight = node.input(1)
    if weight is None or len(weight.shape) != 4:
        return unknown("the filter's shape is not known")
    if weight.shape[2] != 3:
        return no(f"the filter's width must be 3, found {weight.shape[2]}")
    dilated = (node.options.get("dilation_h", 1), node.options.get("dilation_w", 1)) != (1, 1)
    strided = (node.options.get("stride_h", 1), node.options.get("stride_w", 1)) != (1, 1)
    return no("dilation only with stride 1") if dilated and strided else None


_STRIDE = (option("stride_h", at_most=3), option("stride_w", at_most=3))
_FREE = (
    "ARG_MAX ARG_MIN CONCATENATION DEPTH_TO_SPACE FULLY_CONNECTED HARD_SWISH LOGISTIC MAXIMUM MEAN MINIMUM "
    "MIRROR_PAD NEG PACK PAD QUANTIZE RELU RELU6 RESHAPE RESIZE_NEAREST_NEIGHBOR SLICE SOFTMAX SPACE_TO_DEPTH "
    "SPLIT STRIDED_SLICE TANH TRANSPOSE"
)

TABLE = Table(
    delegate=HEXAGON,
    condition="",
    source="TensorFlow, tensorflow/lite/delegates/hexagon/README.md, Supported Ops",
    rows={
        **rows(_FREE),
        **rows("ADD MUL SUB", _RELU),
        **rows("AVERAGE_POOL_2D L2_NORMALIZATION MAX_POOL_2D", _PLAIN),
        **rows("CONV_2D", *_STRIDE),
        **rows("DEPTHWISE_CONV_2D", _depthwise, option("depth_multiplier", 1), *_STRIDE),
        **rows(
            "RESIZE_BILINEAR",
            static(1),
            values(1, lambda size: max(size, default=0) <= 65, "the requested size must be at most 65"),
        ),
        **rows("TRANSPOSE_CONV", option("dilation_h", 1), option("dilation_w", 1), *_STRIDE),
    },
    everywhere=(_quantized, max_rank(4)),
    unlisted=no("not among the delegate's operators"),
    max_partitions=4,
    min_nodes=2,
    note="many phones, all Pixels among them, do not let apps use the DSP",
)
