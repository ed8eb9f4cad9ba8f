"""NNAPI, by Android version (deprecated since Android 15).

Rows: TensorFlow, `tensorflow/lite/delegates/nnapi/nnapi_delegate.cc`, `NNAPIDelegateKernel::Validate`: which
operators, types and versions the delegate passes to the system. What a vendor's driver then does with them is not
known from the file. By default 3 partitions at most (`max_number_delegated_partitions`).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from harness.delegates import NNAPI
from harness.tflite.nodes import Node
from harness.tflite.support.rules import (
    FLOATS,
    QUANT8,
    Answer,
    Check,
    Table,
    activation,
    bias,
    max_rank,
    no,
    option,
    rank_of,
    rows,
    static,
    types,
    unknown,
)

VERSIONS: Mapping[int, str] = {
    27: "Android 8.1",
    28: "Android 9",
    29: "Android 10",
    30: "Android 11 and later",
}
_ANY = FLOATS | QUANT8
_WITH_INT32 = _ANY | {"int32"}
_FLOAT32 = frozenset({"float32"})
_BOOL = frozenset({"bool"})


def _since(api: int) -> Mapping[int, frozenset[str]]:
    return {api: _ANY}


def _each(names: str, versions: Mapping[int, frozenset[str]]) -> dict[str, Mapping[int, frozenset[str]]]:
    """Return the same entry for each of the names, given as words."""
    return dict.fromkeys(names.split(), versions)


_TYPES: Mapping[str, Mapping[int, frozenset[str]]] = {
    **_each("AVERAGE_POOL_2D MAX_POOL_2D HARD_SWISH SOFTMAX RESHAPE CONCATENATION", _since(27)),
    **_each("RELU RELU6 RELU_N1_TO_1 LOGISTIC SPACE_TO_DEPTH DEPTH_TO_SPACE", _since(27)),
    **_each("ADD MUL", {27: _ANY, 30: _WITH_INT32}),
    **_each("CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED", {27: FLOATS | {"uint8"}, 29: _ANY}),
    **_each("L2_POOL_2D FLOOR", {27: FLOATS}),
    **_each("TANH L2_NORMALIZATION RESIZE_BILINEAR", {27: FLOATS, 29: _ANY}),
    "DEQUANTIZE": {27: frozenset({"uint8"}), 29: QUANT8, 30: QUANT8 | {"float16"}},
    **_each("BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND SQUEEZE TRANSPOSE", _since(28)),
    "STRIDED_SLICE": {28: _WITH_INT32},
    **_each("PAD MEAN", {28: _FLOAT32, 29: _ANY}),
    "DIV": {28: _FLOAT32},
    "SUB": {28: FLOATS, 29: _ANY, 30: _WITH_INT32},
    "SQUARED_DIFFERENCE": {28: _FLOAT32, 29: _FLOAT32 | {"uint8"}, 30: _WITH_INT32},
    **_each("PADV2 RESIZE_NEAREST_NEIGHBOR TRANSPOSE_CONV LEAKY_RELU PRELU QUANTIZE", _since(29)),
    **_each("ABS EXP LOG RSQRT POW SIN SQRT LOG_SOFTMAX SUM REDUCE_PROD", {29: FLOATS}),
    **_each("ARG_MAX ARG_MIN SLICE MAXIMUM MINIMUM TILE TOPK_V2 GATHER EXPAND_DIMS", {29: _WITH_INT32}),
    **_each("REDUCE_MAX REDUCE_MIN", _since(29)),
    "NEG": {29: frozenset({"float32", "int32"})},
    "CAST": {29: frozenset({"float32", "int32", "uint8"}), 30: _WITH_INT32},
    **_each("LOGICAL_AND LOGICAL_OR LOGICAL_NOT", {29: _BOOL}),
    **_each("LESS LESS_EQUAL GREATER GREATER_EQUAL EQUAL NOT_EQUAL", {29: _WITH_INT32 | _BOOL}),
    "ELU": {30: _FLOAT32},
    "PACK": {30: frozenset({"int32", "float32", "int8"})},
    "SPLIT": {29: frozenset({"int32"})},
    "SPLIT_V": {30: _WITH_INT32},
}
"""Operator → {lowest API level: types of its first input}; the highest level that is reached counts."""


def _typed(api: int, versions: Mapping[int, frozenset[str]]) -> Check:
    """Require the API level and the type of the first input."""
    reached = [level for level in versions if level <= api]
    lowest = min(versions)

    def check(node: Node) -> Answer | None:
        if not reached:
            return no(f"only since {VERSIONS[lowest]} (API {lowest})")
        tensor = node.input(0)
        allowed = versions[max(reached)]
        if tensor is None or tensor.dtype in allowed:
            return None
        later = [level for level in versions if level > api and tensor.dtype in versions[level]]
        since = f", only since {VERSIONS[min(later)]} (API {min(later)})" if later else ""
        return no(f"not for {tensor.dtype}{since}")

    return check


def _layer(api: int) -> Check:
    """Require, before API 29: no integer weights under float, one scale a tensor, input × filter < output scale."""

    def check(node: Node) -> Answer | None:
        source, weight = node.input(0), node.input(1)
        if api >= 29 or source is None or weight is None:
            return None
        if source.dtype in FLOATS and weight.dtype in QUANT8:
            return no("float with integer weights only since Android 10 (API 29)")
        if weight.quantization is not None and len(weight.quantization.scales) > 1:
            return no("one scale a channel only since Android 10 (API 29)")
        return _restricted_scales(node) if source.dtype == "uint8" else None

    return check


def _restricted_scales(node: Node) -> Answer | None:
    scales = [
        t.quantization.scales[0] if t is not None and t.quantization is not None else inf
        for t in (node.input(0), node.input(1), node.outputs[0] if node.outputs else None)
    ]
    if inf in scales:
        return unknown("the file states no scale")
    return None if scales[0] * scales[1] < scales[2] else no("the output's scale is too small before API 29")


def _not_dilated(api: int) -> tuple[Check, ...]:
    return () if api >= 29 else (option("dilation_h", 1), option("dilation_w", 1))


def _resize(api: int) -> tuple[Check, ...]:
    plain = (option("align_corners", False, 0), option("half_pixel_centers", False, 0)) if api <= 29 else ()
    return (rank_of(0, 4), static(1), *plain)


def _stored_float16(node: Node) -> Answer | None:
    """Answer «unknown» for stored float16 weights: they are handled outside `Validate`, where it is not clear how."""
    first = node.input(0)
    if not node.unpacks or first is None or first.dtype != "float16":
        return None
    return unknown("how stored float16 weights are handed over is not documented")


def _quantize_output(api: int) -> Check:
    def check(node: Node) -> Answer | None:
        output = node.outputs[0].dtype if node.outputs else ""
        return None if output == "uint8" or (output == "int8" and api >= 30) else no(f"not to {output}")

    return check


def _extra(api: int) -> dict[str, tuple[Check, ...]]:
    """Return the checks besides the type."""
    plain = activation("NONE")
    return {
        **rows("CONV_2D", bias, _layer(api), *_not_dilated(api)),
        **rows("DEPTHWISE_CONV_2D", _layer(api), *_not_dilated(api)),
        **rows("FULLY_CONNECTED", _layer(api), *(() if api >= 30 else (option("keep_num_dims", False, 0),))),
        **rows("RESHAPE TRANSPOSE", static(1)),
        **rows("RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR", *_resize(api)),
        **rows("CONCATENATION", plain, max_rank(4), *((types(_ANY),))),
        **rows("L2_NORMALIZATION", plain),
        **rows("SOFTMAX SUB SQUARED_DIFFERENCE", max_rank(4)),
        **rows("QUANTIZE", _quantize_output(api)),
        **rows("DEQUANTIZE", *((_stored_float16,) if api >= 30 else ())),
        **rows("TRANSPOSE_CONV", static(0, 1)),
        **rows("SPLIT", static(0)),
        **rows("EXPAND_DIMS TOPK_V2", static(1)),
    }


def _table(api: int) -> Table:
    extra = _extra(api)
    return Table(
        delegate=NNAPI,
        condition=f"{VERSIONS[api]} (API {api})",
        source="TensorFlow, tensorflow/lite/delegates/nnapi/nnapi_delegate.cc, NNAPIDelegateKernel::Validate",
        rows={name: (_typed(api, versions), *extra.get(name, ())) for name, versions in _TYPES.items()},
        unlisted=no("not mapped to NNAPI"),
        max_partitions=3,
        note="the vendor's driver decides; NNAPI is deprecated since Android 15",
    )


TABLES = tuple(_table(api) for api in VERSIONS)
