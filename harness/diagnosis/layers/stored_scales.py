"""Check the scales and zero points that a quantized graph states against what its operators need; no inference.

By TFLite's specification of 8-bit quantization some operators have a fixed scale, and those that only move numbers have
that of their input: their kernels copy bytes, whatever the file says of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.diagnosis.layers.constants import short
from harness.diagnosis.runs.patched_file import Affine
from harness.tflite.graph import Graph, Operator, Subgraph, Tensor
from harness.tflite.values import LIMITS, real_range

COPYING = frozenset(
    {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "UNPACK", "GATHER",
     "PAD", "MIRROR_PAD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR",
     "DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND", "TILE", "CONCATENATION", "PACK"}
)  # fmt: skip
"""Operators that copy bytes, or mean and choose among them: one scale before and behind."""
FIXED: dict[tuple[str, str], Affine] = {
    ("LOGISTIC", "int8"): Affine(1 / 256, -128),
    ("LOGISTIC", "uint8"): Affine(1 / 256, 0),
    ("SOFTMAX", "int8"): Affine(1 / 256, -128),
    ("SOFTMAX", "uint8"): Affine(1 / 256, 0),
    ("TANH", "int8"): Affine(1 / 128, 0),
    ("TANH", "uint8"): Affine(1 / 128, 128),
    ("L2_NORMALIZATION", "int8"): Affine(1 / 128, 0),
    ("L2_NORMALIZATION", "uint8"): Affine(1 / 128, 128),
}
SAME = 1e-3
"""Share by which two scales may differ: files hold them in float32, and converters compute them in several ways."""
COVERED = 0.9
"""Share of the values' range that the type behind a QUANTIZE has to hold."""


@dataclass(frozen=True)
class WrongScale:
    """An activation whose scale or zero point contradicts its operator.

    Attributes:
        operator: The operator.
        layer: The short name of its output.
        tensor: The tensor to correct.
        stated: What the file says.
        right: What it should say.
        kind: `moved`, `fixed`, `cut off`, or `biases` where those behind it contradict it.
    """

    operator: str
    layer: str
    tensor: int
    stated: Affine
    right: Affine
    kind: str


def wrong_scales(graph: Graph, right: Mapping[int, Affine] | None = None) -> list[WrongScale]:
    """Return the activations whose scale or zero point contradicts the operator that makes them.

    Args:
        graph: The quantized graph.
        right: Tensor → its right scale, where that is known to be another one than the file's.
    """
    primary = graph.primary
    found: list[WrongScale] = []
    known: dict[int, Affine] = dict(right or {})
    for operator in primary.operators:
        for wrong in _of_operator(operator, primary, known):
            known[wrong.tensor] = wrong.right
            found.append(wrong)
    return found


def affine_of(tensor: Tensor) -> Affine | None:
    """Return a tensor's one scale and zero point; None for a float tensor, or one with several."""
    how = tensor.quantization
    if tensor.dtype not in LIMITS or how is None or len(how.scales) != 1 or not how.scales[0] > 0:
        return None
    return Affine(how.scales[0], how.zero_points[0])


def _of_operator(operator: Operator, graph: Subgraph, known: dict[int, Affine]) -> Iterator[WrongScale]:
    if not operator.inputs or not operator.outputs:
        return
    out = graph.tensors[operator.outputs[0]]
    fixed = FIXED.get((operator.name, out.dtype))
    if fixed is not None:
        yield from _unlike(operator, out, fixed, "fixed")
    elif operator.name in COPYING:
        yield from _copied(operator, graph, known)
    elif operator.name == "QUANTIZE":
        yield from _cut_off(operator, graph)


def _copied(operator: Operator, graph: Subgraph, known: dict[int, Affine]) -> Iterator[WrongScale]:
    """Compare what an operator copies with what it says of the copy."""
    place = 1 if operator.name in {"SPLIT"} else 0
    sources = [graph.tensors[index] for index in operator.inputs if index >= 0]
    if operator.name not in {"CONCATENATION", "PACK"}:
        for index in operator.outputs:
            source, target = sources[place], graph.tensors[index]
            right = known.get(source.index) or affine_of(source)
            if right is not None and source.dtype == target.dtype:
                yield from _unlike(operator, target, right, "moved")
    elif graph.tensors[operator.outputs[0]].dtype == "int8":  # the kernel for uint8 converts
        right = affine_of(graph.tensors[operator.outputs[0]])
        for source in sources:
            if right is not None and not source.constant and source.dtype == "int8":
                yield from _unlike(operator, source, right, "moved")


def _unlike(operator: Operator, tensor: Tensor, right: Affine, kind: str) -> Iterator[WrongScale]:
    stated = affine_of(tensor)
    if stated is None:
        return
    if abs(stated.scale / right.scale - 1) > SAME or stated.zero_point != right.zero_point:
        yield WrongScale(operator.name, short(tensor.name), tensor.index, stated, right, kind)


def _cut_off(operator: Operator, graph: Subgraph) -> Iterator[WrongScale]:
    """Find an output of the model that holds less than the tensor it is converted from."""
    source, target = graph.tensors[operator.inputs[0]], graph.tensors[operator.outputs[0]]
    before, after = affine_of(source), affine_of(target)
    if before is None or after is None or target.index not in graph.outputs:
        return
    held = real_range(source.dtype, before.scale, before.zero_point)
    kept = real_range(target.dtype, after.scale, after.zero_point)
    if held is None or kept is None:
        return
    shift = LIMITS[target.dtype][0] - LIMITS[source.dtype][0]
    covered = (min(held[1], kept[1]) - max(held[0], kept[0])) / (held[1] - held[0])
    if covered < COVERED or after.scale > before.scale * 2:
        right = Affine(before.scale, before.zero_point + shift)
        yield WrongScale("QUANTIZE", short(target.name), target.index, after, right, "cut off")
