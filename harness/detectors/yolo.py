"""YOLO models: one tensor of boxes and class scores, suppressed on the host.

YOLOv5 (and v7): [1, N, 5 + C], x_center, y_center, width, height, objectness, classes; score = objectness * class.
YOLOv8 and YOLO11: [1, 4 + C, N] or transposed, without objectness. YOLOX: as YOLOv5, but the centre in grid cells
and the logarithm of the size in cells (`yolox/models/yolo_head.py`, `decode_outputs`), cells row by row, one stride
after another. Boxes are shares of the input or pixels, depending on the exporter: rows cover the whole image, so in
pixels some centre lies far beyond 1, and `box_units = "auto"` sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.detectors.base import Decoder, ModelContext, dequantize
from harness.detectors.heads import Candidates, HeadDecoder
from harness.detectors.nms import NmsSettings, settings_for
from harness.detectors.ssd_raw import ACTIVATIONS
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

Floats = npt.NDArray[np.float32]
ToCorners = Callable[[Floats], Floats]
YOLOV5_NMS = NmsSettings("class-aware", score_threshold=0.001, iou_threshold=0.6, max_detections=300)
YOLOV8_NMS = NmsSettings("class-aware", score_threshold=0.001, iou_threshold=0.7, max_detections=300)
YOLOX_NMS = NmsSettings("class-aware", score_threshold=0.001, iou_threshold=0.65, max_detections=300)
"""The thresholds of each project's own evaluation."""
_PIXELS_ABOVE = 2.0
"""Shares of the image hardly exceed 1; pixels reach the input's width."""


def make_yolov5(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder of a model with objectness and decoded boxes."""
    return _make(spec, outputs, context, True, YOLOV5_NMS, "xywh")


def make_yolov8(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder of a model without objectness."""
    return _make(spec, outputs, context, False, YOLOV8_NMS, "xywh")


def make_yolox(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder of a model with objectness and boxes relative to their grid cells."""
    return _make(spec, outputs, context, True, YOLOX_NMS, "grid")


def _make(
    spec: DecoderSpec,
    outputs: Sequence[TensorInfo],
    context: ModelContext,
    objectness: bool,
    default: NmsSettings,
    box_format: str,
) -> Decoder:
    """Make the decoder.

    Raises:
        ModelError: No output is a table of boxes, or the input's size is needed and unknown.
    """
    chosen = find_output(outputs, spec.name, 5 + objectness)
    info = outputs[chosen]
    by_columns = columns_first(info.shape, context)
    settings = settings_for(spec.nms, default)
    to_corners = _boxes(spec.box_format or box_format, spec, context, max(info.shape[-2:]))
    activate = ACTIVATIONS[spec.activation]
    first = 5 if objectness else 4

    def read(tensors: Sequence[npt.NDArray[np.generic]]) -> Candidates:
        table = tensors[chosen].reshape(info.shape[-2:])
        table = np.ascontiguousarray(table.T) if by_columns else table
        real = dequantize(table, info)
        boxes = to_corners(real)
        weights = None if not objectness else activate(real[:, 4])
        return Candidates(boxes, activate(real[:, first:]), weights)

    return HeadDecoder(read, settings)


def find_output(outputs: Sequence[TensorInfo], decoder: str, fewest_columns: int) -> int:
    """Return the index of the output that is a table [1, A, B] of boxes: the first of them.

    Raises:
        ModelError: There is none.
    """
    for index, info in enumerate(outputs):
        if len(info.shape) in {2, 3} and min(info.shape[-2:]) >= fewest_columns and info.shape[0] >= 1:
            return index
    shapes = [list(info.shape) for info in outputs]
    raise ModelError(
        f"decoder {decoder}: the outputs {shapes} hold no table [1, N, columns] with at least {fewest_columns} columns"
    )


def columns_first(shape: tuple[int, ...], context: ModelContext) -> bool:
    """Whether a table is [1, columns, N]: N is the number of the grid's cells, else simply the larger side."""
    first, second = shape[-2:]
    known = {n * count for count in grid_sizes(context.width, context.height) for n in (1, 3)}
    if (first in known) != (second in known):
        return second in known
    return second > first


def grid_sizes(width: int, height: int) -> dict[int, tuple[int, ...]]:
    """Return cells → strides for the sets of strides that YOLO models have; {} for an unknown size."""
    if min(width, height) < 1:
        return {}
    usual = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32), (8, 16))
    return {sum((width // s) * (height // s) for s in strides): strides for strides in reversed(usual)}


def _boxes(box_format: str, spec: DecoderSpec, context: ModelContext, n: int) -> ToCorners:
    """Return the function that turns rows [N, ≥ 4] into corners x, y, x, y as shares of the input."""
    if box_format == "grid":
        return _from_grid(spec.strides, context, n)
    size = np.array([context.width, context.height] * 2, np.float32)

    def to_corners(rows: Floats) -> Floats:
        corners = _corners(rows, box_format)
        in_pixels = spec.box_units == "pixels"
        if spec.box_units == "auto":
            in_pixels = bool(np.fmax.reduce(rows[:, 0], initial=0) > _PIXELS_ABOVE)
        if not in_pixels:
            return corners
        if not size.all():
            raise ModelError(f"decoder {spec.name}: boxes in pixels need the size of the model's input")
        scaled: Floats = corners / size
        return scaled

    return to_corners


def _corners(rows: Floats, box_format: str) -> Floats:
    if box_format == "xyxy":
        return rows[:, :4]
    if box_format == "yxyx":
        return rows[:, [1, 0, 3, 2]]
    corners = np.empty((len(rows), 4), np.float32)
    half = rows[:, 2:4] * np.float32(0.5)
    np.subtract(rows[:, :2], half, out=corners[:, :2])
    np.add(rows[:, :2], half, out=corners[:, 2:])
    return corners


def _from_grid(strides: Sequence[int], context: ModelContext, n: int) -> ToCorners:
    cells, steps = grid(strides, context.width, context.height)
    if len(cells) != n:
        raise ModelError(
            f"decoder yolox: the model has {n} boxes, but an input of {context.width}×{context.height} with the "
            f"strides {list(strides)} has {len(cells)} cells: correct the card's decoder.strides"
        )
    size = np.array([context.width, context.height], np.float32)

    def to_corners(rows: Floats) -> Floats:
        centers = (rows[:, :2] + cells) * steps / size
        with np.errstate(over="ignore"):
            half = np.exp(rows[:, 2:4]) * steps / size * np.float32(0.5)
        return np.concatenate([centers - half, centers + half], axis=1)

    return to_corners


def grid(strides: Sequence[int], width: int, height: int) -> tuple[Floats, Floats]:
    """Return each cell's column and row [N, 2] and its stride [N, 1], row by row, stride after stride."""
    cells, steps = [], []
    for stride in strides:
        columns, rows = width // stride, height // stride
        y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        cells.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        steps.append(np.full((rows * columns, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(steps).astype(np.float32)
