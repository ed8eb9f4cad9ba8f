"""What the interpreter itself says about which nodes a delegate took (law 1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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
    try:
        nodes = interpreter._get_ops_details()
    except Exception:  # a private call: whatever it does in another version, the answer is then «unknown»
        return None
    return count_delegated(nodes)


def count_delegated(nodes: Iterable[Mapping[str, Any]]) -> Delegation:
    """Count the nodes that DELEGATE nodes stand for.

    A partition replaces the nodes between its inputs and its outputs: those reached from its output tensors,
    going from each tensor to the node that makes it, without going past one of its input tensors.
    """
    original = [node for node in nodes if node["op_name"] != DELEGATE_NODE]
    delegates = [node for node in nodes if node["op_name"] == DELEGATE_NODE]
    maker = {int(tensor): index for index, node in enumerate(original) for tensor in node["outputs"]}
    replaced: set[int] = set()
    for delegate in delegates:
        replaced |= _between(delegate, original, maker)
    return Delegation(len(delegates), len(replaced), len(original))


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


def describe(delegate: str, delegation: Delegation | None) -> dict[str, Any]:
    """Say what ran, for the record: actual delegate, node counts, evidence."""
    if delegation is None:
        return {
            "actual": "unknown",
            "delegated_nodes": None,
            "total_nodes": None,
            "evidence": ["this runtime does not list its nodes, so what ran cannot be proven"],
        }
    sentence = (
        f"after allocation the interpreter lists {delegation.partitions} DELEGATE node(s) in place of "
        f"{delegation.delegated_nodes} of {delegation.total_nodes} nodes"
    )
    applied = delegation.partitions > 0
    return {
        "actual": ("xnnpack" if delegate == "cpu" else "unknown") if applied else "cpu-reference",
        "delegated_nodes": delegation.delegated_nodes,
        "total_nodes": delegation.total_nodes,
        "evidence": [sentence],
    }
