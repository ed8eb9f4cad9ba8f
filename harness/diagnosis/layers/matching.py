"""Match the tensors of the quantized graph to those of the float graph.

Tensors match where their names and operators agree. Converters rename, so the rest is aligned by the order of the
operators: both graphs are reduced to the operators that compute (without QUANTIZE and DEQUANTIZE, a separate
activation joined to the operator before it, as other converters fuse it), written as tokens of operator and shape, and
the longest common subsequence of the two token lists is taken.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.diagnosis.layers.layers import Matched, TensorPair
from harness.tflite.graph import POSTPROCESS, Graph, Operator, Subgraph

INPUT = "INPUT"
CONVERTING = frozenset({"QUANTIZE", "DEQUANTIZE", "DENSIFY"})
MOVING = frozenset(
    {"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "SLICE", "STRIDED_SLICE", "SPLIT", "SPLIT_V", "UNPACK", "PAD",
     "PADV2", "GATHER"}
)  # fmt: skip
"""Operators that choose and move numbers: their outputs hold no new ones."""
FUSED = frozenset({"RELU", "RELU6", "RELU_N1_TO_1", "RELU_0_TO_1"})
SELECTING = frozenset({POSTPROCESS, "TOPK_V2", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5"})
"""Operators whose outputs are sorted: two lists in another order cannot be compared place by place."""
_SUFFIX = re.compile(r"[_/](u?int8|int16|quantized|quantize|dequantized|dequantize|requantized|float)$")


@dataclass(frozen=True)
class Activation:
    """A tensor that an operator computes.

    Attributes:
        tensor: Index of the tensor.
        name: Its name, without the suffixes of converters that change its type.
        kind: The operator's name; `INPUT` for the model's input.
        shape: Its shape.
        place: The operator's place in the order of execution; -1 for the input.
    """

    tensor: int
    name: str
    kind: str
    shape: tuple[int, ...]
    place: int

    @property
    def token(self) -> tuple[object, ...]:
        """The operator and shape that two tensors must share to be aligned."""
        return self.kind, tuple(size for size in self.shape if size != 1)


def match_tensors(first: Graph, second: Graph) -> list[TensorPair]:
    """Match the activations of a float graph with those of a quantized one.

    Args:
        first: The float graph; a float16 one, whose weights pass through DEQUANTIZE, will do.
        second: The quantized graph.

    Returns:
        Pairs in the order of the float graph's execution, the input first; each tensor at most once, without constants
        and the outputs of suppression.
    """
    before, after = activations(first.primary), activations(second.primary)
    by_name = _by_name(before, after)
    taken = set(by_name.values())
    pairs: dict[int, tuple[int, Matched]] = {i: (j, "name") for i, j in by_name.items()}
    tokens = _tokens(before, by_name), _tokens(after, {j: j for j in taken})
    for i, j in _aligned(*tokens):
        if i not in pairs and j not in taken:
            pairs[i] = (j, "order")
    return [_pair(first, second, before[i], after[j], how) for i, (j, how) in sorted(pairs.items())]


def _pair(first: Graph, second: Graph, a: Activation, b: Activation, how: Matched) -> TensorPair:
    return TensorPair(
        float=a.tensor,
        quantized=b.tensor,
        name=first.primary.tensors[a.tensor].name,
        quantized_name=second.primary.tensors[b.tensor].name,
        operator=a.kind,
        place=a.place,
        matched=how,
    )


def activations(graph: Subgraph) -> list[Activation]:
    """Return the activations in the order of execution: the image input first, then one for each output."""
    constant = _constants(graph)
    joined = _joined(graph)
    found = [_input(graph)] if graph.inputs else []
    for place, operator in enumerate(graph.operators):
        if operator.name in CONVERTING | SELECTING or (operator.name in FUSED and place in joined.values()):
            continue
        for index in operator.outputs:
            if index in constant:
                continue
            last = graph.operators[joined[place]].outputs[0] if place in joined else index
            found.append(_activation(graph, last, operator.name, place))
    return found


def _constants(graph: Subgraph) -> set[int]:
    """Return the tensors that depend on no input: constants, and tensors computed from constants alone."""
    found = {tensor.index for tensor in graph.tensors if tensor.constant} | {-1}
    for operator in graph.operators:
        if operator.inputs and all(index in found for index in operator.inputs):
            found.update(operator.outputs)
    return found - set(graph.inputs)


def _joined(graph: Subgraph) -> dict[int, int]:
    """Return the place of an operator → the place of the separate activation that alone reads its output."""
    readers: Counter[int] = Counter(index for operator in graph.operators for index in operator.inputs)
    maker = {index: place for place, operator in enumerate(graph.operators) for index in operator.outputs}
    joined: dict[int, int] = {}
    for place, operator in enumerate(graph.operators):
        source = operator.inputs[0] if operator.inputs else -1
        if operator.name in FUSED and readers[source] == 1 and source in maker:
            before = graph.operators[maker[source]]
            if len(before.outputs) == 1 and before.name not in CONVERTING | FUSED:
                joined[maker[source]] = place
    return joined


def _input(graph: Subgraph) -> Activation:
    """Return the image input, as integers where a QUANTIZE follows directly on a float one."""
    images = [index for index in graph.inputs if len(graph.tensors[index].shape) == 4]
    index = (images or list(graph.inputs))[0]
    readers = graph.consumers(index)
    if len(readers) == 1 and readers[0].name == "QUANTIZE":
        index = readers[0].outputs[0]
    return _activation(graph, index, INPUT, -1)


def _activation(graph: Subgraph, index: int, kind: str, place: int) -> Activation:
    tensor = graph.tensors[index]
    return Activation(index, _SUFFIX.sub("", tensor.name), kind, tensor.shape, place)


def _by_name(before: Sequence[Activation], after: Sequence[Activation]) -> dict[int, int]:
    """Match tensors with the same name, operator and shape; a name that occurs twice proves nothing."""
    counts = [Counter(activation.name for activation in graph) for graph in (before, after)]
    places = {activation.name: j for j, activation in enumerate(after)}
    found = {}
    for i, activation in enumerate(before):
        if activation.kind == INPUT and after and after[0].kind == INPUT:
            found[i] = 0
        elif activation.name and all(count[activation.name] == 1 for count in counts):
            j = places[activation.name]
            if after[j].token == activation.token:
                found[i] = j
    return found


def _tokens(graph: Sequence[Activation], fixed: dict[int, int]) -> list[tuple[object, ...]]:
    """Write a graph as tokens; a tensor that is matched already becomes a token that both graphs share."""
    return [("=", fixed[k]) if k in fixed else activation.token for k, activation in enumerate(graph)]


def _aligned(first: Sequence[object], second: Sequence[object]) -> list[tuple[int, int]]:
    """Return the places of the longest common subsequence, by dynamic programming over numbered tokens.

    Equal beginnings and ends, nearly always most of two graphs, are stripped first.
    """
    head = 0
    while head < min(len(first), len(second)) and first[head] == second[head]:
        head += 1
    tail = 0
    while tail < min(len(first), len(second)) - head and first[-1 - tail] == second[-1 - tail]:
        tail += 1
    n, m = len(first) - head - tail, len(second) - head - tail
    inner = _lcs(first[head : head + n], second[head : head + m])
    ends = [(len(first) - tail + k, len(second) - tail + k) for k in range(tail)]
    return [*((k, k) for k in range(head)), *((head + i, head + j) for i, j in inner), *ends]


def _lcs(first: Sequence[object], second: Sequence[object]) -> list[tuple[int, int]]:
    lengths = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in range(len(first) - 1, -1, -1):
        row, below = lengths[i], lengths[i + 1]
        for j in range(len(second) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if first[i] == second[j] else max(below[j], row[j + 1])
    pairs, i, j = [], 0, 0
    while i < len(first) and j < len(second):
        if first[i] == second[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif lengths[i + 1][j] >= lengths[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def ancestors(graph: Subgraph, tensors: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """Return each of the tensors → the nearest of them that it is computed from."""
    wanted, makers = set(tensors), graph.producers()
    found = {}
    for index in tensors:
        todo, seen, near = _sources(makers.get(index)), set[int](), []
        while todo:
            source = todo.pop()
            if source in seen or source < 0:
                continue
            seen.add(source)
            if source in wanted:
                near.append(source)
            else:
                todo += _sources(makers.get(source))
        found[index] = tuple(sorted(near))
    return found


def _sources(operator: Operator | None) -> list[int]:
    return [] if operator is None else list(operator.inputs)
