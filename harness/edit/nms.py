"""Set the options of `TFLite_Detection_PostProcess` inside a .tflite file.

The options are a FlexBuffers map. Its numbers lie side by side, each as wide as the widest, so a new value overwrites
the old one, and every other byte of the file stays as it is. Only where a key is missing, or the map has another
layout, a new map is written at the end of the flatbuffer, before a zip archive that may follow it.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from flatbuffers import flexbuffers

from harness.errors import ModelError
from harness.tflite import postprocess, reader, schema
from harness.tflite.graph import POSTPROCESS

Number = bool | int | float
_MAP, _INT, _FLOAT, _BOOL = 9, 1, 3, 26
_INTEGERS = {1: "<b", 2: "<h", 4: "<i", 8: "<q"}
_FLOATS = {4: "<f", 8: "<d"}
_CUSTOM_OPTIONS = (
    14  # offset in the table's vtable of its sixth field (schema.fbs, `Operator.custom_options`)
)
_LOCAL_HEADER = b"PK\x03\x04"


@dataclass(frozen=True)
class NmsChange:
    """New options; None keeps those of the file.

    Attributes:
        regular: Class-by-class NMS (True) or the fast one.
        score_threshold: Lowest score that is kept.
        iou_threshold: Overlap above which the lower score is dropped; above 0, at most 1.
        max_detections: Number of boxes in the output.
        detections_per_class: Boxes a class of the regular NMS.
    """

    regular: bool | None = None
    score_threshold: float | None = None
    iou_threshold: float | None = None
    max_detections: int | None = None
    detections_per_class: int | None = None

    def __post_init__(self) -> None:
        if self.iou_threshold is not None and not 0 < self.iou_threshold <= 1:
            raise ModelError(
                f"IoU threshold: found {self.iou_threshold:g}, expected above 0 and at most 1, as {POSTPROCESS} has it"
            )
        if self.score_threshold is not None and not math.isfinite(self.score_threshold):
            raise ModelError(f"score threshold: found {self.score_threshold:g}, expected a number")
        for name in ("max_detections", "detections_per_class"):
            value = getattr(self, name)
            if value is not None and not 1 <= value <= MAX_COUNT:
                raise ModelError(f"{name.replace('_', ' ')}: found {value}, expected 1 to {MAX_COUNT}")

    def options(self) -> dict[str, Number]:
        """Return the changed options, by the operator's own keys."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {_KEYS[name]: value for name, value in given.items() if value is not None}


MAX_COUNT = 100_000
"""More boxes than any detector has: the operator allocates room for all of them."""
_KEYS = {
    "regular": "use_regular_nms",
    "score_threshold": "nms_score_threshold",
    "iou_threshold": "nms_iou_threshold",
    "max_detections": "max_detections",
    "detections_per_class": "detections_per_class",
}


def with_nms(
    model: bytes,
    *,
    regular: bool | None = None,
    score_threshold: float | None = None,
    iou_threshold: float | None = None,
    max_detections: int | None = None,
    detections_per_class: int | None = None,
    name: str = "the model",
) -> bytes:
    """Return a model file with other NMS options; the tensors' data and every other operator stay byte-identical.

    Args:
        model: A .tflite file with `TFLite_Detection_PostProcess`.
        regular: Class-by-class NMS (True) or the fast one (False).
        score_threshold: Lowest score that is kept.
        iou_threshold: Overlap above which the lower score is dropped.
        max_detections: Number of boxes in the output.
        detections_per_class: Boxes a class of the regular NMS.
        name: Name of the model, for errors.

    Raises:
        ModelError: It is not such a model, or the operator refuses a value.
    """
    change = NmsChange(regular, score_threshold, iou_threshold, max_detections, detections_per_class)
    path = Path(name)
    reader.read_graph(model, path)  # checks every offset before any is followed here
    data = bytearray(model)
    with reader.malformed(path):
        found = list(_options_fields(model))
        if not found:
            raise ModelError(f"{name}: it has no operator {POSTPROCESS}, so there are no NMS options to set")
        for field in found:
            _edit(data, field, change.options())
    result = bytes(data)
    graph = reader.read_graph(result, path)
    with reader.malformed(path):
        edited = postprocess.find(graph)
        if edited is not None:
            postprocess.parse(edited[1].options)
    return result


def _options_fields(model: bytes) -> Iterator[int]:
    """Yield the places where the PostProcess operators keep the offsets of their options."""
    classes = schema.load()
    root = classes.Model.GetRootAs(model, 0)
    for s in range(root.SubgraphsLength()):
        subgraph = root.Subgraphs(s)
        for o in range(subgraph.OperatorsLength()):
            operator = subgraph.Operators(o)
            code = root.OperatorCodes(operator.OpcodeIndex())
            place = operator._tab.Offset(_CUSTOM_OPTIONS)
            if code.CustomCode() == POSTPROCESS.encode() and place:
                yield operator._tab.Pos + place


def _edit(data: bytearray, field: int, options: Mapping[str, Number]) -> None:
    """Change the options whose offset lies at `field`."""
    start = field + _u32(data, field) + 4
    length = _u32(data, start - 4)
    old = bytes(data[start : start + length])
    new = patched(old, options)
    if new is not None:
        data[start : start + length] = new
        return
    end = _end_of_flatbuffer(data)
    padding = bytes(-end % 16)
    rebuilt = _rebuilt(old, options)
    data[end:end] = padding + struct.pack("<I", len(rebuilt)) + rebuilt + bytes(-len(rebuilt) % 4)
    struct.pack_into("<I", data, field, end + len(padding) - field)


def _u32(data: bytes | bytearray, at: int) -> int:
    return int(struct.unpack_from("<I", data, at)[0])


def _end_of_flatbuffer(data: bytearray) -> int:
    """Return the start of an appended zip archive, else the end of the file.

    Zip readers find an archive from its end and allow for bytes before it, so it may be moved as a whole.
    """
    import io
    import zipfile

    stream = io.BytesIO(data)
    if not zipfile.is_zipfile(stream):
        return len(data)
    with zipfile.ZipFile(stream) as archive:
        starts = [info.header_offset for info in archive.infolist()]
    first = min(starts, default=len(data))
    return first if data[first : first + 4] == _LOCAL_HEADER else len(data)


def patched(old: bytes, options: Mapping[str, Number]) -> bytes | None:
    """Return the FlexBuffers map with values overwritten in place; None where that is not possible.

    Source of the layout: FlexBuffers' documentation (`flexbuffers.md`, "Maps"): the root's offset, type and width at
    the end; before a map's values the width and offset of its keys and its size, behind them a byte of type each.
    """
    width_of_root, root_type = old[-1], old[-2]
    if root_type >> 2 != _MAP:
        raise ValueError(f"{POSTPROCESS}: found options of FlexBuffers type {root_type >> 2}, expected a map")
    at = len(old) - 2 - width_of_root
    values, width = at - _unsigned(old, at, width_of_root), 1 << (root_type & 3)
    size = _unsigned(old, values - width, width)
    keys = values - 3 * width - _unsigned(old, values - 3 * width, width)
    width_of_keys = _unsigned(old, values - 2 * width, width)
    places = {_key(old, keys + k * width_of_keys, width_of_keys): k for k in range(size)}
    new = bytearray(old)
    for key, value in options.items():
        if key not in places or not _write(new, values, width, size, places[key], value):
            return None
    return bytes(new)


def _unsigned(data: bytes, at: int, width: int) -> int:
    if at < 0 or at + width > len(data):
        raise ValueError(f"{POSTPROCESS}: the options point to byte {at} of {len(data)}")
    return int.from_bytes(data[at : at + width], "little")


def _key(data: bytes, at: int, width: int) -> str:
    start = at - _unsigned(data, at, width)
    return data[start : data.index(b"\0", start)].decode("utf-8", "replace") if start >= 0 else ""


def _write(data: bytearray, values: int, width: int, size: int, k: int, value: Number) -> bool:
    """Write one value over the old one; return False where it does not fit."""
    at, type_at = values + k * width, values + size * width + k
    kind = _BOOL if isinstance(value, bool) else _INT if isinstance(value, int) else _FLOAT
    formats = _FLOATS if kind == _FLOAT else _INTEGERS
    if data[type_at] >> 2 not in {_INT, 2, _FLOAT, _BOOL} or width not in formats:
        return False
    if kind == _INT and value >= 1 << (8 * width - 1):
        return False
    struct.pack_into(formats[width], data, at, value)
    data[type_at] = kind << 2 | (width.bit_length() - 1)
    return True


def _rebuilt(old: bytes, options: Mapping[str, Number]) -> bytes:
    """Return the whole map written anew."""
    values: dict[str, Any] = {**flexbuffers.Loads(old), **options}
    builder = flexbuffers.Builder()
    with builder.Map():
        for key, value in values.items():
            builder.Key(key)
            builder.Add(value)
    return bytes(builder.Finish())
