"""NanoDet and PicoDet: a distribution over the distance from each grid cell to the four sides of its box.

A row is C class scores and 4 × bins logits (left, top, right, bottom). The distance is the mean of 0 … bins − 1 under
the softmax of its bins, times the stride; the box is the cell's point (column + offset) × stride minus and plus the
distances (`nanodet/model/head/gfl_head.py`: `Integral`, `get_bboxes_single`). The offset is 0.5 in NanoDet and
PicoDet, 0 in NanoDet-Plus (`nanodet_plus_head.py`, `get_single_level_center_priors`). OpenCV's zoo takes the middle
of the cell's pixels, (stride − 1) / 2, half a pixel less: `cell_shift`. All levels stand in one table, or scores and
distances of each level in outputs of their own.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.detectors.activations import ACTIVATIONS, softmax
from harness.detectors.base import Decoder, ModelContext, dequantize
from harness.detectors.heads import Candidates, HeadDecoder
from harness.detectors.nms import NmsSettings, settings_for
from harness.detectors.yolo import grid
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

Floats = npt.NDArray[np.float32]
DEFAULT_NMS = NmsSettings("class-aware", score_threshold=0.001, iou_threshold=0.6, max_detections=300)
"""`multiclass_nms` of `gfl_head.py`, with the score threshold that an evaluation wants."""


def make_decoder(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder for one model.

    Raises:
        ModelError: The outputs are no such tables, or not of as many rows as the grid has cells.
    """
    cells, steps = grid(spec.strides, context.width, context.height, up=True)
    size = np.array([context.width, context.height], np.float32)
    points = (cells + np.float32(spec.cell_offset)) * steps + np.float32(spec.cell_shift)
    parts = _parts(spec, outputs, len(cells))
    activate = ACTIVATIONS[spec.activation]
    bins = np.arange(spec.bins, dtype=np.float32)

    def read(tensors: Sequence[npt.NDArray[np.generic]]) -> Candidates:
        scores, logits = (
            np.concatenate([_columns(tensors[k], outputs[k], turned, which) for k, turned, which in part])
            for part in parts
        )
        distances = softmax(logits.reshape(-1, 4, spec.bins)) @ bins * steps
        low, high = (points - distances[:, :2]) / size, (points + distances[:, 2:]) / size
        return Candidates(np.concatenate([low, high], axis=1), activate(scores))

    return HeadDecoder(read, settings_for(spec.nms, DEFAULT_NMS), _width(outputs, parts[0][0]))


def _width(outputs: Sequence[TensorInfo], part: tuple[int, bool, slice]) -> int:
    """Return how many columns of scores there are."""
    index, turned, which = part
    return len(range(outputs[index].shape[-2 if turned else -1])[which])


_Part = list[tuple[int, bool, slice]]
"""Output, whether it is [1, columns, N], and its columns: one entry a level."""


def _parts(spec: DecoderSpec, outputs: Sequence[TensorInfo], n: int) -> tuple[_Part, _Part]:
    """Find the scores and the distances among the outputs, in the order of the strides."""
    width = 4 * spec.bins
    sides = [info.shape[-2:] for info in outputs if len(info.shape) in {2, 3}]
    if len(outputs) == 1 and len(sides) == 1 and n in sides[0]:
        turned = sides[0][1] == n
        total = sides[0][0 if turned else 1]
        if total > width:
            return [(0, turned, slice(0, total - width))], [(0, turned, slice(total - width, total))]
    elif len(sides) == len(outputs):
        distances = sorted((-rows, k) for k, (rows, columns) in enumerate(sides) if columns == width)
        scores = sorted((-rows, k) for k, (rows, columns) in enumerate(sides) if columns != width)
        alike = [rows for rows, _ in scores] == [rows for rows, _ in distances]
        if alike and -sum(rows for rows, _ in scores) == n:
            whole = slice(None)
            return [(k, False, whole) for _, k in scores], [(k, False, whole) for _, k in distances]
    shapes = [list(info.shape) for info in outputs]
    raise ModelError(
        f"decoder {spec.name}: the outputs {shapes} do not fit class scores and 4 × {spec.bins} columns of distances "
        f"for the {n} cells of the strides {list(spec.strides)}: correct the card's decoder.bins or decoder.strides"
    )


def _columns(tensor: npt.NDArray[np.generic], info: TensorInfo, turned: bool, which: slice) -> Floats:
    table = dequantize(tensor.reshape(tensor.shape[-2:]), info)
    return np.ascontiguousarray((table.T if turned else table)[:, which])
