"""Run, cut and extend a GraphDef. Runs in the child process; everything of TensorFlow is `Any` here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.conversion.facts import POSTPROCESS
from harness.errors import ModelError
from harness.tflite.postprocess import PostProcess

INPUT = "normalized_input_image_tensor"
BOXES, SCORES, ANCHORS = "raw_outputs/box_encodings", "raw_outputs/class_predictions", "anchors"
"""The names that `export_tflite_ssd_graph_lib.py` gives."""
_NO_RESULT = frozenset({"Const", "NoOp", "Assert", "Placeholder", "VariableV2", "VarHandleOp", "Exit"})
_POSTPROCESS_RESULTS = 4


def plain(text: str) -> str:
    """Return the name of the node that an input of another names.

    >>> plain("^Postprocessor/unstack:2")
    'Postprocessor/unstack'
    """
    return text.lstrip("^").partition(":")[0]


def named(graph: Any) -> dict[str, Any]:
    """Return the nodes of a GraphDef by their names."""
    return {node.name: node for node in graph.node}


def results(nodes: Sequence[Any]) -> tuple[str, ...]:
    """Return the names of what nothing consumes; of PostProcess its four results, which a GraphDef does not list."""
    post = [node for node in nodes if node.op == POSTPROCESS]
    if post:
        name = post[0].name
        return (name, *(f"{name}:{place}" for place in range(1, _POSTPROCESS_RESULTS)))
    used = {plain(text) for node in nodes for text in node.input}
    return tuple(node.name for node in nodes if node.name not in used and node.op not in _NO_RESULT)


def scalar(text: str, nodes: Mapping[str, Any]) -> float | None:
    """Return the value of a scalar constant; None where it is computed."""
    from tensorflow import make_ndarray

    node = nodes.get(plain(text))
    while node is not None and node.op in {"Identity", "Enter", "Switch"}:
        node = nodes.get(plain(node.input[0]))
    if node is None or node.op != "Const":
        return None
    value = make_ndarray(node.attr["value"].tensor)
    return float(value) if value.size == 1 else None


class GraphRun:
    """A GraphDef that TensorFlow has loaded, to be asked for values."""

    def __init__(self, graph: Any, tf: Any) -> None:
        self._tf, self._graph = tf, tf.Graph()
        with self._graph.as_default():
            tf.import_graph_def(graph, name="")

    def _tensor(self, name: str) -> Any:
        return self._graph.get_tensor_by_name(f"{name}:0")

    def is_float(self, name: str) -> bool:
        """Whether a node's first result is a tensor of float32."""
        results = self._graph.get_operation_by_name(name).outputs
        return bool(results) and results[0].dtype == self._tf.float32

    def dtype(self, name: str) -> Any:
        """Return the NumPy type of a node's first result."""
        return self._tensor(name).dtype.as_numpy_dtype

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a node's first result, -1 for what is open; empty where nothing is known of it."""
        shape = self._tensor(name).shape
        return () if shape.rank is None else tuple(-1 if size is None else int(size) for size in shape)

    def values(self, names: Sequence[str], feeds: Mapping[str, npt.NDArray[Any]]) -> list[Any]:
        """Return what nodes give for what others are fed with."""
        with self._tf.compat.v1.Session(graph=self._graph) as session:
            given = {self._tensor(name): value for name, value in feeds.items()}
            return list(session.run([self._tensor(name) for name in names], given))


def cut_graph(graph: Any, cut: str, shape: Sequence[int], outputs: Sequence[str], tf: Any) -> Any:
    """Return the part of a graph that computes `outputs` from `cut`, in whose place an input stands.

    What was only to be waited for (control inputs: assertions of the image's size) is left out.

    Raises:
        ModelError: An output is no node, or the part still holds a loop.
    """
    nodes = named(graph)
    missing = [name for name in map(plain, (cut, *outputs)) if name not in nodes]
    if missing:
        raise ModelError(f"the graph has no node {', '.join(missing)}: `harness inspect` lists its nodes")
    kept = _needed(nodes, cut, outputs)
    _refuse_loops([nodes[name] for name in kept], cut)
    small = tf.compat.v1.GraphDef()
    small.versions.CopyFrom(graph.versions)
    small.library.CopyFrom(graph.library)
    _add_input(small, shape, tf)
    for node in graph.node:
        if node.name in kept:
            _copy(node, small, cut)
    return small


def _needed(nodes: Mapping[str, Any], cut: str, outputs: Sequence[str]) -> set[str]:
    todo, kept = [plain(name) for name in outputs], set[str]()
    while todo:
        name = todo.pop()
        if name not in kept and name != cut:
            kept.add(name)
            todo += [plain(text) for text in nodes[name].input if not text.startswith("^")]
    return kept


def _refuse_loops(nodes: Sequence[Any], cut: str) -> None:
    loops = [node.name for node in nodes if node.op in {"Enter", "LoopCond", "TensorArrayV3"}]
    if loops:
        raise ModelError(
            f"between {cut} and the outputs the graph still has loops ({loops[0]}, …), which TFLite cannot run: name "
            "an input behind them with --input and outputs before them with --outputs"
        )


def _add_input(small: Any, shape: Sequence[int], tf: Any) -> None:
    node = small.node.add(name=INPUT, op="Placeholder")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    for size in shape:
        node.attr["shape"].shape.dim.add(size=size)


def _copy(node: Any, small: Any, cut: str) -> None:
    copied = small.node.add()
    copied.CopyFrom(node)
    del copied.input[:]
    copied.input.extend(
        INPUT if plain(text) == cut else text for text in node.input if not text.startswith("^")
    )


def add_postprocess(
    graph: Any, boxes: str, scores: str, anchors: npt.NDArray[np.float32], options: PostProcess, tf: Any
) -> None:
    """Append the operator as `export_tflite_ssd_graph_lib.py` does; TensorFlow itself does not know it."""
    _name_heads(graph, boxes, scores, len(anchors), tf)
    constant = _constant(graph, ANCHORS, anchors, tf)
    node = graph.node.add(name=POSTPROCESS, op=POSTPROCESS, input=[BOXES, SCORES, constant])
    for key in ("max_detections", "max_classes_per_detection", "detections_per_class", "num_classes"):
        node.attr[key].i = getattr(options, key)
    for key, value in zip(("y_scale", "x_scale", "h_scale", "w_scale"), options.scales, strict=True):
        node.attr[key].f = value
    node.attr["nms_score_threshold"].f = options.nms_score_threshold
    node.attr["nms_iou_threshold"].f = options.nms_iou_threshold
    node.attr["use_regular_nms"].b = options.use_regular_nms
    node.attr["_output_quantized"].b = True
    node.attr["_support_output_type_float_in_quantized_op"].b = True
    node.attr["_output_types"].list.type.extend([tf.float32.as_datatype_enum] * 4)


def _name_heads(graph: Any, boxes: str, scores: str, n: int, tf: Any) -> None:
    """Give the heads the exporter's names, and the boxes its shape [1, N, 4]; those that have them stay."""
    if boxes != BOXES:
        shape = _constant(graph, f"{BOXES}/shape", np.array([1, n, 4], np.int32), tf)
        node = graph.node.add(name=BOXES, op="Reshape", input=[boxes, shape])
        node.attr["T"].type = tf.float32.as_datatype_enum
        node.attr["Tshape"].type = tf.int32.as_datatype_enum
    if scores != SCORES:
        node = graph.node.add(name=SCORES, op="Identity", input=[scores])
        node.attr["T"].type = tf.float32.as_datatype_enum


def _constant(graph: Any, name: str, values: npt.NDArray[Any], tf: Any) -> str:
    node = graph.node.add(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(values.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
    return name
