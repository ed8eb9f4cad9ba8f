"""LiteRT's GPU accelerator (CompiledModel; ML Drift), which `--delegate gpu` is on this computer.

Rows: those of TFLite's delegate, which it comes from, but where ai-edge-litert 2.3.0's log was seen to say otherwise;
tests/gpu holds the forecast against that log. A graph with a tensor of computed size is refused whole, although the CPU
is allowed beside the GPU.
"""

from __future__ import annotations

from dataclasses import replace

from harness.tflite.nodes import Node
from harness.tflite.support import gpu
from harness.tflite.support.rules import Answer, computed, data_types, n_inputs, no, rows, types, unknown

_UNCHECKED = frozenset({"RESHAPE", "ADD", "CONCATENATION"})


def _types(node: Node) -> Answer | None:
    """Answer as TFLite's delegate; some of what has 16-bit integers is taken, for no reason that the log gives."""
    if node.name in _UNCHECKED and computed(node) == {"int16"}:
        return unknown("some operators of 16-bit integers are taken, and the log does not say which")
    return None if node.name == "TOPK_V2" else gpu.check_types(node)


def _two_bits(node: Node) -> Answer | None:
    weight = node.stored(1)
    few = weight is not None and weight.dtype == "int2"
    return no("LiteRT 2.3.0 dies of 2-bit weights") if few else None


TABLE = replace(
    gpu.TABLE,
    condition="LiteRT 2.3's accelerator",
    source="ai-edge-litert 2.3.0, the log of its GPU accelerator; else TensorFlow's gpu_compatibility.cc",
    rows={
        **gpu.TABLE.rows,
        **rows("TOPK_V2", types({"float32"})),
        **rows(
            "DEQUANTIZE", n_inputs(1, 1), data_types(0, "float16", "float32", "int8", "uint8", "int4", "int2")
        ),
    },
    everywhere=(_types, gpu.check_rank),
    whole=(_two_bits,),
)
