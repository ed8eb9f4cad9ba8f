"""YOLO heads as the last convolutions leave them: one output a grid, anchors from the card.

Each cell of a grid has A boxes of 4 + 1 + C numbers (tx, ty, tw, th, objectness, classes), in one of the layouts
[1, H, W, A (5 + C)], [1, H, W, A, 5 + C], [1, A, H, W, 5 + C] and [1, A (5 + C), H, W]. The stride is the input's size
over the grid's. Three codings, σ being the sigmoid, c the cell, s the stride, a the anchor in pixels:

    yolov3 (v2, v3, v4)   centre = (k σ(t) − (k − 1) / 2 + c) s, size = exp(t) a   (darknet, `yolo_layer.c`)
    yolov5 (v5, v7)       centre = (2 σ(t) − 0.5 + c) s, size = (2 σ(t))² a        (yolov5, `models/yolo.py`)
    yolox (st_yolo_x)     centre = (t + c) s, size = exp(t) s                      (YOLOX, `yolo_head.py`)

k is darknet's `scale_x_y`, the card's `cell_scales`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.cards import AnchorSpec, DecoderSpec
from harness.detectors.activations import ACTIVATIONS, sigmoid
from harness.detectors.base import Decoder, ModelContext, dequantize
from harness.detectors.heads import Candidates, HeadDecoder
from harness.detectors.nms import NmsSettings, settings_for
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

Floats = npt.NDArray[np.float32]
DEFAULT_NMS = NmsSettings("class-aware", score_threshold=0.001, iou_threshold=0.6, max_detections=300)
CODINGS = ("yolov3", "yolov5", "yolox")


@dataclass(frozen=True)
class Level:
    """One grid: its output, size, anchors [A, 2] in pixels, and the axes that make it [A, H, W, columns]."""

    output: int
    rows: int
    columns: int
    anchors: Floats
    scale: float


def make_decoder(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder for one model.

    Raises:
        ModelError: The outputs are no such grids, or the card does not state coding and anchors.
    """
    if spec.box_coding not in CODINGS:
        raise ModelError(
            f"decoder {spec.name}: the card's decoder.box_coding must be one of {', '.join(CODINGS)}"
        )
    if min(context.width, context.height) < 1:
        raise ModelError(f"decoder {spec.name}: boxes need the size of the model's input")
    levels = _levels(spec, outputs, context)
    size = np.array([context.width, context.height], np.float32)
    classes = ACTIVATIONS[spec.activation]
    plain = spec.activation == "none"

    def read(tensors: Sequence[npt.NDArray[np.generic]]) -> Candidates:
        boxes, weights, scores = [], [], []
        for level in levels:
            table = _rows(dequantize(tensors[level.output], outputs[level.output]), level)
            boxes.append(_boxes(table, level, spec.box_coding, size, plain))
            weights.append(table[..., 4].reshape(-1))
            scores.append(table[..., 5:].reshape(-1, table.shape[-1] - 5))
        weight = np.concatenate(weights)
        return Candidates(
            np.concatenate(boxes), classes(np.concatenate(scores)), weight if plain else sigmoid(weight)
        )

    return HeadDecoder(read, settings_for(spec.nms, DEFAULT_NMS))


def _levels(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> list[Level]:
    """Return the grids, the finest first, each with its share of the card's anchors."""
    grids = sorted(
        ((grid_of(info, context), k) for k, info in enumerate(outputs)),
        key=lambda item: -item[0][0] * item[0][1],
    )
    sizes = np.array((spec.anchors or AnchorSpec()).sizes, np.float32).reshape(-1, 2)
    if spec.box_coding == "yolox":
        sizes = np.array([[context.width / w, context.height / h] for (h, w), _ in grids], np.float32)
    if not len(sizes) or len(sizes) % len(grids):
        raise ModelError(
            f"decoder {spec.name}: {len(grids)} grids need as many anchors each; found {len(sizes)} in the card's "
            "[decoder.anchors] sizes (width and height in pixels, those of the finest grid first)"
        )
    scales = spec.cell_scales or (2.0 if spec.box_coding == "yolov5" else 1.0,) * len(grids)
    if len(scales) != len(grids):
        raise ModelError(
            f"decoder {spec.name}: decoder.cell_scales needs one number for each of {len(grids)} grids"
        )
    shares = np.split(sizes, len(grids))
    levels = [
        Level(k, rows, columns, share, scale)
        for ((rows, columns), k), share, scale in zip(grids, shares, scales, strict=True)
    ]
    for level in levels:
        _check_width(spec, outputs[level.output], level)
    return levels


def grid_of(info: TensorInfo, context: ModelContext) -> tuple[int, int]:
    """Return height and width of an output's grid: two neighbouring sizes in the proportions of the input.

    Raises:
        ModelError: It has none.
    """
    shape = info.shape
    pairs = [shape[first : first + 2] for first in range(1, len(shape) - 1)] if len(shape) in {4, 5} else []
    fits = [
        (h, w) for h, w in pairs if h * context.width == w * context.height and 1 < w <= context.width // 4
    ]
    if fits:
        return max(fits)
    raise ModelError(
        f"decoder yolo-levels: the output {info.name!r} {list(shape)} is no grid of an input of "
        f"{context.width}×{context.height}"
    )


def _check_width(spec: DecoderSpec, info: TensorInfo, level: Level) -> None:
    total = int(np.prod(info.shape, dtype=np.int64)) // (level.rows * level.columns)
    if total % len(level.anchors) or total // len(level.anchors) < 6:
        raise ModelError(
            f"decoder {spec.name}: the output {info.name!r} {list(info.shape)} has {total} numbers a cell, which are "
            f"not 5 + classes for each of {len(level.anchors)} anchors: correct the card's [decoder.anchors] sizes"
        )


def _rows(values: Floats, level: Level) -> Floats:
    """Return a grid as [H, W, A, 5 + C], whatever its layout."""
    shape, n = values.shape[1:], len(level.anchors)
    here = (level.rows, level.columns)
    if shape[:2] == here:
        return values.reshape(*here, n, -1)
    boxes_first: Floats = (
        values[0] if len(shape) == 4 else values[0].reshape(n, -1, *here).transpose(0, 2, 3, 1)
    )
    return boxes_first.transpose(1, 2, 0, 3)


def _boxes(table: Floats, level: Level, coding: str, size: Floats, plain: bool) -> Floats:
    """Return corners [H W A, 4] as shares of the input."""
    y, x = np.meshgrid(np.arange(level.rows), np.arange(level.columns), indexing="ij")
    cells = np.stack([x, y], axis=-1)[:, :, None].astype(np.float32)
    stride = size / np.array([level.columns, level.rows], np.float32)
    t, scale = table[..., :4], np.float32(level.scale)
    if coding != "yolox" and not plain:
        t = np.concatenate(
            [sigmoid(t[..., :2]), sigmoid(t[..., 2:]) if coding == "yolov5" else t[..., 2:]], axis=-1
        )
    with np.errstate(over="ignore"):
        factor = (2 * t[..., 2:]) ** 2 if coding == "yolov5" else np.exp(t[..., 2:])
    centers = (t[..., :2] * scale - (scale - 1) / 2 + cells) * stride / size
    half = factor * level.anchors / size / 2
    return np.concatenate([centers - half, centers + half], axis=-1).reshape(-1, 4).astype(np.float32)
