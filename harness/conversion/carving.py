"""Take out of a frozen graph the part that TFLite can run: behind the input that is named or found, up to the outputs.

Runs in the child process.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.conversion import detection_api, other_size, pipeline_config
from harness.conversion.facts import Order
from harness.conversion.graph_edit import GraphRun, cut_graph, named, results
from harness.errors import ModelError, near_misses

_LOOPS = frozenset({"Enter", "LoopCond"})


@dataclass(frozen=True)
class Carved:
    """A part of a graph.

    Attributes:
        graph: The GraphDef.
        outputs: Names of its outputs; empty where its post-processing tells them.
        notes: What was found, one sentence each.
        preparation: Mean and std of the images, where the graph prepared them itself.
    """

    graph: Any
    outputs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    preparation: tuple[tuple[float, ...], tuple[float, ...]] | None = None


def carve(graph: Any, order: Order, tf: Any) -> Carved | None:
    """Return the part to convert; None where the graph can be converted as it is.

    Raises:
        ModelError: No such part is known; says what was found.
    """
    nodes = named(graph)
    _refuse_missing(order, nodes)
    if order.resize and order.size is not None:
        config = pipeline_config.beside(order.source)
        small, note = other_size.resized(graph, order.size, config, tf)
        return Carved(small, notes=(note,))
    of_the_api = detection_api.is_detection_graph(graph.node)
    if of_the_api and not order.outputs:
        return _detector(graph, order, tf)
    inner = [name for name in order.inputs if name in nodes and nodes[name].op != "Placeholder"]
    if of_the_api or inner:
        return _named_part(graph, order, of_the_api, tf)
    loops = [node.name for node in graph.node if node.op in _LOOPS]
    if loops:
        raise ModelError(
            f"{order.source}: this is a graph for TensorFlow itself, with loops ({loops[0]}, …) that TFLite cannot "
            "run: name an input behind them with --input and outputs before them with --outputs, or export "
            "tflite_graph.pb with export_tflite_ssd_graph.py; `harness inspect` lists the graph's ends"
        )
    return None


def _detector(graph: Any, order: Order, tf: Any) -> Carved:
    cut = order.inputs[0] if order.inputs else None
    small, found = detection_api.export(graph, cut, order.size, pipeline_config.beside(order.source), tf)
    return Carved(small, notes=found.notes(), preparation=(found.mean, found.std))


def _named_part(graph: Any, order: Order, of_the_api: bool, tf: Any) -> Carved:
    """Cut where the user says; where the input is not named, or no outputs are, they are found."""
    nodes = named(graph)
    cut = order.inputs[0] if order.inputs else detection_api.find_cut(nodes)
    run = GraphRun(graph, tf)
    size = order.size
    preparation = None
    if of_the_api:
        image = detection_api.image_input(nodes)
        size, *both = detection_api.find_preparation(run, image, cut, order.size)
        preparation = (both[0], both[1])
    shape = _shape(run.shape(cut), cut, size, order)
    outputs = order.outputs or results(list(nodes.values()))
    small = cut_graph(graph, cut, shape, outputs, tf)
    note = f"Cut behind {cut}, which takes images {list(shape)} in the file, and at {', '.join(outputs)}."
    return Carved(small, tuple(outputs), (note,), preparation)


def _shape(stated: tuple[int, ...], cut: str, size: tuple[int, int] | None, order: Order) -> tuple[int, ...]:
    width, height = size or (-1, -1)
    shape = stated if len(stated) == 4 else (1, -1, -1, 3)
    own = (shape[1] if shape[1] > 0 else height, shape[2] if shape[2] > 0 else width)
    if min(own) < 1:
        raise ModelError(f"{order.source}: {cut} has an open size {list(stated)}: give --size WIDTHxHEIGHT")
    return 1, own[0], own[1], shape[3] if shape[3] > 0 else 3


def _refuse_missing(order: Order, nodes: dict[str, Any]) -> None:
    wanted = (*order.inputs, *(name.partition(":")[0] for name in order.outputs))
    for name in wanted:
        if name not in nodes:
            near = near_misses(name, nodes)
            hint = (
                f"; there is {' and '.join(near)}" if near else "; `harness inspect` lists the graph's ends"
            )
            raise ModelError(f"{order.source}: the graph has no node {name!r}{hint}")
