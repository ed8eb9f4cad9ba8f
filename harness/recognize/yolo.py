"""Recognize YOLO models: one table of boxes and class scores, perhaps with masks, points or prototypes."""

from __future__ import annotations

from typing import Literal

from harness.cards import DecoderSpec
from harness.detectors.base import ModelContext
from harness.detectors.yolo import columns_first, grid_sizes
from harness.recognize.columns import Columns, Table, find_columns
from harness.recognize.family import Facts, Family, Refusal, contiguous_labels
from harness.tflite import trace

FEWEST_BOXES = 20
FEWEST_COLUMNS = 5
_ANCHORS_PER_CELL = 3
_MOST_QUERIES = 1000
_METHOD = (
    "input.method: pillow-bilinear, which antialiases; figures of YOLO models are published with OpenCV's bilinear: "
    "`--resize opencv-bilinear`."
)


def yolo(facts: Facts) -> Family | Refusal | None:
    """Recognize one table [1, N, columns] or [1, columns, N], where N is the number of cells of the input's grids."""
    context = facts.context
    table = _table(facts, context)
    if table is None or not context.width:
        return None
    cells = grid_sizes(context.width, context.height)
    known = {n * count for count in cells for n in (1, _ANCHORS_PER_CELL)}
    if table.n not in known:
        return _queries(facts, table) if table.n <= _MOST_QUERIES else _no_grid(facts, table)
    found = find_columns(facts, table, cells)
    if isinstance(found, Refusal):
        return found
    one_a_cell = found.objectness and table.n in cells and not _constant_objectness(facts, table)
    if one_a_cell and (_is_grid(facts, table) or _has_exp(facts)):
        return _yolox(facts, table, cells[table.n], found)
    return _family(facts, table, found)


def _family(facts: Facts, table: Table, found: Columns) -> Family:
    labels, label_evidence = contiguous_labels(found.n_classes, facts.metadata)
    name = "yolov5" if found.objectness else "yolov8"
    if found.objectness and _constant_objectness(facts, table):
        name = "yolov6"
    activation = _activation(facts, table, found)
    return Family(
        decoder=DecoderSpec(name=name, activation=activation, extra_columns=found.extra),
        labels=labels,
        evidence=(
            *found.evidence,
            f"decoder.activation: {activation}, by the operator that the class scores come from.",
            label_evidence,
            _METHOD,
        ),
        normalization=(0.0, 255.0),
        resize="letterbox",
    )


def _queries(facts: Facts, table: Table) -> Family | Refusal:
    """Recognize fewer rows than a grid: Ultralytics' RT-DETR where the columns are 4 + names or activated scores."""
    shape = list(facts.outputs[table.output].shape)
    names = len(facts.metadata.names or facts.metadata.labels)
    pieces = trace.pieces(facts.graph, facts.graph.primary.outputs[table.output], table.columns)
    by_pieces = [piece.width for piece in pieces] == [4, table.columns - 4] and pieces[1].activated
    if names != table.columns - 4 and (names or not by_pieces):
        return _no_grid(facts, table)
    labels, label_evidence = contiguous_labels(table.columns - 4, facts.metadata)
    return Family(
        decoder=DecoderSpec(name="rtdetr"),
        labels=labels,
        evidence=(
            f"decoder: {shape} is a table of {table.n} queries, a box and {table.columns - 4} class scores each, as "
            "Ultralytics exports RT-DETR: no grid of the input has so few rows, and no NMS follows.",
            label_evidence,
        ),
        normalization=(0.0, 255.0),
    )


def _no_grid(facts: Facts, table: Table) -> Refusal:
    shape, context = list(facts.outputs[table.output].shape), facts.context
    cells = ", ".join(str(n) for n in sorted(grid_sizes(context.width, context.height))[-3:])
    return Refusal(
        "a table of boxes that is no YOLO head",
        (
            f"outputs: {shape} has {table.n} rows, but grids of an input of {context.width}×{context.height} have "
            f"{cells} or three times as many: final detections or queries of a form that is not known.",
        ),
    )


def _yolox(facts: Facts, table: Table, strides: tuple[int, ...], found: Columns) -> Family:
    """Return the family of one box a cell, with objectness.

    Images are prepared as YOLOX does (`yolox/data/data_augment.py`, `preproc`).
    """
    labels, label_evidence = contiguous_labels(found.n_classes, facts.metadata)
    decoded = _has_exp(facts)
    boxes = (
        "decoder.box_format: xywh, the graph takes the exponential of the sizes itself, as YOLOX with "
        "decode_in_inference does."
        if decoded
        else "decoder.box_format: grid, nothing is computed after the convolution that gives the boxes, so they are "
        f"relative to their cells, as YOLOX exports them; {table.n} boxes are the cells of the strides {list(strides)}."
    )
    return Family(
        decoder=DecoderSpec(
            name="yolox",
            box_format="xywh" if decoded else "grid",
            strides=strides,
            activation=_activation(facts, table, found),
            extra_columns=found.extra,
        ),
        labels=labels,
        evidence=(
            *found.evidence,
            boxes,
            "input.channels: bgr, images at the top left: the habit of YOLOX.",
            label_evidence,
            _METHOD,
        ),
        normalization=(0.0, 1.0),
        resize="letterbox",
        pad_position="corner",
        channels="bgr",
    )


def _has_exp(facts: Facts) -> bool:
    """Whether the graph has an exponential, which of these families only YOLOX's boxes need."""
    return any(name == "EXP" for name, _ in facts.description.operators)


def _table(facts: Facts, context: ModelContext) -> Table | None:
    """Return the only table among the outputs; prototypes [1, H, W, masks] may be another output."""
    tables = [k for k, info in enumerate(facts.outputs) if len(info.shape) == 3]
    maps = [k for k, info in enumerate(facts.outputs) if len(info.shape) == 4]
    if len(tables) != 1 or len(tables) + len(maps) != len(facts.outputs) or len(maps) > 1:
        return None
    shape = facts.outputs[tables[0]].shape
    if shape[0] != 1 or min(shape[1:]) < FEWEST_COLUMNS:
        return None
    turned = columns_first(shape, context)
    columns, n = shape[1:] if turned else shape[:0:-1]
    masks = min(facts.outputs[maps[0]].shape[1], facts.outputs[maps[0]].shape[3]) if maps else 0
    return Table(tables[0], n, columns, turned, masks) if n >= FEWEST_BOXES else None


def _is_grid(facts: Facts, table: Table) -> bool:
    """Whether the boxes come directly from a convolution, so that they are still relative to their cells."""
    found = trace.source(facts.graph, facts.graph.primary.outputs[table.output])
    return found is not None and found.name in trace.RAW


def _constant_objectness(facts: Facts, table: Table) -> bool:
    """Whether the column after the box is independent of the picture: YOLOv6 fills it with ones."""
    pieces = trace.pieces(facts.graph, facts.graph.primary.outputs[table.output], table.columns)
    at = 0
    for piece in pieces:
        if at == 4:
            return piece.width == 1 and (piece.source is None or piece.source.name in {"FILL", "ONES_LIKE"})
        at += piece.width
    return False


def _activation(facts: Facts, table: Table, found: Columns) -> Literal["none", "sigmoid"]:
    """Whether scores still need the sigmoid: those directly from a convolution do."""
    output = facts.graph.primary.outputs[table.output]
    pieces = trace.pieces(facts.graph, output, table.columns)
    at, end = 0, table.columns - found.extra
    for piece in pieces:
        at += piece.width
        if at == end:
            return "sigmoid" if piece.raw else "none"
    return "none"
