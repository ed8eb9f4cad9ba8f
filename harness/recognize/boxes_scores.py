"""Recognize two tensors of decoded boxes and class scores: YOLO-NAS, DAMO-YOLO, YOLOv4, RT-DETR, D-FINE, RF-DETR."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from harness.cards import DecoderSpec, NmsSpec
from harness.detectors.yolo import grid_sizes
from harness.recognize.family import COCO_IDS_90, Facts, Family, Refusal, contiguous_labels, ssd_labels
from harness.tflite import trace

MOST_QUERIES = 1000
"""More rows than DETR models have queries: they have 100 to 900."""
_BOX_NAMES = re.compile(r"box|det|loc", re.IGNORECASE)
_SCORE_NAMES = re.compile(r"class|score|conf|logit|label|prob", re.IGNORECASE)


def boxes_scores(facts: Facts) -> Family | Refusal | None:
    """Recognize two outputs with as many rows, one of four columns; encodings against anchors are `ssd_raw`'s."""
    if len(facts.outputs) != 2:
        return None
    turned = any(
        info.shape[1:2] == (4,) and len(info.shape) == 3 and info.shape[2] > 4 for info in facts.outputs
    )
    sides = [_table(info.shape, turned) for info in facts.outputs]
    if None in sides or len({side[0] for side in sides if side}) != 1:
        return None
    n, widths = sides[0][0] if sides[0] else 0, [side[1] for side in sides if side]
    boxes = _which(facts, widths)
    if boxes is None:
        return _unclear(facts) if widths == [4, 4] else None
    columns = widths[1 - boxes]
    on_grid = n in {
        k * cells for k in (1, 3) for cells in grid_sizes(facts.context.width, facts.context.height)
    }
    if not on_grid and n > MOST_QUERIES:
        return Refusal(
            "boxes and class scores of an unknown kind",
            (
                f"outputs: {n} rows are neither a grid of the input nor queries, and no anchors are at hand: state "
                "decoder ssd-raw with [decoder.anchors], or decoder boxes-scores, in a card.",
            ),
        )
    return _family(facts, boxes, n, columns, on_grid)


def _family(facts: Facts, boxes: int, n: int, columns: int, on_grid: bool) -> Family | Refusal:
    activation, reason = _activation(facts, 1 - boxes)
    found = _background(facts, 1 - boxes, columns, activation)
    if isinstance(found, Refusal):
        return found
    background, background_reason = found
    spec = DecoderSpec(
        name="boxes-scores",
        order="boxes,scores" if boxes == 0 else "scores,boxes",
        box_format="xyxy" if on_grid else "xywh",
        activation=activation,
        background=background,
        nms=NmsSpec(kind="class-aware" if on_grid else "none"),
    )
    n_classes = columns - (background != "none")
    labels, label_evidence = (ssd_labels if n_classes == COCO_IDS_90 else contiguous_labels)(
        n_classes, facts.metadata
    )
    kind = "the cells of a grid, so they are suppressed" if on_grid else "queries, each object once: no NMS"
    return Family(
        decoder=spec,
        labels=labels,
        evidence=(
            f"decoder: boxes and {columns} class scores of {n} rows: {kind}.",
            f"decoder.order: {spec.order}, by the shapes.",
            reason,
            background_reason,
            label_evidence,
        ),
        open=tuple(msgspec.structs.replace(spec, **change) for change in _readings(spec, on_grid)),
        normalization=(0.0, 255.0),
        resize="letterbox" if on_grid else "stretch",
    )


def _readings(spec: DecoderSpec, on_grid: bool) -> list[dict[str, Any]]:
    """Return the formats of a box, the usual one first; logits can need a sigmoid, or DETR's softmax."""
    formats = ["xyxy", "xywh", "yxyx"] if on_grid else ["xywh", "xyxy", "yxyx"]
    forms: list[dict[str, Any]] = [{"box_format": name} for name in (*formats, "ltwh")]
    if spec.activation != "sigmoid" or on_grid:
        return forms
    return forms + [{**form, "activation": "softmax", "background": "last"} for form in forms]


def _table(shape: tuple[int, ...], turned: bool) -> tuple[int, int] | None:
    """Return (N, columns) of [1, N, columns] or [1, N, 1, columns], or of a transposed [1, columns, N]."""
    if len(shape) == 4 and shape[2] == 1:
        shape = (shape[0], shape[1], shape[3])
    if len(shape) != 3 or shape[0] != 1 or min(shape) < 1:
        return None
    return (shape[2], shape[1]) if turned else (shape[1], shape[2])


def _which(facts: Facts, widths: list[int]) -> int | None:
    """Return the output that holds the boxes; None where both or none could."""
    fours = [k for k, width in enumerate(widths) if width == 4]
    if len(fours) == 1:
        return fours[0]
    names = [info.name for info in facts.outputs]
    boxes = [k for k in fours if _BOX_NAMES.search(names[k]) and not _SCORE_NAMES.search(names[k])]
    activated = [k for k in fours if facts.activated(k)]
    if len(boxes) == 1:
        return boxes[0]
    return 1 - activated[0] if len(activated) == 1 else None


def _unclear(facts: Facts) -> Refusal:
    names = ", ".join(f"{info.name or 'unnamed'} {list(info.shape)}" for info in facts.outputs)
    return Refusal(
        "boxes and scores of four classes, of which neither is marked",
        (
            f"outputs: {names}: which is which stands nowhere: state decoder boxes-scores and its order in a card.",
        ),
    )


def _activation(facts: Facts, scores: int) -> tuple[Literal["none", "sigmoid", "softmax"], str]:
    """Whether the scores are logits, by the operator that computes them; else the pictures decide."""
    found = trace.source(facts.graph, facts.graph.primary.outputs[scores])
    if found is not None and found.name in trace.ACTIVATED:
        return "none", f"decoder.activation: none, the scores come from {found.name}."
    if found is not None and found.name in {*trace.RAW, "ADD"}:
        return "sigmoid", f"decoder.activation: sigmoid, the scores come from {found.name} directly."
    return "none", "decoder.activation: none; nothing in the file speaks against scores of 0…1."


def _background(
    facts: Facts, scores: int, columns: int, activation: str
) -> tuple[Literal["first", "last", "none"], str] | Refusal:
    """Return the place of the background among the scores' columns; refuse a softmax that does not show it."""
    start = f"decoder.background: {columns} columns"
    n = len(facts.metadata.labels)
    found = trace.source(facts.graph, facts.graph.primary.outputs[scores])
    softmax = found is not None and found.name == "SOFTMAX"
    if columns == COCO_IDS_90 + 1 and not softmax:
        return "first", f"{start} are COCO's 90 ids and a column 0 that none has, as RF-DETR counts."
    if softmax and n == columns - 1:
        return "last", f"{start} are the {n} names of the file and no-object, under a softmax as in DETR."
    if softmax and n != columns:
        return Refusal(
            "a detector whose scores are a softmax over classes and a background (DETR, SSD)",
            (
                f"{start} under a softmax; which is the background stands nowhere: state decoder.background in a card.",
            ),
        )
    if n == columns - 1 and n:
        return "first", f"{start} are the background and the {n} names of the file."
    return "none", f"{start} are classes; a background unless the file names as many."
