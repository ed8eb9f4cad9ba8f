"""Take the detector out of a graph that the Object Detection API exported for TensorFlow itself.

`frozen_inference_graph.pb` (`exporter.py`) resizes images in a loop (`Preprocessor/`) and decodes and suppresses in
loops (`Postprocessor/`), which TFLite cannot run. What lies between, with the anchors and `PostProcess` at its end, is
what `export_tflite_ssd_graph.py` makes of the checkpoint beside it: here it is made of the graph. Nodes are told by
where they stand and by what they compute, for their names differ from one version of the API to the next. Runs in the
child process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.conversion.graph_edit import GraphRun, add_postprocess, cut_graph, named, plain, scalar
from harness.conversion.pipeline_config import read_nms
from harness.edit.attach import DEFAULTS
from harness.errors import ModelError
from harness.tflite.postprocess import PostProcess

BEFORE, BEHIND = "Preprocessor/", "Postprocessor/"
_NO_VALUES = frozenset({"Shape", "Size", "Rank"})
_CONVERTS = frozenset({"Sigmoid", "Softmax"})
_BLACK, _WHITE = (60, 80), (90, 50)
"""Heights and widths of two pictures: a graph that makes one size of both has a fixed size."""
_NMS = "NonMaxSuppression"
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Detector:
    """What a graph of the Object Detection API holds.

    Attributes:
        cut: The last node of its preparation, whose place the input takes.
        size: Width and height of the input.
        mean: Of the preparation, one number a channel: real = (pixel − mean) / std.
        std: Of the preparation.
        boxes: The node that gives the box encodings.
        scores: The node that gives the scores.
        anchors: float32 [N, 4], y and x of the centre, height, width.
        options: What the post-processing does.
    """

    cut: str
    size: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    boxes: str
    scores: str
    anchors: Floats
    options: PostProcess

    def notes(self) -> tuple[str, ...]:
        """Say what was found, one sentence each."""
        mean, std = (
            ", ".join(f"{value:.6g}" for value in sorted(set(values))) for values in (self.mean, self.std)
        )
        options = self.options
        kind = "regular" if options.use_regular_nms else "fast"
        return (
            f"A graph of the Object Detection API: cut behind {self.cut} (images with mean {mean} and std {std}, "
            f"{self.size[0]}×{self.size[1]}) and at {self.boxes} and {self.scores}.",
            f"TFLite_Detection_PostProcess is attached with the graph's own {len(self.anchors)} anchors, scales "
            f"{', '.join(f'{scale:g}' for scale in options.scales)}, {options.num_classes} classes, {kind} NMS as the "
            f"graph does it, score threshold {options.nms_score_threshold:.4g}, IoU threshold "
            f"{options.nms_iou_threshold:.4g}, {options.max_detections} detections; `harness edit nms` changes them.",
        )


def is_detection_graph(nodes: Iterable[Any]) -> bool:
    """Whether a graph prepares images and suppresses boxes itself, as the API's exporter leaves it."""
    nodes = list(nodes)
    scopes = {scope for scope in (BEFORE, BEHIND) for node in nodes if node.name.startswith(scope)}
    return len(scopes) == 2 and any(node.op.startswith(_NMS) for node in nodes)


def export(
    graph: Any, cut: str | None, size: tuple[int, int] | None, config: Path | None, tf: Any
) -> tuple[Any, Detector]:
    """Return the detector alone as a graph with `PostProcess`, and what was found.

    Args:
        graph: The GraphDef.
        cut: The node whose place the input takes; None to find it.
        size: Width and height, where the graph leaves them open.
        config: The `pipeline.config` beside it.
        tf: TensorFlow.

    Raises:
        ModelError: It is no SSD with the API's box coder, or its size is open; says what was found.
    """
    found = find_detector(graph, cut, size, config, tf)
    shape = (1, found.size[1], found.size[0], 3)
    small = cut_graph(graph, found.cut, shape, (found.boxes, found.scores), tf)
    add_postprocess(small, found.boxes, found.scores, found.anchors, found.options, tf)
    return small, found


def find_detector(
    graph: Any, cut: str | None, size: tuple[int, int] | None, config: Path | None, tf: Any
) -> Detector:
    """Find the cut, the heads, the anchors and the settings of the suppression.

    Raises:
        ModelError: As for `export`.
    """
    nodes = named(graph)
    run, image, cut = GraphRun(graph, tf), image_input(nodes), cut or find_cut(nodes)
    size, mean, std = find_preparation(run, image, cut, size)
    values = _heads(run, nodes, {image: (1, size[1], size[0], 3), cut: (1, size[1], size[0], 3)})
    scores = _score_node(nodes)
    source = _outside(nodes, scores)
    boxes, anchors = _boxes_and_anchors(values, source)
    options = _options(nodes, config)
    n_classes = values[source].shape[-1] - 1
    return Detector(
        cut, size, mean, std, boxes, scores, center_size(anchors), replace(options, num_classes=n_classes)
    )


def image_input(nodes: Mapping[str, Any]) -> str:
    """Return the placeholder that takes pixels.

    Raises:
        ModelError: There is none: the graph was exported for encoded images.
    """
    found = [
        node.name for node in nodes.values() if node.op == "Placeholder" and node.attr["dtype"].type == 4
    ]
    if len(found) != 1:
        raise ModelError(
            f"found {len(found)} inputs of pixels (uint8), expected image_tensor: export the graph with "
            "--input_type image_tensor"
        )
    return str(found[0])


def find_cut(nodes: Mapping[str, Any]) -> str:
    """Return the last node of the preparation: what the network, and not only its Shape, is computed from.

    Raises:
        ModelError: There is not exactly one.
    """
    found = {
        source
        for node in nodes.values()
        if not node.name.startswith((BEFORE, BEHIND)) and node.op not in _NO_VALUES
        for source in map(plain, node.input)
        if source.startswith(BEFORE) and source in nodes
    }
    found = {name for name in found if nodes[name].op not in {"Const", "TensorArrayV3"}}
    if len(found) != 1:
        raise ModelError(
            f"found {len(found)} ends of the preparation ({', '.join(sorted(found)) or 'none'}), expected one such as "
            "Preprocessor/sub: name it with --input, and the outputs with --outputs"
        )
    return found.pop()


def find_preparation(
    run: GraphRun, image: str, cut: str, wanted: tuple[int, int] | None
) -> tuple[tuple[int, int], tuple[float, ...], tuple[float, ...]]:
    """Prepare a black and a white picture: the size that comes out, and mean and std of the pixels.

    Raises:
        ModelError: The size follows the picture's, and none is wanted.
    """
    black = run.values([cut], {image: np.zeros((1, *_BLACK, 3), np.uint8)})[0]
    white = run.values([cut], {image: np.full((1, *_WHITE, 3), 255, np.uint8)})[0]
    if black.shape != white.shape and wanted is None:
        raise ModelError(
            f"the graph makes {list(black.shape)} of a picture of {_BLACK[1]}×{_BLACK[0]} and {list(white.shape)} of "
            f"{_WHITE[1]}×{_WHITE[0]}: its size is open, give --size WIDTHxHEIGHT"
        )
    low, high = (values.reshape(-1, values.shape[-1])[0].astype(float) for values in (black, white))
    std = 255 / (high - low)
    own = (int(black.shape[2]), int(black.shape[1]))
    size = wanted if black.shape != white.shape and wanted is not None else own
    return size, tuple(_round(-low * std)), tuple(_round(std))


def _round(values: npt.NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") + 0.0 for value in values]


def _heads(run: GraphRun, nodes: Mapping[str, Any], feeds: Mapping[str, Sequence[int]]) -> dict[str, Floats]:
    """Return the value of everything of float that enters the post-processing, for an empty picture."""
    sources = {
        plain(text)
        for node in nodes.values()
        if node.name.startswith(BEHIND)
        for text in node.input
        if not text.startswith(("^", BEHIND, BEFORE))
    }
    wanted = sorted(name for name in sources if run.is_float(name))
    pictures = {name: np.zeros(tuple(shape), run.dtype(name)) for name, shape in feeds.items()}
    return dict(zip(wanted, run.values(wanted, pictures), strict=True))


def _score_node(nodes: Mapping[str, Any]) -> str:
    """Return the node that turns logits into scores."""
    known = f"{BEHIND}convert_scores"
    if known in nodes:
        return known
    found = [name for name, node in nodes.items() if name.startswith(BEHIND) and node.op in _CONVERTS]
    if len(found) != 1:
        raise ModelError(
            f"found {len(found)} nodes that turn logits into scores ({', '.join(found) or 'none'}), expected one such "
            f"as {known}: name the input with --input and the outputs with --outputs"
        )
    return found[0]


def _outside(nodes: Mapping[str, Any], name: str) -> str:
    """Follow the first input back to what stands before the post-processing."""
    while name.startswith(BEHIND):
        inputs = [plain(text) for text in nodes[name].input if not text.startswith("^")]
        if not inputs:
            raise ModelError(f"{name} does not depend on the network: no scores were found")
        constant = [nodes[source].op == "Const" for source in inputs]
        name = inputs[1] if constant[0] and len(inputs) > 1 else inputs[0]
    return name


def _boxes_and_anchors(values: Mapping[str, Floats], scores: str) -> tuple[str, Floats]:
    shapes = {name: value.shape for name, value in values.items()}
    n = shapes.get(scores, ())[1:2]
    boxes = [
        name for name, shape in shapes.items() if name != scores and shape in {(1, *n, 4), (1, *n, 1, 4)}
    ]
    anchors = [name for name, shape in shapes.items() if shape == (*n, 4)]
    if len(boxes) != 1 or len(anchors) != 1:
        found = ", ".join(f"{name} {list(shape)}" for name, shape in shapes.items()) or "nothing"
        raise ModelError(
            f"found {found} before the post-processing, expected scores [1, N, C], boxes [1, N, 4] and anchors [N, 4]: "
            "only an SSD has these; name the input with --input and the outputs with --outputs"
        )
    return boxes[0], values[anchors[0]]


def center_size(corners: Floats) -> Floats:
    """Turn y_min, x_min, y_max, x_max into the centre and the size that `PostProcess` takes."""
    size = corners[:, 2:] - corners[:, :2]
    return np.concatenate([corners[:, :2] + size / 2, size], axis=1).astype(np.float32)


def _options(nodes: Mapping[str, Any], config: Path | None) -> PostProcess:
    """Return what the graph's own post-processing does; what it does not tell is the config's or the API's default."""
    suppressors = [node for node in nodes.values() if node.op.startswith(_NMS)]
    stated = read_nms(config)
    iou, score = _thresholds(suppressors[0], nodes)
    limit = _limit(suppressors[0], nodes)
    per_class = int(stated.get("max_detections_per_class", limit or DEFAULTS.detections_per_class))
    return replace(
        DEFAULTS,
        max_detections=int(stated.get("max_total_detections", per_class)),
        detections_per_class=per_class,
        use_regular_nms=len(suppressors) > 1 or not _is_class_agnostic(stated),
        nms_score_threshold=_first(score, stated.get("score_threshold"), DEFAULTS.nms_score_threshold),
        nms_iou_threshold=_first(iou, stated.get("iou_threshold"), DEFAULTS.nms_iou_threshold),
        scales=_scales(nodes),
    )


def _is_class_agnostic(stated: Mapping[str, float]) -> bool:
    return bool(stated.get("use_class_agnostic_nms"))


def _first(*values: float | None) -> float:
    return next(value for value in values if value is not None)


def _thresholds(suppressor: Any, nodes: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Return the IoU and the score threshold; the operator's own score threshold is younger than the API."""
    inputs = [scalar(text, nodes) for text in suppressor.input]
    iou = inputs[3] if len(inputs) > 3 else float(suppressor.attr["iou_threshold"].f)
    score = inputs[4] if len(inputs) > 4 and np.isfinite(inputs[4] or np.nan) else None
    filters = [node for node in nodes.values() if node.op == "Greater" and "FilterGreaterThan" in node.name]
    return iou, _first_or_none(score, *(scalar(node.input[1], nodes) for node in filters[:1]))


def _first_or_none(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _limit(suppressor: Any, nodes: Mapping[str, Any]) -> int | None:
    """Return the most boxes of a class: a constant, or the smaller one of a constant and what there is."""
    node = nodes.get(plain(suppressor.input[2]))
    texts = [suppressor.input[2]] if node is None or node.op == "Const" else list(node.input)
    found = [value for value in (scalar(text, nodes) for text in texts) if value is not None]
    return int(found[0]) if found else None


def _scales(nodes: Mapping[str, Any]) -> tuple[float, float, float, float]:
    """Return the divisors of ty, tx, th and tw (`faster_rcnn_box_coder.py`); 1 where the graph divides by nothing."""
    decoding = {name: node for name, node in nodes.items() if name.startswith(f"{BEHIND}Decode/")}
    if not any(node.op == "Exp" for node in decoding.values()):
        raise ModelError(
            "the graph's boxes are not coded as centre and size (no Exp in Postprocessor/Decode), which is all that "
            "TFLite_Detection_PostProcess decodes: name the input with --input and the outputs with --outputs"
        )
    scales = [1.0, 1.0, 1.0, 1.0]
    for node in decoding.values():
        if node.op in {"RealDiv", "Div"}:
            source, place = (*node.input[0].split(":"), "0")[:2]
            value = scalar(node.input[1], nodes)
            if (
                value is not None
                and nodes[plain(source)].op == "Unpack"
                and re.search(r"Decode/unstack", source)
            ):
                scales[int(place)] = value
    return scales[0], scales[1], scales[2], scales[3]
