"""Inspect a .tflite file, as one object of plain values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.delegates import KINDS
from harness.text import clean
from harness.tflite import reader
from harness.tflite.compiled import read_compiled
from harness.tflite.costs import Cost, costs, total
from harness.tflite.graph import Graph
from harness.tflite.inspect.islands import float_islands
from harness.tflite.inspect.tensors import tensor_row
from harness.tflite.inspect.weights import weights
from harness.tflite.known_faults import FoundFault, faults_of
from harness.tflite.metadata import Metadata
from harness.tflite.model import ModelDescription, describe_graph
from harness.tflite.nodes import Node, read_nodes
from harness.tflite.postprocess import PostProcess
from harness.tflite.support.predict import TABLES, Prediction, predict

COLUMNS = (
    "model",
    "sha256",
    "size_bytes",
    "quantization",
    "quantization_evidence",
    "inputs",
    "outputs",
    "operators",
    "custom_operators",
    "parameters",
    "macs",
    "float_islands",
    "nms",
    "metadata",
    "delegates",
    "known_faults",
    "compiled_for",
)
"""The keys of an inspection, in order."""


def inspect(path: Path) -> dict[str, Any]:
    """Inspect a model file without running it.

    Returns:
        An object with the keys of `COLUMNS`; None for facts that the file does not state. Operators, MACs, float
        islands and delegates are those of the subgraph that an interpreter runs. Texts from the file are cleaned.

    Raises:
        ModelError: The file is missing or not a valid TFLite model.
        MissingExtraError: No package with the schema classes is installed.
    """
    data = reader.read_bytes(path)
    graph = reader.read_graph(data, path)
    nodes = read_nodes(graph, data, path)
    with reader.malformed(path):
        description = describe_graph(graph, data, path)
        found: dict[str, Any] = _cleaned(_inspection(description, graph, nodes, data))
    return found


def _inspection(
    description: ModelDescription, graph: Graph, nodes: Sequence[Node], data: bytes
) -> dict[str, Any]:
    each = costs(nodes)
    return {
        "model": str(description.path),
        "sha256": description.sha256,
        "size_bytes": description.size_bytes,
        "quantization": description.quantization,
        "quantization_evidence": list(description.quantization_evidence),
        "inputs": [tensor_row(info, is_input=True) for info in description.inputs],
        "outputs": [tensor_row(info, is_input=False) for info in description.outputs],
        "operators": _operators(graph, nodes, each),
        "custom_operators": list(description.custom_operators),
        "parameters": description.n_parameters,
        "macs": total(each).macs,
        "float_islands": float_islands(nodes, each),
        "nms": _nms(description.postprocess),
        "metadata": _metadata(graph, description.stated),
        "delegates": [_delegate(predict(nodes, table), each, description.edgetpu) for table in TABLES],
        "known_faults": [_fault(found) for found in faults_of(description)],
        "compiled_for": _compiled(graph),
    }


def _compiled(graph: Graph) -> dict[str, Any] | None:
    """Return what a vendor's compiler took of a model; None where none did."""
    found = read_compiled(graph)
    if found is None:
        return None
    return {
        "maker": found.maker,
        "soc": found.soc,
        "partitions": len(found.partitions),
        "binary_bytes": found.binary_bytes,
        "left": dict(Counter(found.left)),
    }


def _operators(graph: Graph, nodes: Sequence[Node], each: Sequence[Cost]) -> list[dict[str, Any]]:
    """Return one row a kind of operator, the costliest first."""
    kinds: dict[str, list[Node]] = {}
    for node in nodes:
        kinds.setdefault(node.name, []).append(node)
    rows = [_operator(name, graph, group, each) for name, group in kinds.items()]
    return sorted(rows, key=lambda row: (-(row["macs"] or 0), -row["count"], row["name"]))


def _operator(name: str, graph: Graph, group: Sequence[Node], each: Sequence[Cost]) -> dict[str, Any]:
    cost = total(each[node.index] for node in group)
    stored = weights(graph, group)
    return {
        "name": name,
        "count": len(group),
        "custom": group[0].custom,
        "macs": cost.macs,
        "parameters": cost.parameters,
        "weight_bytes": cost.weight_bytes,
        "activation_bytes": cost.activation_bytes,
        "weight_dtypes": stored["dtypes"],
        "weight_scales": stored["granularity"],
        "zero_share": stored["zero_share"],
    }


def _nms(options: PostProcess | None) -> dict[str, Any] | None:
    """Return the settings of `TFLite_Detection_PostProcess`."""
    if options is None:
        return None
    values = asdict(options)
    scales = values.pop("scales")
    return {**values, **dict(zip(("y_scale", "x_scale", "h_scale", "w_scale"), scales, strict=True))}


def _metadata(graph: Graph, found: Metadata) -> dict[str, Any]:
    return {
        "description": graph.description or None,
        "entries": sorted(graph.metadata),
        "mean": None if found.mean is None else list(found.mean),
        "std": None if found.std is None else list(found.std),
        "label_file": found.label_file or None,
        "labels": list(found.labels),
        "damaged": found.damaged or None,
    }


def _delegate(found: Prediction, each: Sequence[Cost], compiled: bool) -> dict[str, Any]:
    """Return a model's partition on a delegate; low and high differ where no rule is known."""
    table = found.table
    return {
        "delegate": table.delegate,
        "condition": table.condition or None,
        "total_nodes": found.n_nodes,
        "supported": found.supported,
        "unknown": found.unknown,
        "unsupported": found.unsupported,
        "delegated_nodes_low": len(found.low),
        "delegated_nodes_high": len(found.high),
        "partitions": found.partitions,
        "macs_share_low": _share(found.low, each),
        "macs_share_high": _share(found.high, each),
        "refused": [asdict(objection) for objection in found.refused],
        "undecided": [asdict(objection) for objection in found.undecided],
        "compiled": compiled if KINDS[table.delegate].compiled else None,
        "note": table.note or None,
        "source": table.source,
    }


def _fault(found: FoundFault) -> dict[str, Any]:
    fault = found.fault
    return {
        "name": fault.name,
        "severity": fault.severity,
        "sentence": found.sentence,
        "source": fault.source,
    }


def _share(places: frozenset[int], each: Sequence[Cost]) -> float | None:
    everything = [cost.macs for cost in each]
    if None in everything or not any(everything):
        return None
    return sum(everything[place] or 0 for place in places) / sum(count or 0 for count in everything)


def _cleaned(value: Any) -> Any:
    """Remove terminal control sequences from every text, because names come from the file."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {clean(key): _cleaned(item) for key, item in value.items()}
    return [_cleaned(item) for item in value] if isinstance(value, (list, tuple)) else value
