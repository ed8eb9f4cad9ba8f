"""Give a frozen graph another input size, and an SSD its anchors anew. Runs in the child process.

The anchors of the new size come from the API's generators, with the usual parameters or those of `pipeline.config`.
That is only done where the same generator gives the graph's own anchors for its own size: then it is theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.cards import AnchorSpec
from harness.conversion import detection_api, pipeline_config
from harness.conversion.facts import POSTPROCESS
from harness.conversion.graph_edit import INPUT, GraphRun, add_postprocess, cut_graph, named, plain, results
from harness.detectors.anchors import load_anchors
from harness.detectors.base import ModelContext
from harness.edit.attach import DEFAULTS
from harness.errors import ModelError
from harness.recognize.ssd_raw import GENERATED
from harness.tflite.postprocess import PostProcess

Anchors = npt.NDArray[np.float32]
_NEAR = 1e-4
_OPTIONS = ("max_detections", "max_classes_per_detection", "detections_per_class", "num_classes")


@dataclass(frozen=True)
class _Ends:
    """Where a graph begins and ends, and the anchors and settings between its heads and its detections."""

    cut: str
    size: tuple[int, int]
    outputs: tuple[str, ...]
    anchors: Anchors | None = None
    options: PostProcess = DEFAULTS


def resized(graph: Any, size: tuple[int, int], config: Path | None, tf: Any) -> tuple[Any, str]:
    """Return the graph for another size, and how its anchors were made.

    Raises:
        ModelError: Its anchors cannot be made again, or it does not take the size; says how else.
    """
    ends = _ends(graph, config, tf)
    shape = (1, size[1], size[0], 3)
    small = cut_graph(graph, ends.cut, shape, ends.outputs, tf)
    _let_rows_follow(small, tf)
    if ends.anchors is None:
        return small, f"The same weights for {size[0]}×{size[1]}."
    n = _boxes(small, ends.outputs[0], shape, tf)
    anchors, words = anchors_of(ends.anchors, ends.size, size, n, config)
    add_postprocess(small, ends.outputs[0], ends.outputs[1], anchors, ends.options, tf)
    return small, f"The same weights for {size[0]}×{size[1]}, with {n} anchors of {words}."


def _ends(graph: Any, config: Path | None, tf: Any) -> _Ends:
    nodes = named(graph)
    if detection_api.is_detection_graph(graph.node):
        found = detection_api.find_detector(graph, None, None, config, tf)
        return _Ends(found.cut, found.size, (found.boxes, found.scores), found.anchors, found.options)
    inputs = [node for node in graph.node if node.op == "Placeholder"]
    if len(inputs) != 1 or len(inputs[0].attr["shape"].shape.dim) != 4:
        raise ModelError(f"found {len(inputs)} inputs, expected one image [N, H, W, 3]")
    height, width = (int(dim.size) for dim in inputs[0].attr["shape"].shape.dim[1:3])
    post = next((node for node in graph.node if node.op == POSTPROCESS), None)
    if post is None:
        return _Ends(inputs[0].name, (width, height), results(list(graph.node)))
    anchors = tf.make_ndarray(nodes[plain(post.input[2])].attr["value"].tensor)
    heads = (plain(post.input[0]), plain(post.input[1]))
    return _Ends(inputs[0].name, (width, height), heads, anchors, _options(post))


def _options(node: Any) -> PostProcess:
    numbers = {key: int(node.attr[key].i) for key in _OPTIONS if key in node.attr}
    scales = [float(node.attr[key].f) for key in ("y_scale", "x_scale", "h_scale", "w_scale")]
    return PostProcess(
        **{key: numbers.get(key, getattr(DEFAULTS, key)) for key in _OPTIONS},
        use_regular_nms=bool(node.attr["use_regular_nms"].b),
        nms_score_threshold=float(node.attr["nms_score_threshold"].f),
        nms_iou_threshold=float(node.attr["nms_iou_threshold"].f),
        scales=(scales[0], scales[1], scales[2], scales[3]),
    )


def _let_rows_follow(graph: Any, tf: Any) -> None:
    """Leave the number of rows open in each reshape to a constant [1, rows, …]: it is that of the old size."""
    nodes = named(graph)
    for node in graph.node:
        target = nodes.get(plain(node.input[1])) if node.op == "Reshape" else None
        if target is None or target.op != "Const":
            continue
        shape = tf.make_ndarray(target.attr["value"].tensor)
        if shape.ndim == 1 and len(shape) >= 3 and shape[0] in {1, -1} and shape[1] > 1:
            open_rows = np.array([1, -1, *shape[2:]], shape.dtype)
            target.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(open_rows))


def _boxes(graph: Any, boxes: str, shape: tuple[int, ...], tf: Any) -> int:
    try:
        values = GraphRun(graph, tf).values([boxes], {INPUT: np.zeros(shape, np.float32)})[0]
    except Exception as error:  # whatever TensorFlow raises of shapes that do not fit
        first = (str(error).strip().splitlines() or ["no reason given"])[0]
        raise ModelError(f"the graph does not take {shape[2]}×{shape[1]}: {first[:200]}") from error
    return int(values.size // 4)


def anchors_of(
    own: Anchors, own_size: tuple[int, int], size: tuple[int, int], n: int, config: Path | None
) -> tuple[Anchors, str]:
    """Return the anchors of another size by the generator that gives a graph's own, and that generator's name.

    Args:
        own: The graph's anchors, y and x of the centre, height, width.
        own_size: Width and height that they belong to.
        size: Width and height that are wanted.
        n: How many boxes the graph gives for these.
        config: The `pipeline.config` beside the graph.

    Raises:
        ModelError: No generator gives the graph's own anchors, or it gives another number than `n`.
    """
    for spec in _candidates(config):
        made = _generated(spec, own_size, len(own))
        if made is not None and np.allclose(made, own, atol=_NEAR):
            anew = _generated(spec, size, n)
            if anew is None:
                raise ModelError(
                    f"the generator {spec.source} gives another number of anchors for {size[0]}×{size[1]} than the "
                    f"graph gives boxes ({n}): export the graph again for that size"
                )
            return (
                anew,
                f"the generator {spec.source}, which gives the graph's own for {own_size[0]}×{own_size[1]}",
            )
    raise ModelError(
        f"the graph's {len(own)} anchors for {own_size[0]}×{own_size[1]} are not those of ssd_anchor_generator or "
        "multiscale_anchor_generator, with the usual parameters or those of a pipeline.config beside it, so they "
        "cannot be made for another size: lay the pipeline.config beside it, or export the graph again for that size"
    )


def _candidates(config: Path | None) -> Iterator[AnchorSpec]:
    said = pipeline_config.read_anchors(config)
    if said:
        yield AnchorSpec(
            source="ssd",
            min_scale=said.get("min_scale", 0.2),
            max_scale=said.get("max_scale", 0.95),
            reduce_lowest=bool(said.get("reduce_boxes_in_lowest_layer", 1.0)),
        )
    yield from GENERATED


def _generated(spec: AnchorSpec, size: tuple[int, int], n: int) -> Anchors | None:
    try:
        return load_anchors(spec, ModelContext(*size), n)
    except (ModelError, ZeroDivisionError):
        return None
