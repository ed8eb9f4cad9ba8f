"""How much of a model's work runs on the Edge TPU: a log counts operators, the model knows what each costs.

A log does not say which of several operators of one name are mapped. Where some are and some are not, the share lies
between what the cheapest and what the dearest of them cost, and both are given.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

from harness.edgetpu.log import ModelLog
from harness.errors import ModelError
from harness.tflite import costs, reader
from harness.tflite import nodes as inspect_nodes


@dataclass(frozen=True)
class Share:
    """A share on the TPU, 0 to 1: at least and at most; None where the model does not tell."""

    low: float | None
    high: float | None


@dataclass(frozen=True)
class Coverage:
    """What of a model runs on the TPU.

    Attributes:
        macs: Of the multiply-accumulates.
        weight_bytes: Of the bytes of its weights.
    """

    macs: Share
    weight_bytes: Share


def coverage(model: ModelLog, path: Path) -> Coverage:
    """Hold a log against the model it is of.

    Args:
        model: The log.
        path: The model's file, from before the compiler.

    Raises:
        ModelError: The file cannot be read, or the log is of another model; names an operator and both counts.
    """
    data = reader.read_bytes(path)
    nodes = inspect_nodes.read_nodes(reader.read_graph(data, path), data, path)
    found = costs.costs(nodes)
    names = ["CUSTOM" if node.custom else node.name for node in nodes]
    _refuse_another(Counter(names), model, path)
    macs: dict[str, list[int]] = defaultdict(list)
    weights: dict[str, list[int]] = defaultdict(list)
    for name, cost in zip(names, found, strict=True):
        macs[name].append(cost.macs or 0)
        weights[name].append(cost.weight_bytes)
    known = all(cost.macs is not None for name, cost in zip(names, found, strict=True) if name != "CUSTOM")
    return Coverage(_share(model, macs) if known else Share(None, None), _share(model, weights))


def _refuse_another(there: Counter[str], model: ModelLog, path: Path) -> None:
    told: Counter[str] = Counter()
    for row in model.rows:
        told[row.operator] += row.count
    for name in dict.fromkeys([*told, *there]):
        if there[name] != told[name]:
            raise ModelError(
                f"{path}: the log is of another model: {name} stands {told[name]} times in the log and {there[name]} "
                "times in the file (give the file from before the compiler)"
            )


def _share(model: ModelLog, values: dict[str, list[int]]) -> Share:
    total = sum(sum(each) for each in values.values())
    if not total:
        return Share(None, None)
    mapped: Counter[str] = Counter()
    for row in model.rows:
        mapped[row.operator] += row.count if row.mapped else 0
    low = sum(sum(sorted(values[name])[:count]) for name, count in mapped.items())
    high = sum(sum(sorted(values[name], reverse=True)[:count]) for name, count in mapped.items())
    return Share(low / total, high / total)
