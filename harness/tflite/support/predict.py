"""Predict where a model will run: each delegate's answer for every operator, and the partitions that follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness.tflite.computed_sizes import ComputedSizes, find_computed_sizes
from harness.tflite.nodes import Node
from harness.tflite.support import edgetpu, gpu, hexagon, litert_gpu, nnapi, qnn, xnnpack
from harness.tflite.support.rules import RANK, YES, Answer, Table, no, unknown

TABLES: tuple[Table, ...] = (
    xnnpack.TABLE,
    gpu.TABLE,
    litert_gpu.TABLE,
    *nnapi.TABLES,
    hexagon.TABLE,
    qnn.TABLE,
    edgetpu.TABLE,
)
"""Every delegate (and Android version), in the order of display."""
WHOLE = "the size of its output is computed, and then the whole model is refused"
HALVES = "stored float16 weights are unpacked on the CPU unless all else is taken"
MAYBE_WHOLE = "the size of its output may be computed, and then the whole model is refused"


@dataclass(frozen=True)
class Objection:
    """Operators of one name that a delegate refuses, or for which its answer is unknown, for one reason."""

    operator: str
    count: int
    reason: str


@dataclass(frozen=True)
class Prediction:
    """A table's prediction for a model.

    Attributes:
        table: The delegate.
        n_nodes: Operators of the primary subgraph.
        supported: Operators that are documented as supported.
        unknown: Operators without a known rule.
        unsupported: Operators that are documented as not supported.
        low: Places of the operators that run on the delegate if it takes none of the unknown ones.
        high: The same if it takes all unknown ones.
        partitions: Number of partitions; None where it depends on the unknown ones.
        refused: The unsupported ones with their reasons.
        undecided: The unknown ones with their reasons.
    """

    table: Table
    n_nodes: int
    supported: int
    unknown: int
    unsupported: int
    low: frozenset[int]
    high: frozenset[int]
    partitions: int | None
    refused: tuple[Objection, ...]
    undecided: tuple[Objection, ...]


def predict(nodes: Sequence[Node], table: Table) -> Prediction:
    """Ask one delegate's table about every operator."""
    answers = answer_all(nodes, table)
    counts = Counter(answer.state for answer in answers)
    refused, maybe = _of_whole(nodes, table)
    high = [] if refused else delegated(nodes, [answer.state != "no" for answer in answers], table)
    low = [] if maybe else high
    if counts["unknown"] and not refused and not maybe:
        low = delegated(nodes, [answer.state == "yes" for answer in answers], table)
    return Prediction(
        table=table,
        n_nodes=len(nodes),
        supported=counts["yes"],
        unknown=counts["unknown"],
        unsupported=counts["no"],
        low=frozenset().union(*low),
        high=frozenset().union(*high),
        partitions=len(low) if low == high and (table.partitions_told or len(low) < 2) else None,
        refused=(*refused, *_objections(nodes, answers, "no")),
        undecided=(*maybe, *_objections(nodes, answers, "unknown")),
    )


def _of_whole(nodes: Sequence[Node], table: Table) -> tuple[tuple[Objection, ...], tuple[Objection, ...]]:
    """Return what makes the delegate refuse the whole model, and what may."""
    sizes = find_computed_sizes(nodes[0].graph.primary) if nodes and table.fixed_sizes else ComputedSizes()
    answers = [table.of_whole(node) or YES for node in nodes] if table.whole else [YES] * len(nodes)
    return (
        (*_of_sizes(sizes.certain, WHOLE), *_objections(nodes, answers, "no")),
        (*_of_sizes(sizes.possible, MAYBE_WHOLE), *_objections(nodes, answers, "unknown")),
    )


def _of_sizes(counts: Sequence[tuple[str, int]], reason: str) -> tuple[Objection, ...]:
    return tuple(Objection(name, count, reason) for name, count in counts)


def answer_all(nodes: Sequence[Node], table: Table) -> list[Answer]:
    """Return the answer for each operator; that of an unpacked constant is the answer of its readers."""
    answers = [table.answer(node) for node in nodes]
    for node in reversed(nodes):
        if answers[node.index].reason == xnnpack.FOLLOWS_READERS:
            readers = [answers[reader] for reader in node.consumers]
            worst = min(readers, key=lambda answer: RANK[answer.state], default=YES)
            reason = "" if worst.state == "yes" else "what reads it is not taken for certain"
            answers[node.index] = replace(worst, reason=reason)
    return _without_halves(nodes, answers) if table.halves_on_cpu else answers


def _without_halves(nodes: Sequence[Node], answers: Sequence[Answer]) -> list[Answer]:
    """Leave what unpacks float16 constants to the CPU where anything else is left to it."""
    halves = {node.index for node in nodes if node.unpacks and _dtype(node) == "float16"}
    worst = min((RANK[a.state] for k, a in enumerate(answers) if k not in halves), default=RANK["yes"])
    states: dict[int, Answer] = {RANK["no"]: no(HALVES), RANK["unknown"]: unknown(HALVES), RANK["yes"]: YES}
    return [states[worst] if k in halves else answer for k, answer in enumerate(answers)]


def _dtype(node: Node) -> str:
    first = node.input(0)
    return "" if first is None else first.dtype


def _objections(nodes: Sequence[Node], answers: Sequence[Answer], state: str) -> tuple[Objection, ...]:
    found = Counter(
        (node.name, answer.reason)
        for node, answer in zip(nodes, answers, strict=True)
        if answer.state == state
    )
    return tuple(Objection(name, count, reason) for (name, reason), count in found.most_common())


def delegated(nodes: Sequence[Node], taken: Sequence[bool], table: Table) -> list[frozenset[int]]:
    """Return the partitions that the delegate keeps of those that the graph allows, largest first."""
    parts = [part for part in partitions(nodes, taken) if len(part) >= table.min_nodes]
    if table.first_only:
        return parts[:1]
    parts.sort(key=lambda part: -len(part))
    return parts[: table.max_partitions]


def partitions(nodes: Sequence[Node], taken: Sequence[bool]) -> list[frozenset[int]]:
    """Divide the graph as the runtime does, and return the parts that the delegate takes, in order.

    TensorFlow, `tensorflow/lite/graph_info.cc`, `PartitionGraphIntoIndependentNodeSubsets`: rounds of taken and
    of left operators alternate, and each operator is put into the first round of its kind in which all its inputs
    are available. A part need not be connected.
    """
    rounds: dict[int, int] = {}
    made: dict[int, int] = {}
    first = taken[0] if taken else False
    for node, mine in zip(nodes, taken, strict=True):
        ready = max([made.get(t.index, 0) for t in node.inputs if t is not None], default=0)
        number = ready if (ready % 2 == 0) == (mine == first) else ready + 1
        rounds[node.index] = number
        for tensor in node.outputs:
            made[tensor.index] = number
    parts: dict[int, set[int]] = {}
    for index, number in rounds.items():
        if taken[index]:
            parts.setdefault(number, set()).add(index)
    return [frozenset(parts[number]) for number in sorted(parts)]
