"""Models that are whole files and that nobody can measure, each odd in one way."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.support.paths import MODELS

SOURCE = MODELS / "shapes" / "shapes_float32.tflite"


def write(path: Path, change: Callable[[Any], None]) -> Path:
    """Write the bundled float detector, changed."""
    import flatbuffers
    from ai_edge_litert import schema_py_generated as schema

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(bytearray(SOURCE.read_bytes())))
    change(model)
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def first_input(model: Any) -> Any:
    """The tensor of the first input."""
    graph = model.subgraphs[0]
    return graph.tensors[graph.inputs[0]]


def _shape(*sizes: int) -> Callable[[Any], None]:
    return lambda model: setattr(first_input(model), "shape", np.array(sizes, np.int32))


def _type(number: int) -> Callable[[Any], None]:
    return lambda model: setattr(first_input(model), "type", number)


def _graph(attribute: str, *indices: int) -> Callable[[Any], None]:
    return lambda model: setattr(model.subgraphs[0], attribute, np.array(indices, np.int32))


def _output_name(name: bytes) -> Callable[[Any], None]:
    def change(model: Any) -> None:
        graph = model.subgraphs[0]
        graph.tensors[graph.outputs[0]].name = name

    return change


ODD: dict[str, Callable[[Any], None]] = {
    "no-inputs": _graph("inputs"),
    "no-outputs": _graph("outputs"),
    "index-beyond": _graph("inputs", 99_999),
    "scalar-input": _shape(),
    "one-dimension": _shape(27_648),
    "huge-input": _shape(1, 60_000, 60_000, 3),
    "negative-input": _shape(1, -5, -5, 3),
    "huge-batch": _shape(1 << 30, 96, 96, 3),
    "string": _type(5),
    "complex128": _type(11),
    "int4": _type(17),
    "bfloat16": _type(18),
    "int2": _type(19),
    "unknown-type": _type(99),
    "input-name": lambda model: setattr(first_input(model), "name", b"\xff\xfe\x00x"),
    "output-name": _output_name(b"\xff\xfe"),
    "description": lambda model: setattr(model, "description", b"\xff\xfe"),
}
"""By what is odd; all but `description` cannot be evaluated."""


def make(folder: Path, *names: str) -> list[Path]:
    """Write some of them, or all."""
    return [write(folder / f"{name}.tflite", ODD[name]) for name in names or ODD]


@functools.cache
def garbage() -> bytes:
    """Bytes that are no model."""
    return b"these are not the bytes that you are looking for"
