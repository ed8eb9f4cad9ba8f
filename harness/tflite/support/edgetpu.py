"""The Coral Edge TPU: what `edgetpu_compiler` maps.

Rows: Coral, `coral.ai/docs/edgetpu/models-intro`, «Supported operations» (checked against copies of the table: that
of 2019, and its later form as Axis prints it for ARTPEC-7; rows that neither shows are unknown) and
«Compatibility overview»: 8-bit tensors of constant size, constant parameters, tensors with at most 3 dimensions
above 1, the innermost ones. The compiler cannot partition a model more than once: the first operator that it
cannot map, and everything after it, runs on the CPU.
"""

from __future__ import annotations

from harness import delegates
from harness.tflite.costs import known
from harness.tflite.graph import EDGETPU
from harness.tflite.nodes import Node
from harness.tflite.support.rules import (
    QUANT8,
    Answer,
    Table,
    activation,
    computed,
    no,
    option,
    rows,
    static,
    undecided,
    unknown,
    values,
)

_PLAIN = activation("NONE")
MAX_SOFTMAX = 16_000


def _quantized(node: Node) -> Answer | None:
    if node.name == EDGETPU:
        return None
    bad = computed(node) - QUANT8
    return no(f"8-bit tensors only, not {', '.join(sorted(bad))}") if bad else None


def _sizes(node: Node) -> Answer | None:
    """Require constant sizes, at most the 3 innermost dimensions above 1."""
    if node.name == EDGETPU:
        return None
    tensors = [t for t in node.inputs if t is not None and not t.constant] + list(node.outputs)
    for tensor in tensors:
        if not known(tensor):
            return unknown("the file does not state a constant size")
        if any(size != 1 for size in tensor.shape[:-3]):
            return no("more than the 3 innermost dimensions are above 1")
    return None


def _same_dilation(node: Node) -> Answer | None:
    both = node.options.get("dilation_h", 1), node.options.get("dilation_w", 1)
    return no("the dilations of x and y must be the same") if both[0] != both[1] else None


def _concatenation(node: Node) -> Answer | None:
    if not any(tensor is not None and tensor.constant for tensor in node.inputs):
        return None
    return unknown("a constant input must be all zeros, and the only other input")


def _softmax(node: Node) -> Answer | None:
    tensor = node.input(0)
    if tensor is None or not known(tensor):
        return unknown("the size is not known")
    if sum(size > 1 for size in tensor.shape) > 1:
        return no("only for one dimension above 1")
    return no("only up to 16,000 elements") if tensor.n_elements > MAX_SOFTMAX else None


def _fully_connected(node: Node) -> Answer | None:
    output = node.outputs[0] if node.outputs else None
    if output is not None and sum(size > 1 for size in output.shape) > 1:
        return no("the output must be one-dimensional")
    return None


_SIZE = undecided("depending on the size the compiler may leave it on the CPU, to avoid a loss of precision")
_LATER = undecided("named for later runtimes only, without a copy of the table to check it against")
_FREE = (
    "ADD EXPAND_DIMS L2_NORMALIZATION LOGISTIC MAXIMUM MINIMUM MUL QUANTIZE RELU RELU6 RELU_N1_TO_1 SLICE "
    "SPACE_TO_DEPTH SPLIT SQUEEZE SUB TANH"
)
_NOT_BATCH = values(1, lambda axes: 0 not in axes, "not over the batch")

TABLE = Table(
    delegate=delegates.EDGETPU,
    condition="edgetpu_compiler, newest runtime",
    source="Coral, coral.ai/docs/edgetpu/models-intro, Supported operations",
    rows={
        **rows(_FREE),
        **rows(EDGETPU),
        **rows("AVERAGE_POOL_2D MAX_POOL_2D", _PLAIN),
        **rows("CONCATENATION", _PLAIN, _concatenation),
        **rows("CONV_2D DEPTHWISE_CONV_2D", _same_dilation, static(1, 2)),
        **rows("RSQRT SQUARED_DIFFERENCE SUM TRANSPOSE TRANSPOSE_CONV", _LATER),
        **rows("FULLY_CONNECTED", static(1, 2), option("weights_format", 0), _fully_connected),
        **rows("UNIDIRECTIONAL_SEQUENCE_LSTM"),
        **rows("MEAN REDUCE_MAX REDUCE_MIN", static(1), _NOT_BATCH),
        **rows("PACK", option("axis", at_least=1)),
        **rows("PAD", static(1), values(1, lambda pads: not any(pads[:2]), "not in the batch")),
        **rows("PRELU", static(1)),
        # «certain reshapes might not be mapped for large tensor sizes», without saying which
        **rows("RESHAPE"),
        **rows("RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR", _SIZE),
        **rows("SOFTMAX", _softmax),
        **rows(
            "STRIDED_SLICE",
            values(3, lambda strides: set(strides) == {1}, "all strides must be 1"),
            option("ellipsis_mask", 0),
            option("new_axis_mask", 0),
        ),
    },
    everywhere=(_quantized, _sizes),
    unlisted=no("not among the compiler's operators"),
    max_partitions=1,
    first_only=True,
    note="a model has to be compiled with edgetpu_compiler first, whose log is the proof",
)
