"""List a TensorFlow graph's nodes and ends from its bytes, without TensorFlow.

Only the fields of protocol buffers that are needed are read (`graph.proto`, `node_def.proto`, `saved_model.proto`);
weights are passed over. No length is trusted: what leads outside the file ends the reading.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.conversion import detection_api
from harness.conversion.graph_edit import results
from harness.errors import ModelError
from harness.paths import files_below, is_folder, size_of

COLUMNS = (
    "model",
    "kind",
    "size_bytes",
    "nodes",
    "inputs",
    "outputs",
    "fake_quant_nodes",
    "operators",
    "cut",
    "next",
)
_TYPES = {1: "float32", 2: "float64", 3: "int32", 4: "uint8", 6: "int8", 7: "string", 9: "int64", 10: "bool"}
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_MOST_SHIFTED = 63


@dataclass(frozen=True)
class Node:
    """One node of a graph.

    Attributes:
        name: Its name.
        op: What it computes.
        input: What it computes that from: names, with `:k` for another result than the first and `^` for waiting.
        dtype: Type of a placeholder; empty where it is not stated.
        shape: Shape of a placeholder, -1 for what is open; None where it is not stated.
    """

    name: str
    op: str
    input: tuple[str, ...]
    dtype: str = ""
    shape: tuple[int, ...] | None = None

    def words(self) -> str:
        """Return name, type and shape."""
        shape = (
            ""
            if self.shape is None
            else f" {['?' if size < 0 else size for size in self.shape]}".replace("'", "")
        )
        return f"{self.name}{' ' if self.dtype else ''}{self.dtype}{shape}"


def inspect_graph(source: Path) -> dict[str, Any]:
    """Return what a frozen graph or a SavedModel's folder holds; the keys are `COLUMNS`.

    Raises:
        ModelError: It is neither.
    """
    if is_folder(source):
        return _saved_model(source)
    data = source.read_bytes()
    nodes = read_nodes(data, source)
    inputs = [node.words() for node in nodes if node.op == "Placeholder"]
    row = _row(source, "frozen graph", len(data), nodes) | {"inputs": inputs, "outputs": list(results(nodes))}
    if detection_api.is_detection_graph(nodes):
        row["cut"] = detection_api.find_cut({node.name: node for node in nodes})
        row["kind"] = "frozen graph of the Object Detection API, with loops"
    return row


def _row(source: Path, kind: str, size: int, nodes: list[Node]) -> dict[str, Any]:
    counted = Counter(node.op for node in nodes if node.op not in {"Const", "Identity", "NoOp"})
    fake = sum(count for name, count in counted.items() if name.startswith("FakeQuant"))
    mode = "qat-uint8" if fake else "float32"
    return {
        "model": source.name,
        "kind": kind,
        "size_bytes": size,
        "nodes": len(nodes),
        "fake_quant_nodes": fake,
        "operators": [f"{count} {name}" for name, count in counted.most_common()],
        "cut": None,
        "next": f"harness convert {source} --mode {mode} -o {source.stem}.tflite",
    }


def read_nodes(data: bytes, path: Path) -> list[Node]:
    """Return the nodes of a GraphDef.

    Raises:
        ModelError: The bytes are no GraphDef.
    """
    try:
        nodes = [_node(value) for number, value in _fields(data) if number == 1]
    except (ValueError, TypeError, IndexError) as error:
        raise ModelError(f"{path}: not a frozen graph (a binary GraphDef): {error}") from error
    if not nodes or not all(node.op for node in nodes):
        raise ModelError(f"{path}: not a frozen graph (a binary GraphDef): it holds no nodes")
    return nodes


def _saved_model(folder: Path) -> dict[str, Any]:
    file = folder / "saved_model.pb"
    data = file.read_bytes()
    try:
        meta = next((value for number, value in _fields(data) if number == 2), b"")
        graph = dict(_fields(meta)).get(2)
        if graph is None:
            raise ModelError(f"{file}: not a SavedModel: it holds no graph")
        signatures = [dict(_fields(value)) for number, value in _fields(meta) if number == 5]
        chosen = next((one for one in signatures if not _text(one[1]).startswith("__")), None)
        nodes = _all_nodes(graph)
    except (ValueError, TypeError, IndexError, KeyError) as error:
        raise ModelError(f"{file}: not a SavedModel: {error}") from error
    size = sum(map(size_of, files_below(folder)))
    row = _row(folder, "SavedModel", size, nodes)
    ends = [] if chosen is None else list(_fields(chosen[2]))
    return row | {"inputs": _ends(ends, 1), "outputs": _ends(ends, 2)}


def _ends(fields: list[tuple[int, Any]], number: int) -> list[str]:
    found = []
    for kind, entry in fields:
        if kind == number:
            key, info = dict(_fields(entry))[1], dict(_fields(dict(_fields(entry)).get(2, b"")))
            shape = _shape(info[3]) if 3 in info else None
            found.append(Node(_text(key), "", (), _TYPES.get(info.get(2, 0), ""), shape).words())
    return sorted(found)


def _all_nodes(graph: Any) -> list[Node]:
    """Return the nodes of a graph and of its functions."""
    nodes = [_node(value) for number, value in _fields(graph) if number == 1]
    libraries = [value for number, value in _fields(graph) if number == 2]
    functions = [value for library in libraries for number, value in _fields(library) if number == 1]
    return nodes + [
        _node(value) for function in functions for number, value in _fields(function) if number == 3
    ]


def _node(data: Any) -> Node:
    name = op = ""
    inputs: list[str] = []
    stated: dict[str, Any] = {}
    for number, value in _fields(data):
        if number == 1:
            name = _text(value)
        elif number == 2:
            op = _text(value)
        elif number == 3:
            inputs.append(_text(value))
        elif number == 5 and op == "Placeholder":
            entry = dict(_fields(value))
            stated[_text(entry[1])] = dict(_fields(entry.get(2, b"")))
    shape = stated.get("shape", {}).get(7)
    kind = _TYPES.get(stated.get("dtype", {}).get(6, 0), "")
    return Node(name, op, tuple(inputs), kind, None if shape is None else _shape(shape))


def _shape(data: Any) -> tuple[int, ...]:
    sizes = [dict(_fields(value)).get(1, 0) for number, value in _fields(data) if number == 2]
    return tuple(-1 if size >> _MOST_SHIFTED else int(size) for size in sizes)


def _text(value: Any) -> str:
    return bytes(value).decode("utf-8")


def _fields(data: Any) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each field of a message; of nested messages and texts the bytes."""
    view, place = memoryview(data), 0
    while place < len(view):
        key, place = _varint(view, place)
        kind = key & 7
        if kind == _VARINT:
            value: Any
            value, place = _varint(view, place)
        elif kind in {_FIXED64, _FIXED32}:
            value, place = None, place + (8 if kind == _FIXED64 else 4)
        elif kind == _BYTES:
            length, place = _varint(view, place)
            value, place = view[place : place + length], place + length
        else:
            raise ValueError(f"a field of kind {kind} at byte {place}")
        if place > len(view):
            raise ValueError(f"it ends within a field, at byte {len(view)}")
        yield key >> 3, value


def _varint(view: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while shift <= _MOST_SHIFTED:
        if place >= len(view):
            raise ValueError(f"it ends within a number, at byte {len(view)}")
        byte = view[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise ValueError(f"a number without an end at byte {place}")
