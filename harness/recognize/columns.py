"""Tell the columns of a YOLO table apart: box, objectness, classes, and masks or points that are not measured.

The evidence is the file's own names and task, the parts that the table is concatenated from, and arithmetic; where
these contradict each other or prove nothing, the model is refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from harness.recognize.family import COCO_CLASSES_80, COCO_IDS_90, Facts, Refusal
from harness.tflite import trace

_COCO_COUNTS = {COCO_CLASSES_80, COCO_IDS_90, COCO_IDS_90 + 1}


@dataclass(frozen=True)
class Table:
    """The output that holds the boxes.

    Attributes:
        output: Its index.
        n: Number of rows.
        columns: Numbers a row.
        columns_first: Whether it is [1, columns, N].
        masks: Channels of the mask prototypes in another output; 0 without.
    """

    output: int
    n: int
    columns: int
    columns_first: bool
    masks: int = 0


@dataclass(frozen=True)
class Columns:
    """The columns of a table: whether there is an objectness, the classes, and the columns behind them."""

    objectness: bool
    n_classes: int
    extra: int
    evidence: tuple[str, ...]


def find_columns(facts: Facts, table: Table, cells: Iterable[int]) -> Columns | Refusal:
    """Tell the columns of a table apart."""
    pieces = trace.pieces(facts.graph, facts.graph.primary.outputs[table.output], table.columns)
    shape = list(facts.outputs[table.output].shape)
    tail = _tail(pieces)
    if tail == 1 and not table.masks:
        return _rotated(shape, pieces)
    objectness = _objectness(facts, table, set(cells), pieces)
    names = len(facts.metadata.labels)
    if names:
        return _by_names(facts, table, objectness, tail)
    if objectness is None:
        return _open(table, shape)
    known, reason = objectness
    extra = table.masks or tail or 0
    n_classes = table.columns - 4 - known - extra
    if n_classes < 1:
        return _open(table, shape)
    return Columns(known, n_classes, extra, (f"decoder: {shape} {reason}.", *_extra_reason(table, extra)))


def _tail(pieces: list[trace.Piece]) -> int | None:
    """Return the number of columns behind the class scores that other operators compute; None where that is unknown."""
    at, scores = 0, False
    for place, piece in enumerate(pieces):
        at += piece.width
        if at <= 4:
            continue
        if piece.activated:
            scores = True
        elif scores:
            return sum(one.width for one in pieces[place:])
    return 0 if scores else None


def _rotated(shape: list[int], pieces: list[trace.Piece]) -> Refusal:
    last = pieces[-1].source
    return Refusal(
        "rotated boxes (oriented detection)",
        (
            f"outputs: the last column of {shape} does not come from a sigmoid like the class scores before it but "
            f"from {'a constant' if last is None else last.name}: an angle.",
        ),
    )


def _by_names(
    facts: Facts, table: Table, objectness: tuple[bool, str] | None, tail: int | None
) -> Columns | Refusal:
    """Use the file's class names: the columns must be 4 or 5, the names, and those that the task adds."""
    names, file = len(facts.metadata.labels), facts.metadata.label_file
    shape = list(facts.outputs[table.output].shape)
    usual = [objectness[0]] if objectness else [False, True]
    for known in dict.fromkeys((*usual, False, True)):
        extra = table.columns - 4 - known - names
        if extra == 0 or (extra > 0 and extra in _allowed(facts, table, tail)):
            words = f"decoder: {shape} is {4 + known} columns and the {names} names in {file}"
            more = f" and {extra} more" if extra else ""
            return Columns(known, names, extra, (f"{words}{more}.", *_extra_reason(table, extra)))
    return Refusal(
        "a table that contradicts the file's own names",
        (
            f"outputs: {shape} has {table.columns} columns, but {file} in the file names {names} classes"
            f"{f' for the task {facts.metadata.task!r}' if facts.metadata.task else ''}; expected {4 + names} or "
            f"{5 + names}{' and mask or keypoint columns' if facts.metadata.task in {'segment', 'pose'} else ''}.",
        ),
    )


def _allowed(facts: Facts, table: Table, tail: int | None) -> set[int]:
    """Return the numbers of columns that may follow the classes."""
    allowed = {count for count in (table.masks, tail) if count}
    if facts.metadata.task == "segment" and not allowed:
        allowed.add(32)
    if facts.metadata.task == "pose":
        allowed |= {n * values for n in range(1, 200) for values in (2, 3)}
    return allowed


def _extra_reason(table: Table, extra: int) -> tuple[str, ...]:
    if not extra:
        return ()
    kind = "mask coefficients, with prototypes beside them" if table.masks else "points or masks"
    return (
        f"decoder.extra_columns: the last {extra} columns are {kind}; the boxes are measured without them.",
    )


def _objectness(
    facts: Facts, table: Table, cells: set[int], pieces: list[trace.Piece]
) -> tuple[bool, str] | None:
    """Return whether the column after the box is the objectness, with the evidence; None where that is unknown."""
    if table.columns_first and 1 not in [piece.width for piece in pieces[1:-1]]:
        return False, "is [1, 4 + classes, boxes], as YOLOv8 and YOLO11 export it"
    if table.n in {3 * count for count in cells} and table.n not in cells:
        return True, "holds three boxes for each grid cell: YOLOv5 or v7, with objectness"
    names = len(facts.metadata.labels)
    for objectness in (True, False):
        if names and names == table.columns - 4 - objectness:
            return objectness, f"leaves {4 + objectness} columns beside the {names} named classes"
    widths = [piece.width for piece in pieces] or trace.joined_widths(
        facts.graph, facts.graph.primary.outputs[table.output], table.columns
    )
    return _by_widths(widths, table)


def _by_widths(widths: list[int], table: Table) -> tuple[bool, str] | None:
    """Find the objectness by the parts that the table is concatenated from, or by COCO's numbers."""
    edges = {sum(widths[:k]) for k in range(len(widths) + 1)}
    if {4, 5} <= edges and table.columns > 5:
        return True, f"is put together from {widths} columns"
    for objectness in (False, True):
        if table.columns - 4 - objectness in _COCO_COUNTS:
            return objectness, f"leaves {4 + objectness} columns beside COCO's classes"
    # Objectness and classes can also stand in one piece, so this comes last.
    return (False, f"is put together from {widths} columns") if 4 in edges and widths else None


def _open(table: Table, shape: list[int]) -> Refusal:
    return Refusal(
        "a YOLO table whose columns are not told",
        (
            f"outputs: {shape}: {table.columns} columns are {table.columns - 4} classes, or an objectness and "
            f"{table.columns - 5}; nothing in the file says which: state decoder yolov5 or yolov8 in a card, or let "
            "`harness models probe` find out.",
        ),
    )
