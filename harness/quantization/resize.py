"""Give a fully convolutional .tflite another input size, or say why it cannot have one.

LiteRT recomputes the shapes; they are written over the old ones in the file, where they take the same room, and
nothing else changes. Many detectors cannot be resized: their anchors, grids and RESHAPE targets are constants of
one size. Some of these LiteRT refuses by itself; `silent_faults` finds the ones that it would run, wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import ModelError
from harness.quantization.shapes import resized_shapes
from harness.tflite import postprocess, reader, schema
from harness.tflite.graph import Graph, Operator, Subgraph

Shapes = Mapping[int, tuple[int, ...]]
_FIXED_SIZE = frozenset({"RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR", "TRANSPOSE_CONV"})
_SLICES = frozenset({"SLICE", "STRIDED_SLICE"})


def resize(data: bytes, path: Path, width: int, height: int) -> bytes:
    """Return the file with an input of another size.

    Args:
        data: The whole file, as it stands at `path`.
        path: The file, which LiteRT reads.
        width: Of the new input.
        height: Of the new input.

    Raises:
        ModelError: The graph cannot take that size; says which operator and why.
    """
    graph = reader.read_graph(data, path)
    _check(graph, path)
    shapes = resized_shapes(path, height, width)
    faults = list(silent_faults(graph, shapes))
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise ModelError(
            f"{path}: cannot take {width}×{height}: {faults[0]}{more}. Export the model again for that size"
        )
    with reader.malformed(path):
        return _written(data, shapes, path)


def _check(graph: Graph, path: Path) -> None:
    if len(graph.subgraphs) != 1:
        raise ModelError(f"{path}: has {len(graph.subgraphs)} subgraphs; only a single graph can be resized")
    image = graph.primary.tensors[graph.primary.inputs[0]] if graph.primary.inputs else None
    if image is None or len(image.shape) != 4 or image.shape[3] not in {1, 3}:
        found = "no input" if image is None else f"an input {list(image.shape)}"
        raise ModelError(f"{path}: found {found}, expected an image [N, H, W, 3]")


def silent_faults(graph: Graph, shapes: Shapes) -> Iterator[str]:
    """Yield what LiteRT runs without complaint although it belongs to the old size."""
    for place, operator in enumerate(graph.primary.operators):
        yield from _fault(graph.primary, place, operator, shapes)
    yield from _anchors(graph, shapes)


def _fault(subgraph: Subgraph, place: int, operator: Operator, shapes: Shapes) -> Iterator[str]:
    if not operator.inputs or not operator.outputs:
        return
    source, target = operator.inputs[0], operator.outputs[0]
    if operator.name == "TRANSPOSE_CONV":
        source = operator.inputs[2]
    old_in, old_out = subgraph.tensors[source].shape, subgraph.tensors[target].shape
    new_in, new_out = shapes.get(source, old_in), shapes.get(target, old_out)
    where = f"operator {place} ({operator.name})"
    if old_out and new_out and old_out[0] == 1 != new_out[0]:
        yield f"{where} would turn positions into a batch of {new_out[0]}: its other dimensions are constants"
    if new_in == old_in:
        return
    if operator.name in _FIXED_SIZE and new_out == old_out:
        yield f"{where} has a constant output size {list(old_out)}"
    if operator.name in _SLICES and _cut_off(old_in, old_out, new_in, new_out):
        yield f"{where} ends at a constant of the old size: it would cut off the rest"


def _cut_off(*shapes: tuple[int, ...]) -> bool:
    """Whether an axis that was taken whole, and grew or shrank, keeps its old length."""
    if len({len(shape) for shape in shapes}) != 1:
        return False
    return any(before == kept == after != now for before, kept, now, after in zip(*shapes, strict=True))


def _anchors(graph: Graph, shapes: Shapes) -> Iterator[str]:
    found = postprocess.find(graph)
    if found is None:
        return
    boxes, anchors = found[1].inputs[0], found[1].inputs[2]
    fixed = graph.primary.tensors[anchors].shape[0]
    n = shapes.get(boxes, graph.primary.tensors[boxes].shape)[1]
    if n != fixed:
        yield (
            f"{found[1].name} holds {fixed} anchors as a constant, and with that size there would be {n} boxes: an SSD "
            "has the input size of its export. `harness resize GRAPH.pb --sizes …` makes it of its frozen graph"
        )


def _written(data: bytes, shapes: Shapes, path: Path) -> bytes:
    """Write the new shapes over the old ones."""
    changed = bytearray(data)
    table = schema.load().Model.GetRootAs(changed, 0).Subgraphs(0)
    seen: dict[int, tuple[int, ...]] = {}
    for index in range(table.TensorsLength()):
        tensor = table.Tensors(index)
        for stored in (tensor.ShapeAsNumpy(), tensor.ShapeSignatureAsNumpy()):
            _overwrite(stored, shapes.get(index), seen, path)
    return bytes(changed)


def _overwrite(
    stored: Any, shape: tuple[int, ...] | None, seen: dict[int, tuple[int, ...]], path: Path
) -> None:
    """Overwrite one vector of a tensor; dimensions that are open (-1) stay open."""
    if isinstance(stored, int) or shape is None or len(stored) != len(shape) or not len(shape):
        return
    place = stored.ctypes.data
    if seen.setdefault(place, shape) != shape:
        raise ModelError(
            f"{path}: tensors of different sizes share one shape in the file; export the model again"
        )
    stored[:] = np.where(stored < 0, stored, shape)
