"""Trace tensors back through a graph to the operators that computed their numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from harness.tflite.graph import Graph, Operator, Tensor

LAYOUT = frozenset(
    {
        *(
            "RESHAPE",
            "TRANSPOSE",
            "SQUEEZE",
            "EXPAND_DIMS",
            "PACK",
            "STRIDED_SLICE",
            "SLICE",
            "SPLIT",
            "SPLIT_V",
        ),
        *("QUANTIZE", "DEQUANTIZE", "CAST", "PAD", "UNPACK", "GATHER", "MAXIMUM", "MINIMUM"),
    }
)
"""Operators that move, retype or clip numbers without changing their meaning."""
ACTIVATED = frozenset({"LOGISTIC", "SOFTMAX"})
RAW = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "BATCH_MATMUL", "TRANSPOSE_CONV"})
_MAX_STEPS = 64


def source(graph: Graph, index: int, part: int = 0) -> Operator | None:
    """Return the operator that computed a tensor's numbers, through layout and concatenations.

    Args:
        graph: The model.
        index: The tensor.
        part: The input of a concatenation to follow: 0 the first, -1 the last.

    Returns:
        None for a constant or an input.
    """
    producers = graph.primary.producers()
    for _ in range(_MAX_STEPS):
        producer = producers.get(index)
        if producer is None or producer.name not in {*LAYOUT, "CONCATENATION"}:
            return producer
        inputs = [number for number in producer.inputs if number >= 0]
        if producer.name == "SPLIT":
            inputs = inputs[1:]
        if not inputs:
            return producer
        index = inputs[part] if producer.name == "CONCATENATION" else inputs[0]
    return None


def ancestors(graph: Graph, index: int) -> Iterator[Tensor]:
    """Yield the tensors that a tensor's numbers come from, itself first; shapes are not followed."""
    producers = graph.primary.producers()
    waiting, seen = [index], {index}
    while waiting:
        number = waiting.pop()
        yield graph.primary.tensors[number]
        producer = producers.get(number)
        if producer is None or producer.name == "SHAPE":
            continue
        for before in producer.inputs:
            if before >= 0 and before not in seen:
                seen.add(before)
                waiting.append(before)


def depends_on_input(graph: Graph, index: int) -> bool:
    """Whether a tensor's numbers depend on a model input."""
    inputs = set(graph.primary.inputs)
    return any(tensor.index in inputs for tensor in ancestors(graph, index))


def joined_widths(graph: Graph, index: int, total: int) -> list[int]:
    """Return the widths of the parts that a tensor's columns are concatenated from.

    Args:
        graph: The model.
        index: The tensor.
        total: Its number of columns, which the widths add up to.

    Returns:
        Widths in order; [] where no concatenation of so many columns precedes other arithmetic.
    """
    return [width for _, width in _joint(graph, index, total) or ()]


def _along_one_axis(shapes: list[tuple[int, ...]], total: int) -> list[int]:
    if len({len(shape) for shape in shapes}) != 1:
        return []
    columns = ([shape[axis] for shape in shapes] for axis in range(len(shapes[0])))
    return next((widths for widths in columns if sum(widths) == total and len(widths) > 1), [])


@dataclass(frozen=True)
class Piece:
    """Adjacent columns of a concatenated table: their number, and the operator that computed them."""

    width: int
    source: Operator | None

    @property
    def activated(self) -> bool:
        """Whether they come from a sigmoid or softmax."""
        return self.source is not None and self.source.name in ACTIVATED

    @property
    def raw(self) -> bool:
        """Whether they come directly from a convolution."""
        return self.source is not None and self.source.name in RAW


def pieces(graph: Graph, index: int, total: int) -> list[Piece]:
    """Return the parts that a table's columns are concatenated from; nested concatenations are flattened.

    Args:
        graph: The model.
        index: The table.
        total: Its number of columns, which the widths add up to.

    Returns:
        Pieces in order; [] where no concatenation of so many columns precedes other arithmetic.
    """
    joined = _joint(graph, index, total)
    if joined is None:
        return []
    found: list[Piece] = []
    for number, width in joined:
        inner = pieces(graph, number, width) if width > 1 else []
        found += inner or [Piece(width, source(graph, number))]
    return found


def _joint(graph: Graph, index: int, total: int) -> list[tuple[int, int]] | None:
    """Find the concatenation of so many columns: its inputs with their widths."""
    producers = graph.primary.producers()
    for _ in range(_MAX_STEPS):
        producer = producers.get(index)
        if producer is None or producer.name not in {*LAYOUT, "CONCATENATION"} or not producer.inputs:
            return None
        if producer.name == "CONCATENATION":
            inputs = [number for number in producer.inputs if number >= 0]
            widths = _along_one_axis([graph.primary.tensors[number].shape for number in inputs], total)
            if widths:
                return list(zip(inputs, widths, strict=True))
        index = producer.inputs[1 if producer.name == "SPLIT" else 0]
    return None


def origin(graph: Graph, index: int) -> tuple[Operator, int] | None:
    """Return the operator that computed a tensor's numbers, and which of its outputs they are.

    Layout is followed through; None for a constant or an input.
    """
    producers = graph.primary.producers()
    for _ in range(_MAX_STEPS):
        producer = producers.get(index)
        if producer is None:
            return None
        if producer.name not in LAYOUT:
            return producer, producer.outputs.index(index)
        index = producer.inputs[1 if producer.name == "SPLIT" else 0]
    return None
