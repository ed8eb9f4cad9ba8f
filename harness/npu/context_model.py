"""A vendor's binary as an ONNX model of one EPContext node, which ONNX Runtime hands to its execution provider.

Written by hand, since it is four messages of protobuf (ONNX, `onnx.proto3`; ONNX Runtime, «EP Context Design»): no
package is needed for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

IR_VERSION, OPSET, DOMAIN, DOMAIN_OPSET = 8, 13, "com.microsoft", 1
SOURCE = "QNNExecutionProvider"
ELEMENT_TYPES = {
    "float32": 1,
    "uint8": 2,
    "int8": 3,
    "uint16": 4,
    "int16": 5,
    "int32": 6,
    "int64": 7,
    "bool": 9,
    "float16": 10,
    "float64": 11,
    "uint32": 12,
}
"""NumPy's names → `TensorProto.DataType`."""
_INT, _STRING = 2, 3
"""`AttributeProto.AttributeType`."""


@dataclass(frozen=True)
class End:
    """An input or output of the binary's graph; a scalar has the shape of one element, as QNN knows none."""

    name: str
    dtype: str
    shape: tuple[int, ...]


def context_model(graph: str, binary: bytes, inputs: Sequence[End], outputs: Sequence[End]) -> bytes:
    """Wrap a binary.

    Args:
        graph: Name of the graph in the binary.
        binary: The vendor's.
        inputs: In the order of the graph.
        outputs: In the order of the graph.

    Raises:
        KeyError: ONNX has no such type.
    """
    attributes = (
        _attribute("main_context", 1),
        _attribute("embed_mode", 1),
        _attribute("ep_cache_context", binary),
        _attribute("source", SOURCE.encode()),
        _attribute("partition_name", graph.encode()),
    )
    node = b"".join(
        [
            *(_bytes(1, end.name.encode()) for end in inputs),
            *(_bytes(2, end.name.encode()) for end in outputs),
            _bytes(3, graph.encode()),
            _bytes(4, b"EPContext"),
            *(_bytes(5, one) for one in attributes),
            _bytes(7, DOMAIN.encode()),
        ]
    )
    body = b"".join(
        [
            _bytes(1, node),
            _bytes(2, graph.encode()),
            *(_bytes(11, _value_info(end)) for end in inputs),
            *(_bytes(12, _value_info(end)) for end in outputs),
        ]
    )
    opsets = [
        _bytes(8, _bytes(1, b"") + _int(2, OPSET)),
        _bytes(8, _bytes(1, DOMAIN.encode()) + _int(2, DOMAIN_OPSET)),
    ]
    return b"".join([_int(1, IR_VERSION), *opsets, _bytes(7, body)])


def _value_info(end: End) -> bytes:
    shape = b"".join(_bytes(1, _int(1, size)) for size in end.shape)
    tensor = _int(1, ELEMENT_TYPES[end.dtype]) + _bytes(2, shape)
    return _bytes(1, end.name.encode()) + _bytes(2, _bytes(1, tensor))


def _attribute(name: str, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _bytes(1, name.encode()) + _int(3, value) + _int(20, _INT)
    return _bytes(1, name.encode()) + _bytes(4, value) + _int(20, _STRING)


def _int(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    found.append(value)
    return bytes(found)
