"""What a compiled model leaves to the CPU, as .tflite files of their own between its partitions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.tflite import schema
from harness.tflite.compiled import Partition, is_dispatch, read_partition
from harness.tflite.graph import Graph, Operator


@dataclass(frozen=True)
class CpuPart:
    """Operators that follow each other on the CPU.

    Attributes:
        places: Of the operators in the compiled file.
        inputs: Tensors of the compiled file that it reads and that are no constants.
        outputs: Tensors of the compiled file that it writes and that anything else reads.
    """

    places: tuple[int, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def steps(graph: Graph) -> Iterator[Partition | CpuPart]:
    """Yield what a compiled model runs, in order: partitions, and what lies between them."""
    operators = graph.primary.operators
    for dispatched, group in groupby(enumerate(operators), key=lambda pair: is_dispatch(pair[1])):
        members = list(group)
        if dispatched:
            yield from (read_partition(operator) for _, operator in members)
        else:
            yield _part(graph, members)


def _part(graph: Graph, members: Sequence[tuple[int, Operator]]) -> CpuPart:
    own = graph.primary
    made = [index for _, operator in members for index in operator.outputs if index >= 0]
    read = [index for _, operator in members for index in operator.inputs if index >= 0]
    places = tuple(place for place, _ in members)
    others = [o for place, o in enumerate(own.operators) if place not in places]
    wanted = {*own.outputs, *(index for operator in others for index in operator.inputs)}
    fed = [index for index in read if index not in made and not own.tensors[index].constant]
    return CpuPart(
        places,
        tuple(dict.fromkeys(fed)),
        tuple(index for index in dict.fromkeys(made) if index in wanted),
    )


def part_file(data: bytes, part: CpuPart) -> bytes:
    """Return a part as a .tflite, with its tensors as inputs and outputs in the part's order."""
    import flatbuffers

    _, model = schema.writable_model(data, "running a compiled model's CPU parts")
    graph = model.subgraphs[0]
    chosen = [graph.operators[place] for place in part.places]
    kept = sorted({*part.inputs, *part.outputs, *_tensors(chosen)})
    new = {index: at for at, index in enumerate(kept)}
    for operator in chosen:
        operator.inputs = [new.get(int(index), -1) for index in operator.inputs]
        operator.outputs = [new[int(index)] for index in operator.outputs]
    graph.tensors = [graph.tensors[index] for index in kept]
    graph.operators = chosen
    graph.inputs, graph.outputs = ([new[index] for index in side] for side in (part.inputs, part.outputs))
    model.subgraphs, model.signatureDefs, model.metadata = [graph], [], []
    used = {tensor.buffer for tensor in graph.tensors}
    for at, buffer in enumerate(model.buffers):
        if at not in used:
            buffer.data = None
    built = flatbuffers.Builder()
    built.Finish(model.Pack(built), b"TFL3")
    return bytes(built.Output())


def _tensors(operators: Sequence[Any]) -> Iterator[int]:
    for operator in operators:
        yield from (
            int(index) for side in (operator.inputs, operator.outputs) for index in side if index >= 0
        )
