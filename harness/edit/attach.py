"""Append `TFLite_Detection_PostProcess` to a model with raw heads, so that its outputs are detections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from flatbuffers import flexbuffers

from harness.cards import DecoderSpec
from harness.detectors.roles import parse_order
from harness.edit.graph import NewOperator, NewTensor, Plan, apply
from harness.edit.nms import NmsChange
from harness.errors import ModelError
from harness.tflite import postprocess, reader
from harness.tflite.graph import POSTPROCESS, Graph, Tensor
from harness.tflite.postprocess import PostProcess

OUTPUTS = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")
"""The operator's own order, which TF1 exports keep."""
HAS_IT = f"it has {POSTPROCESS} already; `harness edit nms` changes its settings"
DEFAULTS = PostProcess(
    max_detections=10,
    max_classes_per_detection=1,
    detections_per_class=100,
    use_regular_nms=False,
    nms_score_threshold=1e-8,
    nms_iou_threshold=0.6,
    num_classes=1,
    scales=(10.0, 10.0, 5.0, 5.0),
)
"""The options that `export_tflite_ssd_graph_lib.py` writes; the number of classes is the model's."""


@dataclass(frozen=True)
class HeadFormat:
    """The format of raw heads, and the options of the operator to append.

    Attributes:
        order: Role of each output, such as `boxes,scores`; None to tell them by their last dimension.
        background: Whether column 0 of the scores is the background.
        activation: `none` when the scores are probabilities, `sigmoid` when they are logits.
        options: The operator's options; `num_classes` is taken from the scores.
    """

    order: str | None = None
    background: bool = True
    activation: str = "none"
    options: PostProcess = field(default=DEFAULTS)


@dataclass
class _Additions:
    """Tensors and operators to add; indices count on behind the old tensors."""

    n_old: int
    tensors: list[NewTensor] = field(default_factory=list)
    operators: list[NewOperator] = field(default_factory=list)

    def tensor(self, new: NewTensor) -> int:
        self.tensors.append(new)
        return self.n_old + len(self.tensors) - 1

    def step(self, name: str, source: int, shape: tuple[int, ...]) -> int:
        """Add an operator with one input; return its float output."""
        output = self.tensor(NewTensor(f"{name.lower()}_{source}", shape))
        self.operators.append(NewOperator(name, (source,), (output,)))
        return output


def head_format(decoder: DecoderSpec, path: Path) -> HeadFormat:
    """Return the format of the heads that a card's decoder reads.

    Raises:
        ModelError: The operator cannot do what the decoder does.
    """
    if decoder.name == "ssd-postprocess":
        raise ModelError(f"{path}: {HAS_IT}")
    if decoder.name != "ssd-raw" or decoder.box_coding != "center-size":
        found = f"decoder {decoder.name!r}, box coding {decoder.box_coding!r}"
        raise ModelError(f"{path}: found {found}; {POSTPROCESS} does only 'ssd-raw' with 'center-size'")
    nms = decoder.nms
    options = PostProcess(
        max_detections=nms.max_detections or DEFAULTS.max_detections,
        max_classes_per_detection=nms.classes_per_detection or 1,
        detections_per_class=nms.detections_per_class or DEFAULTS.detections_per_class,
        use_regular_nms=nms.kind == "regular",
        nms_score_threshold=_or(nms.score_threshold, DEFAULTS.nms_score_threshold),
        nms_iou_threshold=_or(nms.iou_threshold, DEFAULTS.nms_iou_threshold),
        num_classes=1,
        scales=decoder.scales,
    )
    return HeadFormat(decoder.order, decoder.background in {True, "first"}, decoder.activation, options)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value


def with_settings(heads: HeadFormat, given: Mapping[str, Any]) -> HeadFormat:
    """Return a format with a user's settings: keys of `HeadFormat` and of the NMS options; None keeps."""
    change = NmsChange(**{name: given.get(name) for name in NmsChange.__dataclass_fields__})
    own = {key: given[key] for key in ("order", "background", "activation") if given.get(key) is not None}
    changes: dict[str, Any] = dict(change.options())
    return replace(heads, options=replace(heads.options, **changes), **own)


def attach(data: bytes, anchors: npt.NDArray[np.float32], heads: HeadFormat, path: Path) -> bytes:
    """Append the operator to the heads; its four outputs become the model's.

    Quantized heads are dequantized first: the operator reads uint8 boxes only with uint8 anchors, and int8 not at all
    (`detection_postprocess.cc`, `DecodeCenterSizeBoxes`).

    Args:
        data: The whole file.
        anchors: float32 [N, 4], y_center, x_center, height, width.
        heads: The format of the heads.
        path: Named in errors.

    Raises:
        ModelError: The file is not a valid model with such heads, or the anchors do not fit them.
    """
    graph = reader.read_graph(data, path)
    with reader.malformed(path):
        if any(operator.name == POSTPROCESS for operator in graph.primary.operators):
            raise ModelError(f"{path}: {HAS_IT}")
        boxes, scores = _find_heads(graph, heads, path)
        _check_anchors(anchors, boxes, path)
        n_classes = scores.shape[-1] - int(heads.background)
        if n_classes < 1:
            raise ModelError(
                f"{path}: found {scores.shape[-1]} score columns, expected a class beside the background"
            )
        plan = _plan(graph, boxes, scores, anchors, heads, n_classes)
    return apply(data, plan, path)


def _plan(
    graph: Graph,
    boxes: Tensor,
    scores: Tensor,
    anchors: npt.NDArray[np.float32],
    heads: HeadFormat,
    n_classes: int,
) -> Plan:
    added = _Additions(len(graph.primary.tensors))
    box_input = _as_float(added, boxes)
    score_input = _as_float(added, scores)
    if heads.activation == "sigmoid":
        score_input = added.step("LOGISTIC", score_input, scores.shape)
    constant = added.tensor(NewTensor("anchors", anchors.shape, "float32", anchors.astype("<f4")))
    shapes = postprocess.output_shapes(heads.options)
    results = [added.tensor(NewTensor(name, shape)) for name, shape in zip(OUTPUTS, shapes, strict=True)]
    options = write_options(heads.options, n_classes)
    inputs = (box_input, score_input, constant)
    added.operators.append(NewOperator(POSTPROCESS, inputs, tuple(results), options))
    outputs = dict(zip(OUTPUTS, results, strict=True))
    return Plan(tensors=added.tensors, operators=added.operators, outputs=outputs)


def _as_float(added: _Additions, tensor: Tensor) -> int:
    if tensor.dtype == "float32":
        return tensor.index
    return added.step("DEQUANTIZE", tensor.index, tensor.shape)


def _find_heads(graph: Graph, heads: HeadFormat, path: Path) -> tuple[Tensor, Tensor]:
    """Return the box encodings [1, N, 4] and the scores [1, N, C] among the outputs."""
    outputs = [graph.primary.tensors[index] for index in graph.primary.outputs]
    if heads.order is not None:
        roles = parse_order(heads.order, "ssd-raw", ("boxes", "scores", "anchors"))
        found = dict(zip(roles, outputs, strict=False))
    else:
        found = {("boxes" if tensor.shape[-1:] == (4,) else "scores"): tensor for tensor in outputs}
    shapes = [list(tensor.shape) for tensor in outputs]
    boxes, scores = found.get("boxes"), found.get("scores")
    fits = boxes is not None and scores is not None and boxes.shape == (*scores.shape[:2], 4)
    if not fits or boxes is None or scores is None or not _is_head(boxes) or not _is_head(scores):
        raise ModelError(
            f"{path}: the outputs {shapes} with order {heads.order!r} are no boxes [1, N, 4] and scores [1, N, C] of "
            "float32, uint8 or int8: give --order, or a card with decoder ssd-raw"
        )
    if heads.activation not in {"none", "sigmoid"}:
        raise ModelError(
            f"{path}: activation {heads.activation!r} cannot be attached, only 'none' and 'sigmoid'"
        )
    return boxes, scores


def _is_head(tensor: Tensor) -> bool:
    known = len(tensor.shape) == 3 and tensor.shape[0] == 1 and min(tensor.shape) > 0
    return known and (
        tensor.dtype == "float32" or (tensor.dtype in {"uint8", "int8"} and bool(tensor.quantization))
    )


def _check_anchors(anchors: npt.NDArray[np.float32], boxes: Tensor, path: Path) -> None:
    if anchors.shape != (boxes.shape[1], 4) or not np.isfinite(anchors).all():
        raise ModelError(
            f"{path}: found anchors {list(anchors.shape)}, expected finite [{boxes.shape[1]}, 4] for the boxes "
            f"{list(boxes.shape)}"
        )


def write_options(options: PostProcess, n_classes: int) -> bytes:
    """Write the operator's options as TensorFlow's exporter does (`export_tflite_ssd_graph_lib.py`)."""
    builder = flexbuffers.Builder()
    with builder.Map():
        builder.Int("max_detections", options.max_detections)
        builder.Int("max_classes_per_detection", options.max_classes_per_detection)
        builder.Int("detections_per_class", options.detections_per_class)
        builder.Bool("use_regular_nms", options.use_regular_nms)
        builder.Float("nms_score_threshold", options.nms_score_threshold)
        builder.Float("nms_iou_threshold", options.nms_iou_threshold)
        builder.Int("num_classes", n_classes)
        for key, value in zip(("y_scale", "x_scale", "h_scale", "w_scale"), options.scales, strict=True):
            builder.Float(key, value)
    return bytes(builder.Finish())
