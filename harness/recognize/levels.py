"""Recognize YOLO heads that were cut off before their boxes are decoded: one grid an output."""

from __future__ import annotations

import math

from harness.cards import DecoderSpec
from harness.detectors.yolo_levels import grid_of
from harness.errors import ModelError
from harness.recognize.family import Facts, Family, Refusal, contiguous_labels
from harness.tflite import trace

_FEWEST_COLUMNS = 6
_STRIDES = (4, 8, 16, 32, 64, 128)


def levels(facts: Facts) -> Family | Refusal | None:
    """Recognize one grid an output, of the strides of a YOLO; only one box a cell needs no anchors."""
    context = facts.context
    if not context.width or not facts.outputs:
        return None
    try:
        grids = [grid_of(info, context) for info in facts.outputs]
    except ModelError:
        return None
    strides = [_stride(context.width, columns) for _, columns in grids]
    widths = {
        math.prod(info.shape) // (rows * columns)
        for info, (rows, columns) in zip(facts.outputs, grids, strict=True)
    }
    if len(widths) != 1 or len(set(strides)) != len(strides) or 0 in strides:
        return None
    width = widths.pop()
    if width < _FEWEST_COLUMNS:
        return None
    raw = [facts.activated(k) for k in range(len(grids))]
    if width - 5 == len(facts.metadata.labels) and len(grids) > 1:
        return _yolox(facts, width, any(raw))
    return _without_anchors(facts, strides, width)


def _stride(side: int, cells: int) -> int:
    """Return the stride that gives so many cells, a partial one at the edge included; 0 for none of YOLO's."""
    return next((stride for stride in _STRIDES if cells in {side // stride, -(-side // stride)}), 0)


def _yolox(facts: Facts, width: int, activated: bool) -> Family | Refusal:
    """Return the family of one box a cell, which needs no anchors: YOLOX and st_yolo_x."""
    if activated or _joined(facts, width):
        return _without_anchors(facts, [], width)
    labels, label_evidence = contiguous_labels(width - 5, facts.metadata)
    return Family(
        decoder=DecoderSpec(name="yolo-levels", box_coding="yolox", activation="sigmoid"),
        labels=labels,
        evidence=(
            f"decoder: {len(facts.outputs)} grids of {width} numbers a cell, which are 5 and the {width - 5} names in "
            f"{facts.metadata.label_file}: one box a cell without anchors, as YOLOX and st_yolo_x have it.",
            "decoder.activation: sigmoid, the grids come straight from convolutions.",
            label_evidence,
        ),
        normalization=(0.0, 1.0),
        resize="letterbox",
        pad_position="corner",
        channels="bgr",
    )


def _joined(facts: Facts, width: int) -> bool:
    """Whether some columns of a grid are activated already."""
    outputs = facts.graph.primary.outputs
    return any(piece.activated for index in outputs for piece in trace.pieces(facts.graph, index, width))


def _without_anchors(facts: Facts, strides: list[int], width: int) -> Refusal:
    shapes = ", ".join(str(list(info.shape)) for info in facts.outputs)
    return Refusal(
        "raw YOLO heads (YOLOv2, v3, v4, v5, v7 or YOLOX), cut off before the boxes are decoded",
        (
            f"outputs: {shapes}: grids{f' of the strides {sorted(strides)}' if strides else ''} with {width} numbers a "
            "cell, which are (5 + classes) for each anchor; the anchors stand nowhere in the file: write a card with "
            "decoder yolo-levels, its box_coding and [decoder.anchors] sizes.",
        ),
    )
