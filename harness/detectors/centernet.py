"""CenterNet: a heat map of class scores, whose peaks are the objects' centres (Zhou et al., "Objects as Points").

Outputs: heat map [1, H, W, C], sizes [1, H, W, 2] and offsets [1, H, W, 2] as (height, width) and (y, x) in cells,
as in the Object Detection API (`center_net_meta_arch.py`); `box_format = "xywh"` for (width, height) and (x, y).
Exports that end in boxes, classes, scores and count are `ssd-postprocess`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from harness.cards import DecoderSpec
from harness.detectors.activations import ACTIVATIONS
from harness.detectors.base import Decoder, Detections, ModelContext, dequantize
from harness.detectors.roles import parse_order
from harness.errors import ModelError
from harness.tflite.tensor_info import TensorInfo

Floats = npt.NDArray[np.float32]
ROLES = ("heatmap", "sizes", "offsets")
DEFAULT_DETECTIONS = 100


def make_decoder(spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext) -> Decoder:
    """Make the decoder; without an `order` the outputs are heat map, sizes, offsets.

    Raises:
        ModelError: The outputs do not fit.
    """
    roles = parse_order(spec.order or ",".join(ROLES), spec.name, ROLES)
    position = {role: index for index, role in enumerate(roles) if role != "-"}
    _check(position, outputs)
    swap = slice(None) if spec.box_format == "xywh" else slice(None, None, -1)
    limit = spec.nms.max_detections or DEFAULT_DETECTIONS
    least = spec.nms.score_threshold or 0.0
    activate = ACTIVATIONS[spec.activation]

    def decode(tensors: Sequence[npt.NDArray[np.generic]]) -> Detections:
        real = {role: dequantize(tensors[k], outputs[k])[0] for role, k in position.items()}
        rows, columns, classes, scores = peaks(activate(real["heatmap"]), limit, least)
        cells = np.array(real["heatmap"].shape[1::-1], np.float32)
        sizes = real["sizes"][rows, columns][:, swap]
        offsets = real["offsets"][rows, columns][:, swap] if "offsets" in real else np.float32(0.5)
        centers = np.stack([columns, rows], axis=1).astype(np.float32) + offsets
        boxes = np.concatenate([centers - sizes / 2, centers + sizes / 2], axis=1) / np.tile(cells, 2)
        return Detections(boxes, scores, classes)

    return decode


def _check(position: dict[str, int], outputs: Sequence[TensorInfo]) -> None:
    shapes = [info.shape for info in outputs]
    if {"heatmap", "sizes"} <= position.keys() and max(position.values()) < len(outputs):
        found = {role: outputs[index].shape for role, index in position.items()}
        same = {shape[:3] for shape in found.values()}
        if all(len(shape) == 4 for shape in found.values()) and len(same) == 1:
            return
    raise ModelError(
        f"decoder centernet: the outputs {shapes} do not fit a heat map [1, H, W, C], sizes and offsets [1, H, W, 2]; "
        "give their order in the card as decoder.order, such as heatmap,sizes,offsets"
    )


def peaks(
    heat: Floats, limit: int, least: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.intp], Floats]:
    """Return rows, columns, classes and scores of the best cells that none of their 8 neighbours exceeds.

    Args:
        heat: [H, W, C].
        limit: How many peaks at most.
        least: Lowest score.
    """
    padded = np.pad(heat, ((1, 1), (1, 1), (0, 0)), constant_values=-np.inf)
    height, width = heat.shape[:2]
    around = np.maximum.reduce([padded[y : y + height, x : x + width] for y in range(3) for x in range(3)])
    found = np.flatnonzero(((heat >= around) & (heat >= least)).reshape(-1))
    values = heat.reshape(-1)[found]
    best = np.argsort(-values, kind="stable")[:limit]
    rows, columns, classes = np.unravel_index(found[best], heat.shape)
    return rows, columns, classes, values[best]
