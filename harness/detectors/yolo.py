"""YOLO models: one tensor of boxes and class scores, suppressed on the host.

YOLOv5 (v7, and v6, whose objectness is 1): [1, N, 5 + C], x_center, y_center, width, height, objectness, classes;
score = objectness * class. YOLOv8 and YOLO11: [1, 4 + C, N] or transposed, without objectness. YOLOX: as YOLOv5, but
the centre in grid cells and the logarithm of the size in cells (`yolox/models/yolo_head.py`, `decode_outputs`), cells
row by row, one stride after another. Segmenting and pose models have more columns behind the classes
(`extra_columns`), which are left out. Ultralytics' RT-DETR is a table like YOLOv8's of 300 queries without a grid.
Boxes are shares of the input or pixels, depending on the exporter: rows cover the whole image, so in pixels some
centre lies far beyond 1, and `box_units = "auto"` sees it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.detectors.activations import ACTIVATIONS
from harness.detectors.base import Decoder, ModelContext, dequantize
from harness.detectors.boxes import ToCorners, reader
from harness.detectors.heads import Candidates, HeadDecoder
from harness.detectors.nms import NmsSettings, settings_for
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

Floats = npt.NDArray[np.float32]
YOLOV5_NMS = NmsSettings("class-aware", score_threshold=0.001, iou_threshold=0.6, max_detections=300)
YOLOV8_NMS = NmsSettings("class-aware", score_threshold=0.001, iou_threshold=0.7, max_detections=300)
YOLOX_NMS = NmsSettings("class-aware", score_threshold=0.001, iou_threshold=0.65, max_detections=300)
RTDETR_NMS = NmsSettings("none", score_threshold=0.001, max_detections=300)
"""The thresholds of each project's own evaluation."""
_USUAL_STRIDES = ((8, 16, 32), (8, 16, 32, 64), (4, 8, 16, 32), (16, 32), (8, 16))
_ANCHORS_PER_CELL = (1, 3)


def make_yolov5(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder of a model with objectness and decoded boxes."""
    return _make(spec, outputs, context, True, YOLOV5_NMS, "xywh")


def make_yolov8(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder of a model without objectness."""
    return _make(spec, outputs, context, False, YOLOV8_NMS, "xywh")


def make_yolox(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder of a model with objectness and boxes relative to their grid cells."""
    return _make(spec, outputs, context, True, YOLOX_NMS, "grid")


def make_rtdetr(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder of Ultralytics' RT-DETR: queries instead of a grid, each object once."""
    return _make(spec, outputs, context, False, RTDETR_NMS, "xywh", on_grid=False)


def _make(
    spec: DecoderSpec,
    outputs: Sequence[TensorInfo],
    context: ModelContext,
    objectness: bool,
    default: NmsSettings,
    box_format: str,
    on_grid: bool = True,
) -> Decoder:
    """Make the decoder.

    Raises:
        ModelError: No output is a table of boxes, its rows are not those of the input's grid, or the input's size is
            needed and unknown.
    """
    first = 5 if objectness else 4
    chosen = find_output(outputs, spec.name, first + 1 + spec.extra_columns)
    info = outputs[chosen]
    by_columns = columns_first(info.shape, context)
    n, width = info.shape[-2:][::-1] if by_columns else info.shape[-2:]
    if on_grid:
        check_grid(spec, n, context)
    last = width - spec.extra_columns
    settings = settings_for(spec.nms, default)
    to_corners = _boxes(spec.box_format or box_format, spec, context, n)
    activate = ACTIVATIONS[spec.activation]

    def read(tensors: Sequence[npt.NDArray[np.generic]]) -> Candidates:
        table = tensors[chosen].reshape(info.shape[-2:])
        # Not copied where columns stand first: the best class of each row is found faster in that order.
        real = dequantize(table.T if by_columns else table, info)
        boxes = to_corners(real)
        weights = None if not objectness else activate(real[:, 4])
        return Candidates(boxes, activate(real[:, first:last]), weights)

    return HeadDecoder(read, settings, last - first)


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
    known = {n * count for count in grid_sizes(context.width, context.height) for n in _ANCHORS_PER_CELL}
    if (first in known) != (second in known):
        return second in known
    return second > first


def grid_sizes(width: int, height: int) -> dict[int, tuple[int, ...]]:
    """Return cells → strides for the sets of strides that YOLO models have; {} for an unknown size."""
    if min(width, height) < 1:
        return {}
    usual = list(reversed(_USUAL_STRIDES))
    up = {sum(ceil(width / s) * ceil(height / s) for s in strides): strides for strides in usual}
    return {**up, **{sum((width // s) * (height // s) for s in strides): strides for strides in usual}}


def check_grid(spec: DecoderSpec, n: int, context: ModelContext) -> None:
    """Refuse a table whose rows are not those of a grid of the input.

    Raises:
        ModelError: Says how many rows there are and how many a grid has.
    """
    cells = grid_sizes(context.width, context.height)
    stated = (sum((context.width // s) * (context.height // s) for s in spec.strides if s > 0),)
    known = {count * each for count in (*cells, *stated) for each in _ANCHORS_PER_CELL}
    if cells and n not in known:
        usual = ", ".join(str(count) for count in sorted(known)[-6:])
        raise ModelError(
            f"decoder {spec.name}: the table has {n} rows, which is no grid of an input of {context.width}×"
            f"{context.height} (such as {usual}): so few rows as 100 or 300 are final detections (decoder end2end) or "
            "queries (decoder rtdetr); a grid of other strides is stated in the card's decoder.strides"
        )


def _boxes(box_format: str, spec: DecoderSpec, context: ModelContext, n: int) -> ToCorners:
    """Return the function that turns rows [N, ≥ 4] into corners x, y, x, y as shares of the input."""
    if box_format == "grid":
        return _from_grid(spec.strides, context, n)
    return reader(box_format, spec, context, columns=1)


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


def grid(strides: Sequence[int], width: int, height: int, up: bool = False) -> tuple[Floats, Floats]:
    """Return each cell's column and row [N, 2] and its stride [N, 1], row by row, stride after stride.

    Args:
        strides: In pixels.
        width: Of the input.
        height: Of the input.
        up: Whether a part of a cell at the far edge counts as one.
    """
    cells, steps = [], []
    for stride in strides:
        columns, rows = (-(-side // stride) if up else side // stride for side in (width, height))
        y, x = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
        cells.append(np.stack([x, y], axis=-1).reshape(-1, 2))
        steps.append(np.full((rows * columns, 1), stride))
    return np.concatenate(cells).astype(np.float32), np.concatenate(steps).astype(np.float32)
