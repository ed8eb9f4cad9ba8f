"""Read what a model's metadata states of its input and labels; none of it is trusted, all of it is optional.

Two conventions exist. TFLite Model Metadata: a flatbuffer in the buffer `TFLITE_METADATA` (tflite-support,
`metadata_schema.fbs`) and label files in a zip archive appended to the model. Ultralytics: a JSON or
Python-literal file in such an archive (`metadata.json`, `temp_meta.txt`; `ultralytics/engine/exporter.py`) with
the names, the task, the size of the input and whether NMS is part of the model.
"""

from __future__ import annotations

import ast
import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from flatbuffers import encode, number_types, packer
from flatbuffers.table import Table

from harness.tflite import detector_metadata
from harness.tflite.detector_metadata import DetectorMetadata
from harness.tflite.reader import FOREIGN

ENTRY = "TFLITE_METADATA"
BACKGROUND = frozenset({"???", "background", "__background__", "n/a"})
"""First lines of label files that name no class, in lower case."""
MAX_MEMBER_BYTES = 1 << 20
MAX_MEMBERS = 64
MAX_LITERAL_CHARACTERS = 1 << 16
_TENSOR_LABELS = {2, 3}  # AssociatedFileType: TENSOR_AXIS_LABELS, TENSOR_VALUE_LABELS
_NORMALIZATION = 1  # ProcessUnitOptions
_ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    RuntimeError,
    NotImplementedError,
    EOFError,
    OSError,
    zlib.error,
)


@dataclass(frozen=True)
class Metadata:
    """The metadata that could be read.

    Attributes:
        mean: Of the first input's NormalizationOptions, one or three values; None when not stated.
        std: As `mean`.
        label_file: Name of the file of `labels`.
        labels: One name a class, as the file lists them (a background line may be first).
        names: One name a class by an Ultralytics file, class 0 first; () without such a file.
        task: The model's task by such a file (`detect`, `segment`, `pose`, `obb`, `classify`); None when not stated.
        end2end: Whether the outputs are final detections; None when not stated.
        imgsz: Height and width of the input; None when not stated.
        detector: MediaPipe's anchors and coding of raw heads; None without them.
        damaged: Why a part could not be read; empty when all could.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    label_file: str = ""
    labels: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    task: str | None = None
    end2end: bool | None = None
    imgsz: tuple[int, int] | None = None
    detector: DetectorMetadata | None = None
    damaged: str = ""


def read_metadata(data: bytes, buffer: bytes) -> Metadata:
    """Read the metadata of a model.

    Args:
        data: The whole model file, perhaps with a zip archive at its end.
        buffer: The bytes of the entry `TFLITE_METADATA`; empty when there is none.
    """
    found, wanted = _stated(buffer) if buffer else (Metadata(), [])
    try:
        members = _members(data)
        file, export = _export(members, wanted)
        names = _names(export)
        name, labels = (file, names) if names else _label_lines(members, wanted)
        return replace(
            found,
            label_file=name,
            labels=labels,
            names=names,
            task=_task(export),
            end2end=_end2end(export),
            imgsz=_imgsz(export),
        )
    except (*FOREIGN, *_ZIP_ERRORS, SyntaxError) as error:
        return replace(found, damaged=f"appended archive: {type(error).__name__}: {error}")


def _stated(buffer: bytes) -> tuple[Metadata, list[str]]:
    """Read what the entry itself states, up to where it is damaged; and the names of its label files."""
    found, wanted = Metadata(), list[str]()
    try:
        root = _root(buffer)
        mean, std = _normalization(root)
        found = replace(found, mean=mean, std=std)
        wanted = list(_label_files(root))
        detector = next((detector_metadata.find(one) for one in islice(_tables(root, 3), 1)), None)
        return replace(found, detector=detector), wanted
    except FOREIGN as error:
        return replace(found, damaged=f"{ENTRY}: {type(error).__name__}: {error}"), wanted


def _members(data: bytes) -> dict[str, bytes]:
    """Return the small members of the appended archive; {} when there is none."""
    stream = io.BytesIO(data)
    if not zipfile.is_zipfile(stream):
        return {}
    with zipfile.ZipFile(stream) as archive:
        small = [info for info in archive.infolist() if info.file_size <= MAX_MEMBER_BYTES][:MAX_MEMBERS]
        members = {}
        for info in small:
            with archive.open(info) as member:
                members[info.filename] = member.read(MAX_MEMBER_BYTES)
        return members


def _label_lines(members: dict[str, bytes], wanted: list[str]) -> tuple[str, tuple[str, ...]]:
    """Choose the label file: the one that the metadata names, or the only text file; one name a line."""
    texts = [name for name in members if name.endswith(".txt")]
    for name in [*(n for n in wanted if n in members), *(texts if len(texts) == 1 else [])]:
        return name, tuple(
            line.strip() for line in members[name].decode("utf-8", "replace").strip().splitlines()
        )
    return "", ()


def _export(members: dict[str, bytes], wanted: list[str]) -> tuple[str, Mapping[str, Any]]:
    """Find the file of an Ultralytics export: its name and its content."""
    for name in [*(n for n in wanted if n in members), *members]:
        values = _literal(members[name])
        if _names(values):
            return name, values
    return "", {}


def _literal(content: bytes) -> Mapping[str, Any]:
    """Read a JSON object or Python literal with the key `names`; {} when the content is neither."""
    text = content.decode("utf-8", "replace").strip()
    if not text.startswith("{") or "names" not in text or len(text) > MAX_LITERAL_CHARACTERS:
        return {}
    try:
        values = json.loads(text)
    except ValueError:
        values = ast.literal_eval(text)
    return values if isinstance(values, dict) else {}


def _names(values: Mapping[str, Any]) -> tuple[str, ...]:
    names = values.get("names")
    if isinstance(names, dict):
        return _by_number({int(key): str(name) for key, name in names.items()})
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _by_number(names: Mapping[int, str]) -> tuple[str, ...]:
    """Return names by class index, "" for an index without one; () where the numbers are no indices."""
    if not names or min(names) < 0 or max(names) >= MAX_LITERAL_CHARACTERS:
        return ()
    return tuple(names.get(index, "") for index in range(max(names) + 1))


def _task(values: Mapping[str, Any]) -> str | None:
    task = values.get("task")
    return task if isinstance(task, str) else None


def _end2end(values: Mapping[str, Any]) -> bool | None:
    """Whether NMS, or a head without need of it, is part of the graph: stated directly or in the export's arguments."""
    arguments = values.get("args")
    nms = arguments.get("nms") if isinstance(arguments, dict) else None
    stated = [value for value in (values.get("end2end"), nms) if isinstance(value, bool)]
    return any(stated) if stated else None


def _imgsz(values: Mapping[str, Any]) -> tuple[int, int] | None:
    size = values.get("imgsz")
    if not isinstance(size, (list, tuple)) or len(size) != 2:
        return None
    whole = [side for side in size if isinstance(side, int) and not isinstance(side, bool)]
    return (whole[0], whole[1]) if len(whole) == 2 else None


def _root(buffer: bytes) -> Table:
    return Table(buffer, encode.Get(packer.uoffset, buffer, 0))


def _field(table: Table, number: int) -> int:
    """Return the place of a table's field, 0 when it is absent; fields count from 0, a union takes two."""
    offset = table.Offset(4 + 2 * number)
    return table.Pos + offset if offset else 0


def _tables(table: Table, number: int) -> Iterator[Table]:
    """Yield the tables of a vector field; at most as many as any valid file has."""
    offset = table.Offset(4 + 2 * number)
    if not offset:
        return
    start, length = table.Vector(offset), table.VectorLen(offset)
    for index in range(min(length, MAX_MEMBERS)):
        yield Table(table.Bytes, table.Indirect(start + 4 * index))


def _floats(table: Table, number: int) -> tuple[float, ...]:
    offset = table.Offset(4 + 2 * number)
    if not offset or table.VectorLen(offset) > MAX_MEMBERS:
        return ()
    return tuple(table.GetVectorAsNumpy(number_types.Float32Flags, offset).tolist())


def _byte(table: Table, number: int) -> int:
    at = _field(table, number)
    return int(table.Get(number_types.Uint8Flags, at)) if at else 0


def _normalization(root: Table) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Find NormalizationOptions: ModelMetadata.3, SubGraphMetadata.2, TensorMetadata.4, ProcessUnit.0/1."""
    for subgraph in islice(_tables(root, 3), 1):
        for tensor in _tables(subgraph, 2):
            for unit in _tables(tensor, 4):
                at = _field(unit, 1)
                if _byte(unit, 0) == _NORMALIZATION and at:
                    options = Table(unit.Bytes, unit.Indirect(at))
                    return _floats(options, 0) or None, _floats(options, 1) or None
    return None, None


def _label_files(root: Table) -> Iterator[str]:
    """Yield label files: ModelMetadata.3, SubGraphMetadata.3, TensorMetadata.6, AssociatedFile.0/2."""
    for subgraph in islice(_tables(root, 3), 1):
        for tensor in _tables(subgraph, 3):
            for file in _tables(tensor, 6):
                at = _field(file, 0)
                if _byte(file, 2) in _TENSOR_LABELS and at:
                    yield file.String(at).decode("utf-8", "replace")
