"""Rewrite tables of a .tflite file and leave every other byte as it is.

A flatbuffer's references point forward, relative to their own place, so a file can be put behind a new beginning:
new tables (the model, a subgraph, additions) are written in front, and refer to the old ones, which keep their
places relative to each other. The old file is the end of the new one, byte for byte; its replaced tables remain
as a few unused bytes. `flatbuffers.Builder` builds from the end, so the old file is simply what it has «built».
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt

from harness.errors import ModelError
from harness.tflite import schema
from harness.tflite.reader import MAGIC

ALIGNMENT = 16
"""`schema.fbs` aligns buffers to it; the new beginning is a multiple of it, so the old file keeps its alignment."""
MAX_ARCHIVE_BYTES = 64 << 20
MAX_SIGNATURES = 1000
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    RuntimeError,
    NotImplementedError,
    EOFError,
    OSError,
)

# The fields of the tables in `schema.fbs`: u offset, I uint32, i int32, B uint8, b int8, ? bool, Q uint64
MODEL = "Iuuuuuuuuu"
SUBGRAPH = "uuuuui"
TENSOR = "ubIuu?uu?uI"
BUFFER = "uQQ"
OPERATOR = "IuuBuu"
OPERATOR_CODE = "buii"
SIGNATURE = "uuuuI"
TENSOR_MAP = "uI"
_WIDTHS = {"B": "Uint8", "I": "Uint32", "i": "Int32", "b": "Int8", "?": "Bool", "Q": "Uint64"}


def damaged_archive(path: Path, error: Exception) -> ModelError:
    """Return the error for an archive behind a model that cannot be read."""
    return ModelError(f"{path}: the archive behind the model is damaged ({error}); export it again")


def split_archive(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return the flatbuffer and the members of a zip archive behind it (labels of TFLite Model Metadata).

    Raises:
        ModelError: The archive's members are larger together than any label files.
        zipfile.BadZipFile: The archive is damaged; other errors of the zip library too.
    """
    stream = io.BytesIO(data)
    if not zipfile.is_zipfile(stream):
        return data, {}
    with zipfile.ZipFile(stream) as archive:
        infos = archive.infolist()
        if sum(info.file_size for info in infos) > MAX_ARCHIVE_BYTES:
            raise ModelError("the archive behind the model is larger than 64 MB: this is no TFLite metadata")
        start = min((info.header_offset for info in infos), default=len(data))
        return data[:start], {info.filename: archive.read(info) for info in infos}


def join_archive(flatbuffer: bytes, members: Mapping[str, bytes]) -> bytes:
    """Append members as a zip archive, stored, as `tflite_support` does; nothing without members."""
    if not members:
        return flatbuffer
    stream = io.BytesIO(flatbuffer)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


class ModelWriter:
    """Writer of a new beginning for one model. References are the builder's: distances from the end of the file."""

    def __init__(self, flatbuffer: bytes, path: Path) -> None:
        self.path = path
        self.old = flatbuffer + bytes(-len(flatbuffer) % ALIGNMENT)
        self.classes = schema.load()
        self.model = self.classes.Model.GetRootAs(self.old, 0)
        self.builder = flatbuffers.Builder(0)
        self.builder.Bytes, self.builder.head = bytearray(self.old), 0
        self.builder.minalign = ALIGNMENT
        self.builder.ForceDefaults(True)

    def reference(self, table: Any) -> int:
        """Return the reference to an existing table."""
        return len(self.old) - int(table._tab.Pos)

    def child(self, table: Any, slot: int) -> int:
        """Return the reference that a table's field holds; 0 without it."""
        at = self._field(table, slot)
        return len(self.old) - table._tab.Indirect(at) if at else 0

    @staticmethod
    def _field(table: Any, slot: int) -> int:
        offset = table._tab.Offset(4 + 2 * slot)
        return int(table._tab.Pos) + int(offset) if offset else 0

    def rewrite(self, table: Any, layout: str, changes: Mapping[int, Any]) -> int:
        """Write a table again with other fields (offsets are references; 0 drops a field)."""
        fields: dict[int, Any] = {}
        for slot, kind in enumerate(layout):
            at = self._field(table, slot)
            if at:
                fields[slot] = self.child(table, slot) if kind == "u" else self._scalar(table, kind, at)
        self._check_known(table, len(layout))
        return self.table(layout, {**fields, **changes})

    def _scalar(self, table: Any, kind: str, at: int) -> Any:
        flags = getattr(flatbuffers.number_types, f"{_WIDTHS[kind]}Flags")
        return table._tab.Get(flags, at)

    def _check_known(self, table: Any, n_slots: int) -> None:
        """Refuse a table with fields of a newer schema: they would be lost."""
        tab = table._tab
        vtable = tab.Pos - tab.Get(flatbuffers.number_types.SOffsetTFlags, tab.Pos)
        n_bytes = tab.Get(flatbuffers.number_types.VOffsetTFlags, vtable)
        newer = [slot for slot in range(n_slots, (n_bytes - 4) // 2) if self._field(table, slot)]
        if newer:
            raise ModelError(
                f"{self.path}: it has fields of a newer schema (slot {newer[0]}) that an edit would lose: "
                "update ai-edge-litert and this program"
            )

    def table(self, layout: str, fields: Mapping[int, Any]) -> int:
        """Write a table; fields that are 0 offsets or None are left out."""
        builder = self.builder
        builder.StartObject(len(layout))
        for slot, kind in enumerate(layout):
            value = fields.get(slot)
            if value is None or (kind == "u" and value == 0):
                continue
            if kind == "u":
                builder.PrependUOffsetTRelativeSlot(slot, value, 0)
            else:
                getattr(builder, f"Prepend{_WIDTHS[kind]}Slot")(slot, value, 0)
        return int(builder.EndObject())

    def tables(self, references: Sequence[int]) -> int:
        """Write a vector of tables."""
        self.builder.StartVector(4, len(references), 4)
        for reference in reversed(references):
            self.builder.PrependUOffsetTRelative(reference)
        return int(self.builder.EndVector())

    def integers(self, values: Iterable[int]) -> int:
        """Write a vector of int32."""
        numbers = list(values)
        self.builder.StartVector(4, len(numbers), 4)
        for number in reversed(numbers):
            self.builder.PrependInt32(number)
        return int(self.builder.EndVector())

    def content(self, data: bytes) -> int:
        """Write a vector of bytes, aligned like a buffer's data."""
        builder = self.builder
        builder.StartVector(1, len(data), ALIGNMENT)
        builder.head = builder.head - len(data)
        builder.Bytes[builder.head : builder.head + len(data)] = data
        return int(builder.EndVector())

    def text(self, value: str) -> int:
        """Write a string."""
        return int(self.builder.CreateString(value))

    def tensor(self, name: str, shape: Sequence[int], dtype: str, buffer: int = 0) -> int:
        """Write a tensor without quantization."""
        kinds = {kind.lower(): value for value, kind in schema.enum_names(self.classes.TensorType).items()}
        fields = {0: self.integers(shape), 1: kinds[dtype], 2: buffer, 3: self.text(name)}
        return self.table(TENSOR, fields)

    def constant(self, values: npt.NDArray[np.generic]) -> int:
        """Write a buffer."""
        return self.table(BUFFER, {0: self.content(np.ascontiguousarray(values).tobytes())})

    def operator(self, code: int, inputs: Iterable[int], outputs: Iterable[int], options: bytes = b"") -> int:
        """Write an operator; `options` are a custom one's."""
        references = {1: self.integers(inputs), 2: self.integers(outputs)}
        custom = self.content(options) if options else 0
        return self.table(OPERATOR, {0: code, **references, 5: custom})

    def signatures(self, outputs: Mapping[str, int]) -> int:
        """Write the signatures again with other outputs for the primary subgraph; 0 without signatures."""
        n = self.model.SignatureDefsLength()
        if n > MAX_SIGNATURES:
            raise ModelError(f"{self.path}: found {n} signatures, expected at most {MAX_SIGNATURES}")
        found = [self.model.SignatureDefs(k) for k in range(n)]
        references = [
            self._signature(one, outputs) if one.SubgraphIndex() == 0 else self.reference(one)
            for one in found
        ]
        return self.tables(references) if references else 0

    def _signature(self, signature: Any, outputs: Mapping[str, int]) -> int:
        maps = [self.table(TENSOR_MAP, {0: self.text(name), 1: index}) for name, index in outputs.items()]
        return self.rewrite(signature, SIGNATURE, {1: self.tables(maps)})

    def finish(self, primary: int, changes: Mapping[int, int]) -> bytes:
        """Write the model with its new primary subgraph and return the file.

        Args:
            primary: Reference to the primary subgraph.
            changes: Other fields of the table Model.
        """
        others = [self.reference(self.model.Subgraphs(k)) for k in range(1, self.model.SubgraphsLength())]
        subgraphs = self.tables([primary, *others])
        root = self.rewrite(self.model, MODEL, {2: subgraphs, **changes})
        self.builder.Finish(root, MAGIC)
        return bytes(self.builder.Output())
