"""Two tensors, decoded boxes and class scores: YOLO-NAS, DAMO-YOLO, YOLOv4, RT-DETR, D-FINE, RF-DETR, DETR.

Boxes [1, N, 4] or [1, N, 1, 4] in any form, scores [1, N, C] with or without a background; with an activation where
they are logits. Models with one box a grid cell need NMS; those of the DETR kind give each object once, so
`nms.kind = "none"` takes the best pairs of box and class (`PostProcess` of Deformable DETR and RT-DETR: sigmoid, top
k over all pairs).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.detectors.activations import ACTIVATIONS
from harness.detectors.base import Decoder, ModelContext, dequantize
from harness.detectors.boxes import Floats, reader
from harness.detectors.heads import Candidates, HeadDecoder
from harness.detectors.nms import NmsSettings, settings_for
from harness.detectors.roles import parse_order
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

ROLES = ("boxes", "scores")
DEFAULT_NMS = NmsSettings("class-aware", score_threshold=0.001, iou_threshold=0.7, max_detections=300)


def make_decoder(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder for one model; without an `order` the outputs are told apart by their shapes.

    Raises:
        UsageError: The card's `order` cannot be read.
        ModelError: The outputs do not fit.
    """
    at = positions(spec, outputs)
    n, turned = _rows(outputs[at["boxes"]], outputs[at["scores"]])
    width = _size(outputs[at["scores"]].shape) // n
    classes = without_background(spec, width)
    to_corners = reader(spec.box_format or "xyxy", spec, context)
    activate = ACTIVATIONS[spec.activation]

    def read(tensors: Sequence[npt.NDArray[np.generic]]) -> Candidates:
        boxes, scores = (
            _matrix(dequantize(tensors[at[role]], outputs[at[role]]), size, turned)
            for role, size in (("boxes", 4), ("scores", width))
        )
        return Candidates(to_corners(boxes), activate(scores)[:, classes])

    return HeadDecoder(read, settings_for(spec.nms, DEFAULT_NMS), len(range(width)[classes]))


def positions(spec: DecoderSpec, outputs: Sequence[TensorInfo]) -> dict[str, int]:
    """Return where the boxes and the scores are among the outputs.

    Raises:
        ModelError: They are not there, or both have four columns and the card does not say which is which.
    """
    if spec.order is not None:
        roles = parse_order(spec.order, spec.name, ROLES)
        found = {role: index for index, role in enumerate(roles) if role != "-"}
        if set(found) == set(ROLES) and max(found.values()) < len(outputs):
            return found
        raise ModelError(f"decoder {spec.name}: order {spec.order!r} does not name both boxes and scores")
    fours = [index for index, info in enumerate(outputs) if 4 in info.shape[-2:]]
    others = [index for index in range(len(outputs)) if index not in fours]
    if len(fours) == 1 and len(others) == 1:
        return {"boxes": fours[0], "scores": others[0]}
    shapes = [list(info.shape) for info in outputs]
    raise ModelError(
        f"decoder {spec.name}: the outputs {shapes} do not tell boxes [1, N, 4] from scores [1, N, classes]: give "
        "the card's decoder.order, such as boxes,scores"
    )


def without_background(spec: DecoderSpec, width: int) -> slice:
    """Return which columns of the scores are classes."""
    if spec.background in {True, "first"}:
        return slice(1, width)
    return slice(0, width - 1) if spec.background == "last" else slice(0, width)


def _rows(boxes: TensorInfo, scores: TensorInfo) -> tuple[int, bool]:
    """Return N, and whether the tensors are [1, columns, N]."""
    n = _size(boxes.shape) // 4
    turned = boxes.shape[-1] != 4
    side = scores.shape[-1] if turned else _size(scores.shape[:-1])
    if n < 1 or side != n or (turned and boxes.shape[-2:] != (4, n)):
        raise ModelError(
            f"decoder boxes-scores: boxes {list(boxes.shape)} and scores {list(scores.shape)} are not of as many "
            "rows: expected [1, N, 4] and [1, N, classes]"
        )
    return n, turned


def _matrix(values: Floats, width: int, turned: bool) -> Floats:
    return np.ascontiguousarray(values.reshape(width, -1).T) if turned else values.reshape(-1, width)


def _size(shape: Sequence[int]) -> int:
    return int(np.prod(shape, dtype=np.int64))
