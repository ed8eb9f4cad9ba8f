"""SSD models that end in the custom op `TFLite_Detection_PostProcess`.

Outputs (TensorFlow Object Detection API, `export_tflite_ssd_graph_lib.py`): boxes [1, N, 4] as y_min, x_min,
y_max, x_max in shares of the image, classes [1, N] counted from 0 without the background, scores [1, N],
count [1]. TF1 exports list them in this order; TF2 exports as scores, boxes, count, classes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.detectors.base import Decoder, Detections, TensorInfo, dequantize
from harness.errors import ModelError, UnknownNameError

ORDERS = {
    "tf1": ("boxes", "classes", "scores", "count"),
    "tf2": ("scores", "boxes", "count", "classes"),
}
_YX_TO_XY = [1, 0, 3, 2]


def make_decoder(spec: DecoderSpec, outputs: Sequence[TensorInfo]) -> Decoder:
    """Make the decoder for one model.

    Raises:
        UnknownNameError: The card's `order` is not one of `ORDERS`.
        ModelError: The outputs are not the op's four tensors in that order.
    """
    order = spec.order or "tf1"
    if order not in ORDERS:
        raise UnknownNameError("output order of decoder ssd-postprocess", order, ORDERS)
    _check_shapes(order, outputs)
    position = {name: index for index, name in enumerate(ORDERS[order])}

    def decode(tensors: Sequence[npt.NDArray[np.generic]]) -> Detections:
        real = {name: dequantize(tensors[index], outputs[index]) for name, index in position.items()}
        count = int(np.clip(real["count"].reshape(-1)[0], 0, real["scores"].size))
        return Detections(
            boxes=real["boxes"].reshape(-1, 4)[:count, _YX_TO_XY],
            scores=real["scores"].reshape(-1)[:count],
            classes=np.rint(real["classes"].reshape(-1)[:count]).astype(np.int64),
        )

    return decode


def _check_shapes(order: str, outputs: Sequence[TensorInfo]) -> None:
    shapes = [info.shape for info in outputs]
    expected = "boxes [1, N, 4], classes [1, N], scores [1, N], count [1]"
    if len(shapes) != 4:
        raise ModelError(
            f"decoder ssd-postprocess: found {len(shapes)} outputs {shapes}, expected 4: {expected}"
        )
    by_name = dict(zip(ORDERS[order], shapes, strict=True))
    fits = by_name["boxes"][-1:] == (4,) and len(by_name["boxes"]) == 3 and len(by_name["scores"]) == 2
    if not fits:
        raise ModelError(
            f"decoder ssd-postprocess: with order {order!r} the outputs {shapes} do not fit {expected}; "
            f"try another order ({', '.join(ORDERS)})"
        )
