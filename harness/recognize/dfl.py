"""Recognize NanoDet and PicoDet: class scores beside distributions of distances."""

from __future__ import annotations

from typing import Literal

from harness.cards import DecoderSpec
from harness.detectors.yolo import grid
from harness.recognize.family import Facts, Family, contiguous_labels
from harness.tflite import trace

STRIDES = ((8, 16, 32), (8, 16, 32, 64))
BINS = (8, 17, 16)
"""reg_max + 1 of NanoDet and PicoDet, of GFL, of YOLOv8's heads."""
_MEAN, _STD = (103.53, 116.28, 123.675), (57.375, 57.12, 58.395)


def dfl(facts: Facts) -> Family | None:
    """Recognize one table [1, N, C + 4 × bins], concatenated from class scores and raw convolutions."""
    context = facts.context
    if len(facts.outputs) != 1 or len(facts.outputs[0].shape) != 3 or not context.width:
        return None
    shape = facts.outputs[0].shape
    counts = {len(grid(strides, context.width, context.height, up=True)[0]): strides for strides in STRIDES}
    n = next((side for side in shape[1:] if side in counts), None)
    if n is None:
        return None
    total = shape[2] if shape[1] == n else shape[1]
    found = trace.pieces(facts.graph, facts.graph.primary.outputs[0], total)
    if len(found) != 2 or not found[1].raw:
        return None
    bins = next((count for count in BINS if found[1].width == 4 * count), None)
    if bins is None:
        return None
    return _family(facts, counts[n], bins, found)


def _family(facts: Facts, strides: tuple[int, ...], bins: int, found: list[trace.Piece]) -> Family:
    """Return the family with NanoDet's preparation: BGR, stretched (`config/*.yml`, `keep_ratio: False`)."""
    n_classes = found[0].width
    activation: Literal["none", "sigmoid"] = "none" if found[0].activated else "sigmoid"
    plus = len(strides) == 4
    labels, label_evidence = contiguous_labels(n_classes, facts.metadata)
    shape = list(facts.outputs[0].shape)
    return Family(
        decoder=DecoderSpec(
            name="dfl",
            strides=strides,
            bins=bins,
            cell_offset=0.0 if plus else 0.5,
            cell_shift=0.0 if plus else -0.5,
            activation=activation,
        ),
        labels=labels,
        evidence=(
            f"decoder: {shape} is put together from {n_classes} class scores and 4 × {bins} columns straight from a "
            "convolution: distributions of distances, as NanoDet and PicoDet have them.",
            f"decoder.strides: the rows are the cells of the strides {list(strides)}.",
            f"decoder.cell_offset: {0 if plus else 0.5}, as {'NanoDet-Plus' if plus else 'NanoDet'} with "
            f"{len(strides)} levels has it.",
            "decoder.cell_shift: 0."
            if plus
            else "decoder.cell_shift: -0.5, the middle of the pixels of a cell, as in OpenCV's zoo.",
            f"decoder.activation: {activation}, by the operator that the class scores come from.",
            "input.channels: bgr, the habit of NanoDet.",
            label_evidence,
        ),
        normalization=(_MEAN, _STD),
        channels="bgr",
    )
