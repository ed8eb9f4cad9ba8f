"""Models whose last step leaves final detections in one table: a box, its score and its class in each row.

YOLOv10 and YOLO26 (`end2end`) and Ultralytics' `nms=True` give [1, N, 6] as x_min, y_min, x_max, y_max, score, class
(`ultralytics/utils/nms.py`: "end-to-end model (BNC, i.e. 1,300,6)"), in shares of the input or its pixels; rows of
score 0 fill the table up. `order` says other arrangements: `-,box,class,score` is YOLOv7's, whose first column is
the image of the batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.detectors.base import Decoder, Detections, ModelContext, dequantize
from harness.detectors.boxes import reader
from harness.detectors.final import check_final, limits
from harness.detectors.roles import parse_order
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

ROLES = ("box", "score", "class")
DEFAULT_ORDER = ",".join(ROLES)


def make_decoder(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder for one model.

    Raises:
        UsageError: The card's `order` cannot be read.
        ModelError: No output is such a table.
    """
    start, width = columns(spec)
    chosen, turned = _table(spec, outputs, width)
    info = outputs[chosen]
    least, most = limits(spec)
    to_corners = reader(spec.box_format or "xyxy", spec, context)

    def decode(tensors: Sequence[npt.NDArray[np.generic]]) -> Detections:
        table = tensors[chosen].reshape(tensors[chosen].shape[-2:])
        rows = dequantize(table.T if turned else table, info)
        scores = rows[:, start["score"]]
        kept = np.flatnonzero(scores > least)[:most]
        rows, scores = rows[kept], scores[kept]
        classes = check_final(spec.name, scores, rows[:, start["class"]])
        return Detections(to_corners(rows[:, start["box"] : start["box"] + 4]), scores, classes)

    return decode


def columns(spec: DecoderSpec) -> tuple[dict[str, int], int]:
    """Return each role's first column and the number of columns."""
    start: dict[str, int] = {}
    width = 0
    for role in parse_order(spec.order or DEFAULT_ORDER, spec.name, ROLES):
        if role != "-":
            start[role] = width
        width += 4 if role == "box" else 1
    if set(start) != set(ROLES):
        raise ModelError(
            f"decoder {spec.name}: order {spec.order!r}: expected box, score and class among them"
        )
    return start, width


def _table(spec: DecoderSpec, outputs: Sequence[TensorInfo], width: int) -> tuple[int, bool]:
    """Return the output that is the table, and whether its rows and columns are exchanged."""
    for index, info in enumerate(outputs):
        if len(info.shape) in {2, 3} and width in info.shape[-2:]:
            return index, info.shape[-1] != width
    shapes = [list(info.shape) for info in outputs]
    rotated = "; [1, N, 7] with an angle holds rotated boxes, which are not measured"
    raise ModelError(
        f"decoder {spec.name}: the outputs {shapes} hold no table [1, N, {width}] of a box, a score and a class"
        f"{rotated if any(info.shape[-1:] == (7,) for info in outputs) else ''}"
    )
