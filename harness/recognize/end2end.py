"""Recognize one table of final detections: YOLO26, YOLOv10, `nms=True`."""

from __future__ import annotations

from harness.cards import DecoderSpec, Labels
from harness.detectors.yolo import grid_sizes
from harness.recognize.family import Facts, Family, Refusal, contiguous_labels

COLUMNS = 6
ROTATED = 7
MOST_ROWS = 1000


def end2end(facts: Facts) -> Family | Refusal | None:
    """Recognize one output [1, N, 6], where N is no grid of the input; refuse [1, N, 7] by name."""
    if len(facts.outputs) != 1 or len(facts.outputs[0].shape) not in {2, 3}:
        return None
    first, second = facts.outputs[0].shape[-2:]
    n, width = (first, second) if second in {COLUMNS, ROTATED} else (second, first)
    if width not in {COLUMNS, ROTATED} or _is_grid(facts, n) or n > MOST_ROWS:
        return None
    shape = list(facts.outputs[0].shape)
    if width == ROTATED:
        return Refusal(
            "rotated boxes, or a table with an image number",
            (
                f"outputs: {shape} has seven columns in {n} rows: a box, a score, a class and an angle (oriented "
                "detection, not measured), or YOLOv7's with the number of the image first; for that write a card "
                'with decoder end2end and order = "-,box,class,score".',
            ),
        )
    return _family(facts, shape, n)


def _is_grid(facts: Facts, n: int) -> bool:
    """Whether the number of rows can be that of a grid: it is then a YOLO table of few classes."""
    cells = grid_sizes(facts.context.width, facts.context.height)
    return n in cells or n in {3 * count for count in cells}


def _family(facts: Facts, shape: list[int], n: int) -> Family:
    labels, label_evidence = _labels(facts)
    stated = facts.metadata.end2end
    said = "" if not stated else f", and {facts.metadata.label_file} in the file says that NMS is done"
    return Family(
        decoder=DecoderSpec(name="end2end"),
        labels=labels,
        evidence=(
            f"decoder: {shape} is a table of {n} final detections of six columns, box, score and class: {n} rows are "
            f"no grid of the input{said}.",
            label_evidence,
        ),
        open=(
            DecoderSpec(name="end2end"),
            DecoderSpec(name="end2end", order="box,class,score"),
            DecoderSpec(name="end2end", box_format="yxyx"),
            DecoderSpec(name="end2end", box_format="xywh"),
        ),
        settled=True,
        normalization=(0.0, 255.0),
        resize="letterbox",
    )


def _labels(facts: Facts) -> tuple[Labels, str]:
    names = facts.metadata.labels
    if names:
        return contiguous_labels(len(names), facts.metadata)
    return Labels(map="coco80"), (
        "labels: the table does not tell how many classes there are; taken for COCO's 80, which such models are "
        "published with: state the card's [labels] for others."
    )
