"""What the interpreter itself says about which nodes a delegate took (law 1)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.delegates import CPU, CPU_REFERENCE, UNKNOWN, XNNPACK
from harness.worker.results import Execution

DELEGATE_NODE = "DELEGATE"


@dataclass(frozen=True)
class Delegation:
    """How the graph was divided.

    Attributes:
        partitions: Number of DELEGATE nodes in the graph.
        delegated_nodes: Original nodes that they replaced.
        total_nodes: Original nodes of the graph.
    """

    partitions: int
    delegated_nodes: int
    total_nodes: int


def read_delegation(interpreter: Any) -> Delegation | None:
    """Read it from the node list after `allocate_tensors()`; None where the runtime does not offer the list.

    `_get_ops_details()` lists the original nodes first and, behind them, one DELEGATE node a partition.
    """
    nodes = list_nodes(interpreter)
    return None if nodes is None else count_delegated(nodes)


def list_nodes(interpreter: Any) -> list[dict[str, Any]] | None:
    """Return the interpreter's nodes; None where the runtime does not offer them."""
    try:
        return list(interpreter._get_ops_details())
    except Exception:  # a private call: whatever it does in another version, the answer is then «unknown»
        return None


def count_delegated(nodes: Iterable[Mapping[str, Any]]) -> Delegation:
    """Count the nodes that DELEGATE nodes stand for.

    A partition replaces the nodes between its inputs and its outputs: those reached from its output tensors,
    going from each tensor to the node that makes it, without going past one of its input tensors.
    """
    original, partitions = divide_nodes(nodes)
    return Delegation(len(partitions), len(set().union(*partitions)), len(original))


def operators_left(nodes: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Count the operators that no DELEGATE node stands for, by name, most frequent first."""
    original, partitions = divide_nodes(nodes)
    replaced = set().union(*partitions)
    left = Counter(str(node["op_name"]) for index, node in enumerate(original) if index not in replaced)
    return dict(left.most_common())


Nodes = list[Mapping[str, Any]]


def divide_nodes(nodes: Iterable[Mapping[str, Any]]) -> tuple[Nodes, list[set[int]]]:
    """Return the original nodes, and for each DELEGATE node the places of those that it stands for."""
    listed = list(nodes)
    original = [node for node in listed if node["op_name"] != DELEGATE_NODE]
    delegates = [node for node in listed if node["op_name"] == DELEGATE_NODE]
    maker = {int(tensor): index for index, node in enumerate(original) for tensor in node["outputs"]}
    return original, [_between(delegate, original, maker) for delegate in delegates]


def _between(
    delegate: Mapping[str, Any], original: list[Mapping[str, Any]], maker: dict[int, int]
) -> set[int]:
    stop = {int(tensor) for tensor in delegate["inputs"]}
    todo = [int(tensor) for tensor in delegate["outputs"]]
    found: set[int] = set()
    while todo:
        tensor = todo.pop()
        node = maker.get(tensor)
        if node is None or node in found or tensor in stop:
            continue
        found.add(node)
        todo += [int(t) for t in original[node]["inputs"]]
    return found


def describe(delegate: str, delegation: Delegation | None) -> Execution:
    """Say what ran where one of the CPU's own delegates was asked for."""
    if delegation is None:
        return Execution(
            UNKNOWN, evidence=("this runtime does not list its nodes, so what ran cannot be proven",)
        )
    sentence = (
        f"after allocation the interpreter lists {delegation.partitions} DELEGATE node(s) in place of "
        f"{delegation.delegated_nodes} of {delegation.total_nodes} nodes"
    )
    applied = delegation.partitions > 0
    actual = (XNNPACK if delegate == CPU else UNKNOWN) if applied else CPU_REFERENCE
    return Execution(actual, delegation.delegated_nodes, delegation.total_nodes, (sentence,))


def describe_library(
    delegate: str, library: str, own: Delegation | None, left: Mapping[str, int], whole: Delegation | None
) -> Execution:
    """Say what ran where a library's delegate was asked for.

    Args:
        delegate: Its kind.
        library: Where it comes from.
        own: What it took, read before the runtime's own delegate was applied.
        left: The operators that it left, with their counts.
        whole: What it and the runtime's own delegate took together.
    """
    if own is None:
        return describe(delegate, None)
    evidence = [
        f"before any other delegate was applied the interpreter listed {own.partitions} DELEGATE node(s) of {library} "
        f"in place of {own.delegated_nodes} of {own.total_nodes} nodes"
    ]
    if left:
        names = ", ".join(f"{name} ×{count}" if count > 1 else name for name, count in left.items())
        evidence.append(f"left to the CPU: {names}")
    others = whole is not None and whole.partitions > own.partitions
    on_cpu = UNKNOWN if whole is None else XNNPACK if others else CPU_REFERENCE
    actual = delegate if own.partitions else on_cpu
    return Execution(actual, own.delegated_nodes, own.total_nodes, tuple(evidence))
