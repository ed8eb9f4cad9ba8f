"""Find the operators that a quantized model leaves in float, and their cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from harness.tflite.costs import Cost, total
from harness.tflite.graph import POSTPROCESS
from harness.tflite.nodes import Node

CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
_FLOATS = frozenset({"float32", "float16", "bfloat16"})
_INTEGERS = frozenset({"int8", "uint8", "int16"})


def float_islands(nodes: Sequence[Node], costs: Sequence[Cost]) -> dict[str, Any] | None:
    """Return the float parts of a model that computes in integers; None for a model that does not.

    Returns:
        `operators` (name → count), `n_operators`, `conversions` (QUANTIZE and DEQUANTIZE at run time),
        `macs`, `macs_share`, `islands` (groups of connected float operators, each a list of names) and
        `by_design`: `TFLite_Detection_PostProcess`, which has no quantized form.
    """
    if not any(_is_integer(node) for node in nodes):
        return None
    places = [node.index for node in nodes if _is_float(node)]
    found, everything = total(costs[place] for place in places), total(costs)
    return {
        "operators": dict(Counter(nodes[place].name for place in places).most_common()),
        "n_operators": len(places),
        "conversions": sum(node.name in CONVERSIONS and not node.unpacks for node in nodes),
        "macs": found.macs,
        "macs_share": found.macs / everything.macs if found.macs is not None and everything.macs else None,
        "islands": _groups(nodes, places),
        "by_design": [POSTPROCESS] if any(nodes[place].name == POSTPROCESS for place in places) else [],
    }


def _is_integer(node: Node) -> bool:
    """Whether an operator computes in quantized integers."""
    outputs = node.outputs[:1]
    return node.name not in CONVERSIONS and any(
        tensor.dtype in _INTEGERS and tensor.quantization is not None for tensor in outputs
    )


def _is_float(node: Node) -> bool:
    outputs = node.outputs[:1]
    return node.name not in CONVERSIONS and any(tensor.dtype in _FLOATS for tensor in outputs)


def _groups(nodes: Sequence[Node], places: Sequence[int]) -> list[list[str]]:
    """Group float operators that are connected by tensors, each group in execution order."""
    group = {place: place for place in places}

    def head(place: int) -> int:
        while group[place] != place:
            group[place] = group[group[place]]
            place = group[place]
        return place

    for place in places:
        for reader in nodes[place].consumers:
            if reader in group:
                first, second = sorted((head(place), head(reader)))
                group[second] = first
    heads: dict[int, list[str]] = {}
    for place in places:
        heads.setdefault(head(place), []).append(nodes[place].name)
    return list(heads.values())
