"""Recognise YOLO models: one table of boxes and class scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from harness.cards import DecoderSpec
from harness.detectors.base import ModelContext
from harness.detectors.yolo import columns_first, grid_sizes
from harness.recognize.family import COCO_CLASSES_80, COCO_IDS_90, Facts, Family, contiguous_labels
from harness.tflite import trace
from harness.tflite.tensor_info import TensorInfo

FEWEST_BOXES = 20
FEWEST_COLUMNS = 5
_ANCHORS_PER_CELL = 3
_COCO_COUNTS = {COCO_CLASSES_80, COCO_IDS_90, COCO_IDS_90 + 1}


@dataclass(frozen=True)
class _Table:
    """The output that holds the boxes: its index, N, columns, and whether it is [1, columns, N]."""

    output: int
    n: int
    columns: int
    columns_first: bool


def yolo(facts: Facts) -> Family | None:
    """One output [1, N, columns] or [1, columns, N], where N is what the input's grids hold."""
    context = _context(facts)
    table = _table(facts, context)
    if table is None or not context.width:
        return None
    cells = grid_sizes(context.width, context.height)
    objectness, reason = _objectness(facts, table, set(cells))
    if objectness and table.columns < FEWEST_COLUMNS + 1:
        return None
    n_classes = table.columns - 4 - objectness
    labels, label_evidence = contiguous_labels(n_classes, facts.metadata)
    one_a_cell = table.n in cells
    if objectness and one_a_cell and (_is_grid(facts, table) or _has_exp(facts)):
        return _yolox(facts, table, cells[table.n], (reason, label_evidence))
    decoder = DecoderSpec(name="yolov5" if objectness else "yolov8", activation=_activation(facts, table))
    return Family(
        decoder=decoder,
        labels=labels,
        evidence=(
            reason,
            f"decoder.activation: {decoder.activation}, by the operator that the class scores come from.",
            label_evidence,
        ),
        normalization=(0.0, 255.0),
        resize="letterbox",
    )


def _yolox(facts: Facts, table: _Table, strides: tuple[int, ...], known: tuple[str, str]) -> Family:
    """One box a cell, with objectness; images as YOLOX takes them (`yolox/data/data_augment.py`, `preproc`)."""
    reason, label_evidence = known
    labels, _ = contiguous_labels(table.columns - 5, facts.metadata)
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
            activation=_activation(facts, table),
        ),
        labels=labels,
        evidence=(
            reason,
            boxes,
            "input.channels: bgr, images at the top left: the habit of YOLOX.",
            label_evidence,
        ),
        normalization=(0.0, 1.0),
        resize="letterbox",
        pad_position="corner",
        channels="bgr",
    )


def _has_exp(facts: Facts) -> bool:
    """Whether the graph has an exponential, which of these families only YOLOX's boxes need."""
    return any(name == "EXP" for name, _ in facts.description.operators)


def _context(facts: Facts) -> ModelContext:
    for info in facts.description.inputs:
        if len(info.shape) == 4 and 3 in (info.shape[1], info.shape[3]):
            height, width = info.shape[1:3] if info.shape[3] == 3 else info.shape[2:4]
            return ModelContext(max(width, 0), max(height, 0))
    return ModelContext()


def _table(facts: Facts, context: ModelContext) -> _Table | None:
    for index, info in enumerate(facts.description.outputs):
        if len(info.shape) == 3 and info.shape[0] == 1 and min(info.shape[1:]) >= FEWEST_COLUMNS:
            turned = columns_first(info.shape, context)
            columns, n = info.shape[1:] if turned else info.shape[:0:-1]
            if n >= FEWEST_BOXES and _is_first_table(facts.description.outputs, index):
                return _Table(index, n, columns, turned)
    return None


def _is_first_table(outputs: tuple[TensorInfo, ...], index: int) -> bool:
    """The decoder takes the first table; what else stands beside it must not come before."""
    return all(len(info.shape) != 3 for info in outputs[:index])


def _objectness(facts: Facts, table: _Table, cells: set[int]) -> tuple[bool, str]:
    """Whether the column after the box is the objectness, with the evidence."""
    shape = list(facts.description.outputs[table.output].shape)
    if table.columns_first:
        return False, f"decoder: {shape} is [1, 4 + classes, boxes], as YOLOv8 and YOLO11 export it."
    if table.n in {_ANCHORS_PER_CELL * count for count in cells} and table.n not in cells:
        return True, f"decoder: {shape} holds three boxes for each grid cell: YOLOv5 or v7, with objectness."
    by_columns = _objectness_by_columns(facts, table)
    if by_columns is not None:
        return by_columns[0], f"decoder: {shape} {by_columns[1]}."
    return table.n not in cells, f"decoder: {shape} is a table of boxes; try `harness models probe`."


def _objectness_by_columns(facts: Facts, table: _Table) -> tuple[bool, str] | None:
    """Tell the objectness by the named classes, by how the table is put together, or by COCO's numbers."""
    names = len(facts.metadata.labels)
    for objectness in (True, False):
        if names and names == table.columns - 4 - objectness:
            return objectness, f"leaves {4 + objectness} columns beside the {names} named classes"
    widths = trace.joined_widths(facts.graph, facts.graph.primary.outputs[table.output], table.columns)
    if table.columns - 5 in widths and 1 in widths:
        return True, f"is put together from {widths} columns"
    for objectness in (False, True):
        if table.columns - 4 - objectness in _COCO_COUNTS:
            return objectness, f"leaves {4 + objectness} columns beside COCO's classes"
    # Objectness and classes can also stand in one piece, so this comes last.
    return (False, f"is put together from {widths} columns") if table.columns - 4 in widths else None


def _is_grid(facts: Facts, table: _Table) -> bool:
    """Whether the boxes come straight from a convolution, so that they are still relative to their cells."""
    found = trace.source(facts.graph, facts.graph.primary.outputs[table.output])
    return found is None or found.name in trace.RAW


def _activation(facts: Facts, table: _Table) -> Literal["none", "sigmoid"]:
    """Scores straight from a convolution still need the sigmoid."""
    output = facts.graph.primary.outputs[table.output]
    found = trace.source(facts.graph, output, part=-1)
    apart = trace.joined_widths(facts.graph, output, table.columns)
    return "sigmoid" if apart and found is not None and found.name in trace.RAW else "none"
