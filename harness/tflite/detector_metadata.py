"""Read MediaPipe's `DETECTOR_METADATA`: anchors and coding of raw heads (`object_detector_metadata_schema.fbs`, 1.0.0).

It is a custom entry of the TFLite Model Metadata's subgraph. None of it is trusted, all of it is optional.
"""

from __future__ import annotations

from dataclasses import dataclass

from flatbuffers import encode, number_types, packer
from flatbuffers.table import Table

NAME = b"DETECTOR_METADATA"
MAX_ANCHORS = 1 << 18
_CUSTOM_METADATA = 9
"""Field of `SubGraphMetadata` (`metadata_schema.fbs`, since 1.5.0)."""


@dataclass(frozen=True)
class DetectorMetadata:
    """The coding of raw heads.

    Attributes:
        anchors: y_center, x_center, height, width of each, in shares of the input.
        scales: Divisors of ty, tx, th, tw.
        n_coordinates: Numbers a box.
        n_keypoints: Points a box.
        exponential: Whether sizes are logarithms.
        sigmoid: Whether the scores are logits.
    """

    anchors: tuple[tuple[float, float, float, float], ...]
    scales: tuple[float, float, float, float]
    n_coordinates: int
    n_keypoints: int
    exponential: bool
    sigmoid: bool


def find(subgraph: Table) -> DetectorMetadata | None:
    """Read the entry of a subgraph's metadata; None when there is none."""
    offset = subgraph.Offset(4 + 2 * _CUSTOM_METADATA)
    if not offset:
        return None
    start = subgraph.Vector(offset)
    for index in range(min(subgraph.VectorLen(offset), 16)):
        entry = Table(subgraph.Bytes, subgraph.Indirect(start + 4 * index))
        name, data = entry.Offset(4), entry.Offset(6)
        if name and data and bytes(entry.String(entry.Pos + name)) == NAME:
            first = entry.Vector(data)
            return _read(bytes(subgraph.Bytes[first : first + entry.VectorLen(data)]))
    return None


def _read(content: bytes) -> DetectorMetadata | None:
    root = Table(content, encode.Get(packer.uoffset, content, 0))
    anchors, decoding = _child(root, 1), _child(root, 2)
    fixed = _child(anchors, 0) if anchors is not None else None
    if fixed is None or decoding is None:
        return None
    y, x, h, w = (_float(decoding, slot) for slot in (7, 6, 9, 8))
    return DetectorMetadata(
        _anchors(fixed),
        (y, x, h, w),
        _int(decoding, 2),
        _int(decoding, 4),
        _bool(decoding, 10),
        _bool(decoding, 11),
    )


def _anchors(table: Table) -> tuple[tuple[float, float, float, float], ...]:
    offset = table.Offset(4)
    if not offset or table.VectorLen(offset) > MAX_ANCHORS:
        return ()
    start = table.Vector(offset)
    found = (Table(table.Bytes, table.Indirect(start + 4 * k)) for k in range(table.VectorLen(offset)))
    return tuple((_float(one, 1), _float(one, 0), _float(one, 3), _float(one, 2)) for one in found)


def _child(table: Table, slot: int) -> Table | None:
    offset = table.Offset(4 + 2 * slot)
    return Table(table.Bytes, table.Indirect(table.Pos + offset)) if offset else None


def _float(table: Table, slot: int) -> float:
    offset = table.Offset(4 + 2 * slot)
    return float(table.Get(number_types.Float32Flags, table.Pos + offset)) if offset else 0.0


def _int(table: Table, slot: int) -> int:
    offset = table.Offset(4 + 2 * slot)
    return int(table.Get(number_types.Int32Flags, table.Pos + offset)) if offset else 0


def _bool(table: Table, slot: int) -> bool:
    offset = table.Offset(4 + 2 * slot)
    return bool(table.Get(number_types.BoolFlags, table.Pos + offset)) if offset else False
