"""Find the tensors in which a graph keeps boxes and scores together: one scale has to serve both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from harness.diagnosis.runs.model_pair import ComparedModel
from harness.recognize.readings import YOLO
from harness.tflite.graph import POSTPROCESS, Graph, Operator, Subgraph

PASSING = frozenset(
    {
        "RESHAPE",
        "SLICE",
        "STRIDED_SLICE",
        "SPLIT",
        "SPLIT_V",
        "TRANSPOSE",
        "SQUEEZE",
        "QUANTIZE",
        "DEQUANTIZE",
    }
    | {"CONCATENATION", "MUL", "DIV", "ADD", "SUB", "LOGISTIC", "PACK", "EXPAND_DIMS", "CAST"}
)
"""Operators between the heads' convolutions and the outputs: they only join, cut, move and scale values."""


@dataclass(frozen=True)
class JoinedOutputs:
    """The tensors that hold boxes and scores together.

    Attributes:
        tensors: Their indices, from where they are joined to where they part again, or to the output.
        sources: The tensors that are joined.
    """

    tensors: tuple[int, ...]
    sources: tuple[int, ...]


def find_joined_outputs(model: ComparedModel) -> JoinedOutputs | None:
    """Find the tensors of a model that hold boxes and scores; None where they are kept apart."""
    graph = model.graph.primary
    post = next((o for o in graph.operators if o.name == POSTPROCESS), None)
    if post is not None:
        return _before_postprocess(post, graph)
    return _before_output(model) if model.card.decoder.name in YOLO else None


def _before_postprocess(post: Operator, graph: Subgraph) -> JoinedOutputs | None:
    """Follow the operator's two inputs back to the tensor that both come from."""
    makers = graph.producers()
    boxes, scores = (_sources_of(index, makers) for index in post.inputs[:2])
    common = [index for index in boxes if index in set(scores) and not graph.tensors[index].constant]
    joined = next((index for index in common if _joins(makers.get(index), graph)), None)
    if joined is None:
        return None
    below = [
        index
        for index in {**dict.fromkeys(boxes), **dict.fromkeys(scores)}
        if joined in _sources_of(index, makers)
    ]
    return JoinedOutputs(
        (joined, *(index for index in below if index != joined)), tuple(makers[joined].inputs)
    )


def _sources_of(start: int, makers: Mapping[int, Operator]) -> list[int]:
    """Return a tensor and its sources, nearest first, through operators that only join, cut, move and scale."""
    found, todo = [], [start]
    while todo:
        index = todo.pop(0)
        if index in found or index < 0:
            continue
        found.append(index)
        maker = makers.get(index)
        if maker is not None and maker.name in PASSING:
            todo += maker.inputs
    return found


def _before_output(model: ComparedModel) -> JoinedOutputs | None:
    """Follow a YOLO's output back to the operators that join boxes and scores."""
    graph = model.graph.primary
    if len(graph.outputs) != 1:
        return None
    makers = graph.producers()
    tensors: list[int] = []
    sources: list[int] = []
    todo = [graph.outputs[0]]
    while todo:
        index = todo.pop(0)
        maker = makers.get(index)
        if index in tensors or maker is None or maker.name not in PASSING:
            continue
        tensors.append(index)
        if _joins(maker, graph):
            sources += maker.inputs
        else:
            todo += [source for source in maker.inputs if not graph.tensors[source].constant]
    return JoinedOutputs(tuple(tensors), tuple(sources)) if sources else None


def _joins(maker: Operator | None, graph: Subgraph) -> bool:
    """Whether an operator concatenates tensors that have different numbers of columns."""
    if maker is None or maker.name != "CONCATENATION":
        return False
    out = graph.tensors[maker.outputs[0]].shape
    parts = [graph.tensors[index].shape for index in maker.inputs]
    axes = [
        axis
        for axis in range(len(out))
        if any(part[axis : axis + 1] != out[axis : axis + 1] for part in parts)
    ]
    if len(axes) != 1:
        return False
    widths = {part[axes[0]] for part in parts if len(part) > axes[0]}
    others = max(out[: axes[0]] + out[axes[0] + 1 :], default=0)
    return len(widths) > 1 and out[axes[0]] < others


def scale_of(graph: Graph, index: int) -> float | None:
    """Return the one scale of a tensor; None where there is none, or one a channel."""
    found = graph.primary.tensors[index].quantization
    return found.scales[0] if found is not None and len(found.scales) == 1 else None
