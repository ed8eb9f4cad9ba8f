"""What a model's metadata says of its input and labels; none of it is trusted, all of it is optional.

Two habits exist. TFLite Model Metadata: a flatbuffer in the buffer `TFLITE_METADATA` (tflite-support,
`metadata_schema.fbs`) and label files in a zip archive appended to the model. Ultralytics: a JSON or
Python-literal file with the key `names` in such an archive.
"""

from __future__ import annotations

import ast
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from flatbuffers import encode, number_types, packer
from flatbuffers.table import Table

from harness.tflite.reader import FOREIGN

ENTRY = "TFLITE_METADATA"
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
    """What could be read.

    Attributes:
        mean: Of the first input's NormalizationOptions, one or three values; None when not stated.
        std: As `mean`.
        label_file: Name of the file that `labels` come from.
        labels: One name a class, as the file lists them (a background line may stand first).
        damaged: Why a part could not be read; empty when all could.
    """

    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    label_file: str = ""
    labels: tuple[str, ...] = ()
    damaged: str = ""


def read_metadata(data: bytes, buffer: bytes) -> Metadata:
    """Read what there is.

    Args:
        data: The whole model file, perhaps with a zip archive at its end.
        buffer: The bytes of the entry `TFLITE_METADATA`; empty when there is none.
    """
    damaged = ""
    mean = std = None
    wanted: list[str] = []
    try:
        if buffer:
            root = _root(buffer)
            mean, std = _normalization(root)
            wanted = list(_label_files(root))
    except FOREIGN as error:
        damaged = f"{ENTRY}: {type(error).__name__}: {error}"
    try:
        name, labels = _labels(_members(data), wanted)
    except (*FOREIGN, *_ZIP_ERRORS, SyntaxError) as error:
        name, labels, damaged = "", (), f"appended archive: {type(error).__name__}: {error}"
    return Metadata(mean, std, name, labels, damaged)


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


def _labels(members: dict[str, bytes], wanted: list[str]) -> tuple[str, tuple[str, ...]]:
    """Choose the label file: the one that the metadata names, an Ultralytics one, or the only text file."""
    texts = [name for name in members if name.endswith(".txt")]
    for name in [*(n for n in wanted if n in members), *members]:
        names = _ultralytics_names(members[name])
        if names:
            return name, names
    for name in [*(n for n in wanted if n in members), *(texts if len(texts) == 1 else [])]:
        return name, tuple(
            line.strip() for line in members[name].decode("utf-8", "replace").strip().splitlines()
        )
    return "", ()


def _ultralytics_names(content: bytes) -> tuple[str, ...]:
    """Return the key `names` of a JSON object or Python literal; () when the content is neither."""
    text = content.decode("utf-8", "replace").strip()
    if not text.startswith("{") or "names" not in text or len(text) > MAX_LITERAL_CHARACTERS:
        return ()
    try:
        values = json.loads(text)
    except ValueError:
        values = ast.literal_eval(text)
    names = values.get("names") if isinstance(values, dict) else None
    if isinstance(names, dict):
        return tuple(str(names[key]) for key in sorted(names, key=int))
    return tuple(str(name) for name in names) if isinstance(names, list) else ()


def _root(buffer: bytes) -> Table:
    return Table(buffer, encode.Get(packer.uoffset, buffer, 0))


def _field(table: Table, number: int) -> int:
    """Return where a table's field is, 0 when it is absent; fields count from 0, a union takes two."""
    offset = table.Offset(4 + 2 * number)
    return table.Pos + offset if offset else 0


def _tables(table: Table, number: int) -> Iterator[Table]:
    """Yield the tables of a vector field; at most as many as any sound file has."""
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
