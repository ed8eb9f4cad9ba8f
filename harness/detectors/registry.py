"""The decoders by name. A new family is one small file and one line here."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module

from harness.cards import DecoderSpec
from harness.detectors.base import Decoder, DecoderFactory, ModelContext
from harness.errors import UnknownNameError
from harness.tflite.tensor_info import TensorInfo

# fmt: off
DECODERS = {
    # name               module:factory                                        outputs
    "ssd-postprocess":   "harness.detectors.ssd_postprocess:make_decoder",   # boxes, classes, scores, count after NMS
    "efficientdet-lite": "harness.detectors.ssd_postprocess:make_decoder",   # the same four
    "end2end":           "harness.detectors.end2end:make_decoder",           # [1, N, 6]: box, score, class after NMS
    "boxes-scores":      "harness.detectors.boxes_scores:make_decoder",      # boxes [1, N, 4] and scores [1, N, C]
    "rtdetr":            "harness.detectors.yolo:make_rtdetr",               # [1, N, 4 + C], N queries, no NMS
    "ssd-raw":           "harness.detectors.ssd_raw:make_decoder",           # encodings, class scores (, anchors)
    "yolov5":            "harness.detectors.yolo:make_yolov5",               # [1, N, 5 + C]: box, objectness, classes
    "yolov6":            "harness.detectors.yolo:make_yolov5",               # the same, objectness always 1
    "yolov8":            "harness.detectors.yolo:make_yolov8",               # [1, 4 + C, N] or [1, N, 4 + C]
    "yolo11":            "harness.detectors.yolo:make_yolov8",               # the same
    "yolox":             "harness.detectors.yolo:make_yolox",                # [1, N, 5 + C], boxes relative to cells
    "yolo-levels":       "harness.detectors.yolo_levels:make_decoder",       # a raw grid a stride, the card's anchors
    "dfl":               "harness.detectors.dfl:make_decoder",               # [1, N, C + 4 × bins]: NanoDet, PicoDet
    "centernet":         "harness.detectors.centernet:make_decoder",         # heat map, sizes, offsets
}
# fmt: on


def make_decoder(
    spec: DecoderSpec, outputs: Sequence[TensorInfo], context: ModelContext | None = None
) -> Decoder:
    """Make the decoder that a card names.

    Args:
        spec: The card's settings.
        outputs: In the order of the model's output list.
        context: The model; families that decode pixels or anchors need it.

    Raises:
        UnknownNameError: No decoder of that name.
        ModelError: The model's outputs do not fit it.
    """
    if spec.name not in DECODERS:
        raise UnknownNameError("decoder", spec.name, DECODERS)
    module, _, name = DECODERS[spec.name].partition(":")
    factory: DecoderFactory = getattr(import_module(module), name)
    return factory(spec, outputs, context or ModelContext())
