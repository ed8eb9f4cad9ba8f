"""A TensorFlow graph is listed from its bytes; TensorFlow is not needed for that."""

import pytest

from harness.conversion.graph_def import Node, inspect_graph, read_nodes
from harness.errors import ModelError


def field(number, value):
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def varint(value):
    value &= (1 << 64) - 1
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


def placeholder(name, sizes):
    shape = b"".join(field(2, field(1, size)) for size in sizes)
    attributes = (
        field(5, field(1, b"dtype") + field(2, field(6, 1))),
        field(5, field(1, b"shape") + field(2, field(7, shape))),
    )
    return field(1, name) + field(2, b"Placeholder") + b"".join(attributes)


def node(name, op, *inputs):
    return field(1, name) + field(2, op) + b"".join(field(3, text) for text in inputs)


GRAPH = b"".join(
    field(1, one)
    for one in (
        placeholder(b"image", (1, -1, -1, 3)),
        node(b"weights", b"Const"),
        node(b"conv", b"Conv2D", b"image", b"weights", b"^image"),
    )
)


def test_nodes_and_ends_are_listed(tmp_path):
    file = tmp_path / "graph.pb"
    file.write_bytes(GRAPH)
    found = inspect_graph(file)
    assert read_nodes(GRAPH, file)[0] == Node("image", "Placeholder", (), "float32", (1, -1, -1, 3))
    assert (found["inputs"], found["outputs"]) == (["image float32 [1, ?, ?, 3]"], ["conv"])
    assert (found["nodes"], found["operators"]) == (3, ["1 Placeholder", "1 Conv2D"])
    assert found["next"].startswith("harness convert ") and "--mode float32" in found["next"]


@pytest.mark.parametrize("data", [b"", b"no graph at all", GRAPH[:-3], b"\xff" * 40, field(9, b"x")])
def test_other_bytes_are_no_graph(tmp_path, data):
    with pytest.raises(ModelError, match="not a frozen graph"):
        read_nodes(data, tmp_path / "graph.pb")
