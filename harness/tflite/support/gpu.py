"""The TFLite GPU delegate (OpenCL, OpenGL, Metal).

Rows: TensorFlow, `tensorflow/lite/tools/versioning/gpu_compatibility.cc`, `CheckGpuDelegateCompatibility`, which
the delegate itself asks. Types: `delegates/gpu/common/model_builder.cc`, `GetOpsToReplace`: tensors that are
computed must be float32 or float16, with quantized models allowed (the default on Android) also int8 and uint8,
and have at most 4 dimensions. A graph with a tensor of computed size is refused whole. By default
one partition, the largest, of at least 2 operators. Stored float16 weights are unpacked on the CPU unless all else is
taken (`delegates/utils.cc`, `FP16GraphPartitionHelper`).
"""

from __future__ import annotations

from harness.delegates import GPU
from harness.tflite.nodes import Node
from harness.tflite.support.rules import (
    FLOATS,
    QUANT8,
    Answer,
    Check,
    Table,
    activation,
    computed,
    data_types,
    n_inputs,
    no,
    option,
    rank_of,
    rows,
    static,
    values,
)

_EXTRA_TYPES = {
    "CAST": frozenset({"bool", "int32"}),
    "ONE_HOT": frozenset({"int32"}),
    "SELECT": frozenset({"bool"}),
    "SELECT_V2": frozenset({"bool"}),
    "GATHER": frozenset({"int32"}),
    **dict.fromkeys(
        ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL", "LOGICAL_AND"),
        frozenset({"bool"}),
    ),
}
_ACTIVATION = activation("NONE", "RELU", "RELU_N1_TO_1", "RELU6", "TANH", "SIGMOID")


def check_types(node: Node) -> Answer | None:
    """Require floats, or 8-bit integers, in what is computed."""
    bad = computed(node) - FLOATS - QUANT8 - _EXTRA_TYPES.get(node.name, frozenset())
    return no(f"not for {', '.join(sorted(bad))}") if bad else None


def check_rank(node: Node) -> Answer | None:
    """Require at most 4 dimensions of what is computed."""
    tensors = [t for t in node.inputs if t is not None and not t.constant]
    ranks = [len(tensor.shape) for tensor in (*tensors, *node.outputs)]
    return no(f"not with {max(ranks)} dimensions") if max(ranks, default=0) > 4 else None


def _computed_inputs(lowest: int, highest: int) -> Check:
    """Require a number of inputs that are not constants."""

    def check(node: Node) -> Answer | None:
        found = sum(node.input(k) is not None and node.stored(k) is None for k in range(len(node.inputs)))
        return None if lowest <= found <= highest else no(f"not with {found} computed inputs")

    return check


def _depthwise(node: Node) -> Answer | None:
    source = node.input(0)
    depth = source.shape[-1] if source is not None and source.shape else 1
    several = node.options.get("depth_multiplier", 1) != 1 and depth != 1
    return no("a depth multiplier only with one input channel") if several else None


_ONE = _computed_inputs(1, 1)
_UNARY = "ABS CEIL COS ELU EXP FLOOR GELU LOG LOGISTIC NEG RSQRT SIGN SIN SQRT SQUARE TANH"
_BINARY = (
    "ATAN2 DIV EQUAL FLOOR_DIV FLOOR_MOD GREATER GREATER_EQUAL LOGICAL_AND LESS LESS_EQUAL MAXIMUM MINIMUM "
    "NOT_EQUAL POW SQUARED_DIFFERENCE SUB"
)
_FREE = "PACK RELU RELU6 RELU_N1_TO_1 LEAKY_RELU PRELU SPLIT SPLIT_V CONCATENATION"

TABLE = Table(
    delegate=GPU,
    condition="TFLite's, quantized models allowed as on Android",
    source="TensorFlow, tensorflow/lite/tools/versioning/gpu_compatibility.cc, CheckGpuDelegateCompatibility",
    rows={
        **rows(_UNARY, _ONE),
        **rows(_BINARY, _computed_inputs(1, 2), _ACTIVATION),
        **rows(_FREE),
        **rows("ADD MUL", n_inputs(2, 2), _computed_inputs(1, 2), _ACTIVATION),
        **rows("ADD_N BATCH_MATMUL", n_inputs(2, 2)),
        **rows("CONV_2D TRANSPOSE_CONV", _computed_inputs(1, 2), _ACTIVATION),
        **rows("DEPTHWISE_CONV_2D", _computed_inputs(1, 2), rank_of(0, 4), _depthwise, _ACTIVATION),
        **rows("FULLY_CONNECTED", _computed_inputs(1, 2), option("weights_format", 0)),
        **rows("AVERAGE_POOL_2D MAX_POOL_2D", _ONE, _ACTIVATION),
        **rows("DEPTH_TO_SPACE SPACE_TO_DEPTH", _ONE, option("block_size", at_least=2)),
        **rows("DENSIFY", _computed_inputs(0, 0)),
        **rows("DEQUANTIZE", n_inputs(1, 1), data_types(0, "float16", "float32", "int8", "uint8")),
        **rows("GATHER", _computed_inputs(1, 2), data_types(1, "int32"), rank_of(1, 1)),
        **rows("HARD_SWISH QUANTIZE RESHAPE TILE TRANSPOSE RESIZE_NEAREST_NEIGHBOR CAST", _ONE),
        **rows("MEAN REDUCE_MAX REDUCE_MIN REDUCE_PROD SUM", _ONE, static(1), data_types(1, "int32")),
        **rows(
            "PAD PADV2 MIRROR_PAD",
            _ONE,
            rank_of(1, 2),
            values(1, lambda v: len(v) in {6, 8}, "not this rank"),
        ),
        **rows("RESIZE_BILINEAR", _ONE),
        **rows("SLICE", n_inputs(3, 3), rank_of(0, 3, 4)),
        **rows("SOFTMAX", option("beta", 1.0)),
        **rows(
            "STRIDED_SLICE",
            n_inputs(4, 4),
            rank_of(0, 3, 4),
            option("ellipsis_mask", 0),
            option("new_axis_mask", 0),
            option("shrink_axis_mask", 0),
        ),
    },
    everywhere=(check_types, check_rank),
    unlisted=no("not among the delegate's operators"),
    max_partitions=1,
    min_nodes=2,
    fixed_sizes=True,
    halves_on_cpu=True,
    note="the driver of a device can still refuse a kernel",
)
