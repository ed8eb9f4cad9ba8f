"""Recognize SSD models with raw heads: box encodings and class scores, before NMS."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from harness.cards import AnchorSpec, DecoderSpec, NmsSpec
from harness.detectors.base import ModelContext
from harness.errors import ModelError
from harness.paths import is_file
from harness.recognize.family import COCO_CLASSES_80, COCO_IDS_90, Facts, Family, ssd_labels
from harness.tflite import anchors, trace
from harness.tflite.metadata import BACKGROUND
from harness.tflite.tensor_info import TensorInfo

FEWEST_BOXES = 16
_BOX_NAMES = re.compile(r"box|loc|regress|bbox|encod", re.IGNORECASE)
_PER_CLASS_LIMIT = 20
GENERATED = (
    AnchorSpec(source="ssd"),
    AnchorSpec(source="ssd", reduce_lowest=False),
    AnchorSpec(source="multiscale"),
    AnchorSpec(source="efficientdet", scales_per_octave=3),
)
"""The generators with their usual parameters, tried in this order."""


@dataclass(frozen=True)
class _Heads:
    """The heads among the outputs: their indices, and the number of boxes and of score columns."""

    boxes: int
    scores: int
    anchors: int | None
    n: int
    columns: int

    @property
    def order(self) -> str:
        names = {self.boxes: "boxes", self.scores: "scores"}
        if self.anchors is not None:
            names[self.anchors] = "anchors"
        return ",".join(names.get(index, "-") for index in range(max(names) + 1))


def ssd_raw(facts: Facts) -> Family | None:
    """Recognize box encodings [1, N, 4] and class scores [1, N, C], perhaps with the anchors [1, N, 4] as an output."""
    heads = _heads(facts)
    if heads is None:
        return None
    found = _anchors(facts, heads)
    if found is None:
        return None
    spec, where = found
    background, background_evidence = _background(facts, heads)
    activation, activation_evidence = _activation(facts, heads)
    labels, label_evidence = ssd_labels(heads.columns - background, facts.metadata)
    layout = _layout(facts, heads)
    efficientdet = spec.source == "efficientdet"
    return Family(
        decoder=_decoder(heads, spec, layout, activation, background),
        labels=labels,
        evidence=(
            f"decoder: {heads.n} boxes with 4 encodings and {heads.columns} scores each, without NMS.",
            f"decoder.order: {heads.order}.",
            f"decoder.anchors: {where}.",
            *(layout.evidence if layout is not None else ()),
            background_evidence,
            activation_evidence,
            label_evidence,
        ),
        normalization=(127.0, 128.0) if efficientdet else (127.5, 127.5),
        resize="letterbox" if efficientdet else "stretch",
        pad_value=127 if efficientdet else 114,
        pad_position="corner" if efficientdet else "center",
    )


def _decoder(
    heads: _Heads, spec: AnchorSpec, layout: _Layout | None, activation: bool, background: bool
) -> DecoderSpec:
    """Return the decoder's settings; offsets of corners come with the usual thresholds of such models."""
    offsets = layout is not None and layout.corners
    nms = NmsSpec(score_threshold=0.01, iou_threshold=0.5, detections_per_class=_PER_CLASS_LIMIT)
    return DecoderSpec(
        name="ssd-raw",
        order=heads.order,
        box_format="xyxy" if layout is not None and layout.x_first else "yxyx",
        box_coding="corner-offsets" if offsets else "center-size",
        scales=(1.0, 1.0, 1.0, 1.0) if spec.source == "efficientdet" else (10.0, 10.0, 5.0, 5.0),
        activation="sigmoid" if activation else "none",
        background=background,
        anchors=AnchorSpec(source="output", format="corners") if offsets else spec,
        nms=nms if offsets else NmsSpec(),
    )


def _heads(facts: Facts) -> _Heads | None:
    tables = {k: size for k, info in enumerate(facts.description.outputs) if (size := _table(info))}
    fours = [k for k, (_, columns) in tables.items() if columns == 4]
    for scores, (n, columns) in tables.items():
        partners = [k for k in fours if k != scores and tables[k][0] == n]
        if scores in fours and not _are_scores(facts, scores):
            continue
        constant = [k for k in partners if not _depends(facts, k)]
        boxes = [k for k in partners if k not in constant]
        if len(boxes) == 1:
            return _Heads(boxes[0], scores, constant[0] if constant else None, n, columns)
    return None


def _table(info: TensorInfo) -> tuple[int, int] | None:
    """Return (N, columns) of [1, N, columns], [N, columns] or [1, N, 1, columns]."""
    shape = [size for size in info.shape[:-1] if size != 1]
    if len(shape) != 1 or shape[0] < FEWEST_BOXES or info.shape[-1] < 2:
        return None
    return shape[0], info.shape[-1]


def _are_scores(facts: Facts, output: int) -> bool:
    """Whether an output with four columns holds scores (three classes and the background), not boxes."""
    found = trace.source(facts.graph, facts.graph.primary.outputs[output])
    if found is not None and found.name in trace.ACTIVATED:
        return True
    name = facts.description.outputs[output].name
    return bool(re.search(r"class|score|conf|logit", name, re.IGNORECASE)) and not _BOX_NAMES.search(name)


def _depends(facts: Facts, output: int) -> bool:
    return trace.depends_on_input(facts.graph, facts.graph.primary.outputs[output])


def _anchors(facts: Facts, heads: _Heads) -> tuple[AnchorSpec, str] | None:
    """Return the source of the anchors; None when no source gives as many as there are boxes."""
    if heads.anchors is not None:
        name = facts.description.outputs[heads.anchors].name
        return AnchorSpec(source="output"), f"the output {name} does not depend on the image"
    from harness.detectors.anchors import load_anchors, side_file

    path = facts.description.path
    if is_file(side_file(path)):
        return AnchorSpec(
            source="file", file=side_file(path).name
        ), f"{side_file(path).name} lies beside the model"
    tensor = anchors.anchor_tensor(facts.graph)
    if tensor is not None and tensor.n_elements == 4 * heads.n:
        return AnchorSpec(source="model"), f"the constant {tensor.name} of the file"
    context = _context(facts)
    for spec in GENERATED:
        try:
            load_anchors(spec, context, heads.n)
        except (ModelError, ZeroDivisionError):
            continue
        size = f"{context.width}×{context.height}"
        return spec, f"the generator {spec.source} gives as many for an input of {size}"
    return None


def _context(facts: Facts) -> ModelContext:
    for info in facts.description.inputs:
        if len(info.shape) == 4 and 3 in (info.shape[1], info.shape[3]):
            height, width = info.shape[1:3] if info.shape[3] == 3 else info.shape[2:4]
            return ModelContext(width, height, facts.description.path)
    return ModelContext(file=facts.description.path)


def _background(facts: Facts, heads: _Heads) -> tuple[bool, str]:
    """Whether the first column of the scores is the background."""
    n, names = heads.columns, facts.metadata.labels
    start = f"decoder.background: {n} columns"
    if n in {COCO_CLASSES_80, COCO_IDS_90}:
        return False, f"{start} are COCO's classes without a background."
    if n in {COCO_CLASSES_80 + 1, COCO_IDS_90 + 1}:
        return True, f"{start} are the background and COCO's {n - 1} classes."
    if len(names) == n:
        first = names[0].lower() in BACKGROUND
        return first, f"{start}, and the model's own list starts with {names[0]!r}."
    if len(names) == n - 1:
        return True, f"{start} are the background and the {n - 1} names in {facts.metadata.label_file}."
    return True, f"{start}; the first is taken for the background, as the Object Detection API has it."


def _activation(facts: Facts, heads: _Heads) -> tuple[bool, str]:
    """Whether a sigmoid still has to be applied to the scores."""
    found = trace.source(facts.graph, facts.graph.primary.outputs[heads.scores])
    if found is not None and found.name in trace.ACTIVATED:
        return False, f"decoder.activation: none, the scores come from {found.name}."
    if found is not None and found.name in trace.RAW:
        return True, f"decoder.activation: sigmoid, the scores come from {found.name} directly."
    info = facts.description.outputs[heads.scores]
    if info.scale is not None and info.scale * 255 > 2:
        return True, "decoder.activation: sigmoid, the scores' quantized range is wider than 0…1."
    return False, "decoder.activation: none; nothing in the file speaks against scores of 0…1."


@dataclass(frozen=True)
class _Layout:
    """How anchors that the model gives as an output are laid out."""

    corners: bool
    x_first: bool
    evidence: tuple[str, ...]


def _layout(facts: Facts, heads: _Heads) -> _Layout | None:
    """Return the layout of an anchors output, from the constants that it is made of; None when they do not tell."""
    if heads.anchors is None:
        return None
    graph = facts.graph
    parts = [
        tensor
        for tensor in trace.ancestors(graph, graph.primary.outputs[heads.anchors])
        if tensor.constant
        and tensor.shape[-1:] == (4,)
        and tensor.n_elements >= 4 * FEWEST_BOXES
        and tensor.dtype in {"float32", "uint8", "int8"}
    ]
    if not parts:
        return None
    largest = max(parts, key=lambda tensor: tensor.n_elements)
    return layout_of(anchors.read_values(graph, largest), largest.name)


def layout_of(values: np.ndarray[tuple[int, ...], np.dtype[np.float32]], name: str) -> _Layout:
    """Return the layout of anchors [N, 4] that lie row by row, column by column.

    Corners: the second corner is never before the first, but sizes are before centers at the image's far side.
    Along the rows x sweeps the image again and again, y once: the axis that moves more is x.
    """
    corners = bool((values[:, 2:] >= values[:, :2]).all())
    centers = (values[:, :2] + values[:, 2:]) / 2 if corners else values[:, :2]
    moved = np.abs(np.diff(centers, axis=0)).sum(axis=0)
    x_first = bool(moved[0] > moved[1])
    words = "two corners" if corners else "centre and size"
    return _Layout(
        corners,
        x_first,
        (
            f"decoder.anchors.format: the values of {name} are {words}.",
            f"decoder.box_format: {'x' if x_first else 'y'} stands first, as in the values of {name}.",
            *(("decoder.box_coding: anchors as corners go with offsets of the corners.",) if corners else ()),
        ),
    )
