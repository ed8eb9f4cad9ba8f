"""Read a .tflite file (a flatbuffer of TensorFlow's `schema.fbs`) into a `Graph`, whatever its bytes are.

Python's flatbuffers library has no verifier, so no offset or length is trusted: vectors are bounded by the file, the
total that is read is bounded by a budget (a damaged file can share one table a million times), and the errors of the
lower libraries become `ModelError` in one place, `malformed`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import flatbuffers.table

from harness.errors import ModelError, cannot_read
from harness.paths import content_of, exists, is_file, is_folder
from harness.tflite import schema
from harness.tflite.graph import Graph, Operator, Quantization, Subgraph, Tensor

MAGIC = b"TFL3"
SCHEMA_VERSION = 3
MAX_TABLES = (
    30_000  # operators, tensors, … of all subgraphs; a large detector has 2000; bounds the time to 3 s
)
MAX_RANK = 32
_CONTENT_ALLOWANCE = 8 << 20
FOREIGN = (
    struct.error,
    LookupError,
    ValueError,
    TypeError,
    AttributeError,
    AssertionError,
    ArithmeticError,
    RecursionError,
    MemoryError,
    BufferError,
)
_BITS = {
    "float32": 32,
    "float16": 16,
    "int32": 32,
    "uint8": 8,
    "int8": 8,
    "int16": 16,
    "int64": 64,
    "int4": 4,
}
_OTHER_FORMATS = (
    (b"PK\x03\x04", "it is a zip archive: unpack it first"),
    (b"\x1f\x8b", "it is gzip-compressed: unpack it first"),
    (b"version https://git-lfs", "it is a Git LFS pointer: fetch the file itself with `git lfs pull`"),
    (b"<", "it looks like a web page: the download address gave a page instead of the file"),
    (b"\x89HDF", "it is a Keras HDF5 file: convert it to TFLite first"),
)


def read_bytes(path: Path) -> bytes:
    """Read a model file and check its magic.

    Raises:
        ModelError: Missing, not a file, unreadable, empty, or not a TFLite flatbuffer.
    """
    if not exists(path):
        raise ModelError(f"{path}: no such model file")
    if not is_file(path):
        raise ModelError(
            f"{path}: found a {'folder' if is_folder(path) else 'device'}, expected a .tflite file"
        )
    try:
        data = content_of(path)
    except OSError as error:
        raise ModelError(cannot_read(path, error)) from error
    _check_magic(data, path)
    return data


def read_graph(data: bytes, path: Path) -> Graph:
    """Read the bytes of a model.

    Args:
        data: The whole file.
        path: Named in errors.

    Raises:
        ModelError: The bytes are not a valid TFLite model.
    """
    with malformed(path):
        return _Reader(data, path).graph()


@contextmanager
def malformed(path: Path) -> Iterator[None]:
    """Turn the errors that lower libraries raise on damaged bytes into `ModelError`."""
    try:
        yield
    except FOREIGN as error:
        raise _damaged(path, f"{type(error).__name__}: {error}") from error


def _damaged(path: Path, reason: str) -> ModelError:
    return ModelError(
        f"{path}: not a readable TFLite model ({reason}); the file is damaged or incomplete: "
        "fetch or export it again"
    )


def _check_magic(data: bytes, path: Path) -> None:
    if not data:
        raise ModelError(f"{path}: the file is empty; fetch or export it again")
    if data[4:8] == MAGIC:
        return
    hint = next((text for start, text in _OTHER_FORMATS if data.startswith(start)), "")
    raise ModelError(
        f"{path}: not a TFLite model: found {bytes(data[4:8])!r} at offset 4 of {len(data)} bytes, "
        f"expected {MAGIC!r}{'; ' + hint if hint else '; give a .tflite file'}"
    )


_SIGNED, _SHORT = struct.Struct("<i"), struct.Struct("<H")


class _Table(flatbuffers.table.Table):  # type: ignore[misc]
    """A table that looks once for the list of where its fields are: the library does so for every field anew."""

    __slots__ = ("_end", "_fields")

    def __init__(self, data: bytes, place: int) -> None:
        super().__init__(data, place)
        self._fields = place - _SIGNED.unpack_from(data, place)[0]
        if self._fields < 0:
            raise ValueError(f"a table's list of fields would begin at {self._fields}")
        self._end = _SHORT.unpack_from(data, self._fields)[0]

    def Offset(self, vtable_offset: int) -> int:  # noqa: N802 - the library's name
        """Return where a field is, from the table's beginning; 0 for one that it does not have."""
        if vtable_offset >= self._end:
            return 0
        return int(_SHORT.unpack_from(self.Bytes, self._fields + vtable_offset)[0])


def _quick(accessor: Any) -> Any:
    """Let an accessor of the schema's classes look for its table's list of fields once."""
    if accessor is not None:
        accessor._tab = _Table(accessor._tab.Bytes, accessor._tab.Pos)
    return accessor


class _Reader:
    """Reader of one file, with a budget for all that it reads."""

    def __init__(self, data: bytes, path: Path) -> None:
        self.data, self.path = data, path
        self.tables_left = min(MAX_TABLES, len(data) // 8)
        self.content_left = len(data) + _CONTENT_ALLOWANCE
        classes = schema.load()
        self.model = _quick(classes.Model.GetRootAs(data, 0))
        self.dtypes = schema.enum_names(classes.TensorType)
        self.builtins = schema.enum_names(classes.BuiltinOperator)
        self.custom_code = classes.BuiltinOperator.CUSTOM
        self.buffers: dict[int, memoryview] = {}

    def graph(self) -> Graph:
        if self.model.Version() != SCHEMA_VERSION:
            raise _damaged(
                self.path, f"found schema version {self.model.Version()}, expected {SCHEMA_VERSION}"
            )
        codes = self.tables(self.model.OperatorCodesLength(), self.model.OperatorCodes, self.operator_name)
        subgraphs = self.tables(
            self.model.SubgraphsLength(), self.model.Subgraphs, lambda _, table: self.subgraph(table, codes)
        )
        if not subgraphs:
            raise _damaged(self.path, "found no subgraph, expected at least one")
        metadata = self.tables(self.model.MetadataLength(), self.model.Metadata, self.metadata)
        return Graph(
            version=self.model.Version(),
            description=self.text(self.model.Description()),
            subgraphs=subgraphs,
            metadata=dict(metadata),
            buffers=self.buffers,
        )

    def tables(self, n: int, get: Callable[[int], Any], read: Callable[[int, Any], Any]) -> tuple[Any, ...]:
        """Read a vector of tables; its length is charged to the budget before the first is read."""
        self.charge_tables(n)
        return tuple(read(index, _quick(get(index))) for index in range(n))

    def charge_tables(self, n: int) -> None:
        self.tables_left -= n
        if self.tables_left < 0:
            limit = min(MAX_TABLES, len(self.data) // 8)
            raise _damaged(
                self.path, f"it lists more than {limit} parts, too many for its size or for a detector"
            )

    def charge(self, n_bytes: int) -> None:
        self.content_left -= n_bytes
        if self.content_left < 0:
            raise _damaged(self.path, f"its parts are together larger than its {len(self.data)} bytes")

    def text(self, value: bytes | None) -> str:
        self.charge(len(value or b""))
        return (value or b"").decode("utf-8", "replace")

    def vector(self, values: Any) -> tuple[Any, ...]:
        """Turn a NumPy view (or flatbuffers' 0 for an absent vector) into a tuple of Python numbers."""
        if isinstance(values, int):
            return ()
        self.charge(8 * len(values))
        return tuple(values.tolist())

    def operator_name(self, _: int, code: Any) -> tuple[str, bool]:
        """Return the operator's name and whether it is custom (`schema.fbs`, comment at `OperatorCode`)."""
        value = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        if value == self.custom_code:
            return self.text(code.CustomCode()), True
        return self.builtins.get(value, f"BUILTIN_{value}"), False

    def subgraph(self, table: Any, codes: tuple[tuple[str, bool], ...]) -> Subgraph:
        tensors = self.tables(table.TensorsLength(), table.Tensors, self.tensor)
        n = len(tensors)
        operators = self.tables(
            table.OperatorsLength(), table.Operators, lambda _, operator: self.operator(operator, codes, n)
        )
        return Subgraph(
            name=self.text(table.Name()),
            tensors=tensors,
            operators=operators,
            inputs=self.indices(table.InputsAsNumpy(), n, lowest=0),
            outputs=self.indices(table.OutputsAsNumpy(), n, lowest=0),
        )

    def indices(self, values: Any, n_tensors: int, lowest: int) -> tuple[int, ...]:
        found = self.vector(values)
        bad = [index for index in found if not lowest <= index < n_tensors]
        if bad:
            raise _damaged(self.path, f"found tensor index {bad[0]}, expected {lowest}…{n_tensors - 1}")
        return found

    def operator(self, table: Any, codes: tuple[tuple[str, bool], ...], n_tensors: int) -> Operator:
        code = table.OpcodeIndex()
        if not 0 <= code < len(codes):
            raise _damaged(self.path, f"found operator code {code}, expected 0…{len(codes) - 1}")
        name, custom = codes[code]
        return Operator(
            name=name,
            custom=custom,
            inputs=self.indices(table.InputsAsNumpy(), n_tensors, lowest=-1),
            outputs=self.indices(table.OutputsAsNumpy(), n_tensors, lowest=0),
            options=self.raw(table.CustomOptionsAsNumpy()) if custom else b"",
        )

    def raw(self, values: Any) -> bytes:
        if isinstance(values, int):
            return b""
        self.charge(len(values))
        return bytes(values.tobytes())

    def tensor(self, index: int, table: Any) -> Tensor:
        shape = self.vector(table.ShapeAsNumpy())
        if len(shape) > MAX_RANK:
            raise _damaged(
                self.path, f"tensor {index} has {len(shape)} dimensions, expected at most {MAX_RANK}"
            )
        signature = self.vector(table.ShapeSignatureAsNumpy())
        value = table.Type()
        buffer = table.Buffer()
        tensor = Tensor(
            index=index,
            name=self.text(table.Name()),
            shape=shape,
            signature=signature if len(signature) == len(shape) else shape,
            dtype=self.dtypes.get(value, f"type-{value}").lower(),
            quantization=self.quantization(_quick(table.Quantization())),
            buffer=buffer,
            constant=self.has_data(buffer) and not table.IsVariable(),
        )
        self.check_size(tensor, sparse=table.Sparsity() is not None)
        return tensor

    def quantization(self, table: Any) -> Quantization | None:
        if table is None or not table.ScaleLength():
            return None
        scales = self.vector(table.ScaleAsNumpy())
        zeros = self.vector(table.ZeroPointAsNumpy()) or (0,) * len(scales)
        return Quantization(scales, zeros, table.QuantizedDimension())

    def has_data(self, index: int) -> bool:
        """Whether a buffer has bytes. Buffer 0 is empty by convention."""
        if index >= self.model.BuffersLength():
            raise _damaged(self.path, f"found buffer {index}, expected 0…{self.model.BuffersLength() - 1}")
        if index not in self.buffers:
            self.charge_tables(1)
            self.buffers[index] = self.buffer(index)
        return len(self.buffers[index]) > 0

    def buffer(self, index: int) -> memoryview:
        """Return a view of a buffer's bytes: inside the flatbuffer, or behind it in files above 2 GB."""
        table = _quick(self.model.Buffers(index))
        values = table.DataAsNumpy()
        if not isinstance(values, int):
            return memoryview(values)
        start, size = (table.Offset(), table.Size()) if hasattr(table, "Offset") else (0, 0)
        if start <= 1 or size <= 1:
            return memoryview(b"")
        if start + size > len(self.data):
            raise _damaged(self.path, f"buffer {index} ends at byte {start + size} of {len(self.data)}")
        return memoryview(self.data)[start : start + size]

    def check_size(self, tensor: Tensor, sparse: bool) -> None:
        """Check that a constant has the bytes of its shape, because the interpreter refuses it otherwise."""
        bits = _BITS.get(tensor.dtype)
        if not tensor.constant or sparse or bits is None:
            return
        found, expected = len(self.buffers[tensor.buffer]), -(-tensor.n_elements * bits // 8)
        if found < expected:
            where = f"tensor {tensor.index} {tensor.name[:80]!r}"
            raise _damaged(self.path, f"{where}: found {found} bytes of data, expected {expected}")

    def metadata(self, _: int, table: Any) -> tuple[str, bytes]:
        index = table.Buffer()
        content = self.buffers[index] if self.has_data(index) else b""
        self.charge(len(content))
        return self.text(table.Name()), bytes(content)
