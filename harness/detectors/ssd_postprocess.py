"""SSD models that end in the custom op `TFLite_Detection_PostProcess`, EfficientDet-Lite among them.

Outputs (TensorFlow Object Detection API, `export_tflite_ssd_graph_lib.py`): boxes [1, N, 4] as y_min, x_min,
y_max, x_max in shares of the image, classes [1, N] counted from 0 without the background, scores [1, N],
count [1]. TF1 exports list them in this order; TF2 exports as scores, boxes, count, classes; others in any. Other
exporters end in the same four with corners x, y, x, y or in pixels: YOLOv5's `--nms`, TensorRT-like graphs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.detectors.base import Decoder, Detections, ModelContext, dequantize
from harness.detectors.boxes import to_corners
from harness.detectors.roles import ORDERS, order_by_names, parse_order
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo


def make_decoder(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder for one model; without an `order` it is found by names and shapes, else `tf1`.

    Raises:
        UnknownNameError: The card's `order` is not one of `ORDERS`.
        UsageError: The card's `order` names a role twice or one that there is not.
        ModelError: The outputs are not the op's four tensors in that order.
    """
    found = order_by_names(outputs) if spec.order is None else None
    order = spec.order or (found[0] if found else "tf1")
    roles = parse_order(order, spec.name)
    _check_shapes(order, roles, outputs)
    position = {role: index for index, role in enumerate(roles) if role != "-"}
    per_box = spec.nms.classes_per_detection or 1
    divisor = _divisor(spec, context)
    box_format = spec.box_format or "yxyx"

    def decode(tensors: Sequence[npt.NDArray[np.generic]]) -> Detections:
        real = {role: dequantize(tensors[index], outputs[index]) for role, index in position.items()}
        scores = real["scores"].reshape(-1)
        # The operator counts boxes, of which each has `max_classes_per_detection` rows; those behind are stale.
        count = scores.size
        if "count" in real:
            count = int(np.clip(real["count"].reshape(-1)[0] * per_box, 0, scores.size))
        return Detections(
            boxes=to_corners(real["boxes"].reshape(-1, 4)[:count], box_format) / divisor,
            scores=scores[:count],
            classes=np.rint(real["classes"].reshape(-1)[:count]).astype(np.int64),
        )

    return decode


def _divisor(spec: DecoderSpec, context: ModelContext) -> npt.NDArray[np.float32]:
    """Return what turns the boxes x, y, x, y into shares: 1, or the input's size where they are pixels."""
    if spec.box_units != "pixels":
        return np.ones(4, np.float32)
    if min(context.width, context.height) < 1:
        raise ModelError(f"decoder {spec.name}: boxes in pixels need the size of the model's input")
    return np.array([context.width, context.height] * 2, np.float32)


def _check_shapes(order: str, roles: Sequence[str], outputs: Sequence[TensorInfo]) -> None:
    shapes = [info.shape for info in outputs]
    expected = "boxes [1, N, 4], classes [1, N], scores [1, N], count [1]"
    if len(shapes) != len(roles):
        raise ModelError(
            f"decoder ssd-postprocess: found {len(shapes)} outputs {shapes}, expected {len(roles)}: {expected}"
        )
    by_name = dict(zip(roles, shapes, strict=True))
    missing = {"boxes", "classes", "scores"} - set(by_name)
    if missing or by_name["boxes"][-1:] != (4,) or not _same_n(by_name):
        raise ModelError(
            f"decoder ssd-postprocess: with order {order!r} the outputs {shapes} do not fit {expected}; "
            f"try another order ({', '.join(ORDERS)}, or boxes,classes,scores,count in any order)"
        )


def _same_n(shapes: dict[str, tuple[int, ...]]) -> bool:
    """Whether boxes, classes and scores are of as many detections."""
    return _size(shapes["boxes"]) == 4 * _size(shapes["scores"]) == 4 * _size(shapes["classes"])


def _size(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape, dtype=np.int64))
