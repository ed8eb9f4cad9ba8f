"""SSD models without post-processing: box encodings and class scores against anchors, suppressed on the host.

Two codings are known. `center-size` (TensorFlow Object Detection API, `faster_rcnn_box_coder.py`; computed as
`DecodeCenterSizeBoxes` of `TFLite_Detection_PostProcess` does): y_center = ty / scale_y * h_a + y_a and so on,
h = exp(th / scale_h) * h_a. `corner-offsets` (STMicroelectronics' model zoo): each corner = offset * the anchor's
side + the anchor's corner.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from harness.cards import AnchorSpec, DecoderSpec
from harness.detectors.activations import ACTIVATIONS
from harness.detectors.anchors import load_anchors
from harness.detectors.base import Decoder, ModelContext, dequantize
from harness.detectors.boxes_scores import without_background
from harness.detectors.heads import Candidates, HeadDecoder
from harness.detectors.nms import NmsSettings, settings_for
from harness.detectors.roles import parse_order
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

Floats = npt.NDArray[np.float32]
ROLES = ("boxes", "scores", "anchors")
DEFAULT_NMS = NmsSettings("regular", score_threshold=1e-8, iou_threshold=0.6, max_detections=100)
"""The thresholds that `export_tflite_ssd_graph_lib.py` writes into the operator."""
_YX_TO_XY = [1, 0, 3, 2]


def make_decoder(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder for one model; without an `order` the outputs are told apart by their last dimension.

    Raises:
        UsageError: The card's `order` cannot be read.
        ModelError: The outputs do not fit, or there are no anchors for them.
    """
    position = _positions(spec, outputs)
    n = _rows(outputs[position["boxes"]])
    settings = settings_for(spec.nms, DEFAULT_NMS)
    constant = None if "anchors" in position else load_anchors(spec.anchors or AnchorSpec(), context, n)
    to_corners = _coding(spec)
    width = outputs[position["scores"]].shape[-1]
    classes = without_background(spec, width)
    activate = ACTIVATIONS[spec.activation]

    def read(tensors: Sequence[npt.NDArray[np.generic]]) -> Candidates:
        real = {role: _matrix(tensors[index], outputs[index]) for role, index in position.items()}
        boxes = to_corners(real["boxes"][:, :4], real["anchors"] if constant is None else constant)
        return Candidates(boxes, activate(real["scores"])[:, classes])

    return HeadDecoder(read, settings, len(range(width)[classes]))


def _positions(spec: DecoderSpec, outputs: Sequence[TensorInfo]) -> dict[str, int]:
    """Return where the boxes, the scores and perhaps the anchors are among the outputs."""
    if spec.order is not None:
        roles = parse_order(spec.order, spec.name, ROLES)
        found = {role: index for index, role in enumerate(roles) if role != "-"}
    else:
        found = {("boxes" if info.shape[-1:] == (4,) else "scores"): k for k, info in enumerate(outputs)}
    shapes = [info.shape for info in outputs]
    fits = {"boxes", "scores"} <= found.keys() and max(found.values()) < len(outputs)
    if not fits or len({_rows(outputs[index]) for index in found.values()}) != 1:
        raise ModelError(
            f"decoder ssd-raw: the outputs {shapes} with order {spec.order!r} do not fit boxes [1, N, 4], scores "
            "[1, N, C] and perhaps anchors [1, N, 4]: correct the card's decoder.order, such as boxes,scores"
        )
    return found


def _rows(info: TensorInfo) -> int:
    """Return N of [1, N, X], [N, X] or [1, N, 1, X]."""
    return int(np.prod(info.shape[:-1], dtype=np.int64))


def _matrix(tensor: npt.NDArray[np.generic], info: TensorInfo) -> Floats:
    return dequantize(tensor, info).reshape(-1, tensor.shape[-1])


def _coding(spec: DecoderSpec) -> Callable[[Floats, Floats], Floats]:
    """Return the function (encodings, anchors) → corners x, y, x, y."""
    corners = spec.anchors is not None and spec.anchors.format == "corners"
    swap = spec.box_format in {None, "yxyx"}

    def decode(encodings: Floats, anchors: Floats) -> Floats:
        if spec.box_coding == "corner-offsets":
            boxes = decode_corner_offsets(encodings, anchors if corners else _to_corners(anchors))
        else:
            boxes = decode_center_size(encodings, _to_centers(anchors) if corners else anchors, spec.scales)
        return boxes[:, _YX_TO_XY] if swap else boxes

    return decode


def decode_center_size(encodings: Floats, anchors: Floats, scales: tuple[float, ...]) -> Floats:
    """Decode boxes [N, 4] as the operator does: in double, rounded to float before the corners are taken.

    Args:
        encodings: ty, tx, th, tw.
        anchors: y_center, x_center, height, width.
        scales: y, x, h, w divisors.

    Returns:
        float32 [N, 4], y_min, x_min, y_max, x_max.
    """
    t, anchor = (
        encodings.astype(np.float64) / np.asarray(scales, np.float32).astype(np.float64),
        anchors.astype(np.float64),
    )
    centers = (t[:, :2] * anchor[:, 2:] + anchor[:, :2]).astype(np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        halves = (0.5 * np.exp(t[:, 2:]) * anchor[:, 2:]).astype(np.float32)
        return np.concatenate([centers - halves, centers + halves], axis=1)


def decode_corner_offsets(offsets: Floats, anchors: Floats) -> Floats:
    """Decode boxes [N, 4]: corner = offset * the anchor's side along the same axis + the anchor's corner.

    Args:
        offsets: Of the two corners.
        anchors: The two corners of each anchor.
    """
    sides = anchors[:, 2:] - anchors[:, :2]
    boxes: Floats = offsets * np.concatenate([sides, sides], axis=1) + anchors
    return boxes


def _to_corners(anchors: Floats) -> Floats:
    half = anchors[:, 2:] / 2
    return np.concatenate([anchors[:, :2] - half, anchors[:, :2] + half], axis=1)


def _to_centers(anchors: Floats) -> Floats:
    return np.concatenate([(anchors[:, :2] + anchors[:, 2:]) / 2, anchors[:, 2:] - anchors[:, :2]], axis=1)
