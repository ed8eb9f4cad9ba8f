"""Refuse models that look like detectors but are none, or that give more than boxes, by their names."""

from __future__ import annotations

from harness.recognize.family import Facts, Refusal
from harness.tflite import trace
from harness.tflite.tensor_info import TensorInfo

MEASURED_TASKS = frozenset({"detect", "segment", "pose"})
_KINDS = {
    "obb": "rotated boxes (oriented detection)",
    "classify": "a classifier",
}
_FEWEST_ROWS = 100
"""Fewer rows than keypoint detectors have anchors."""


def other_task(facts: Facts) -> Refusal | None:
    """Refuse a model whose own file names a task that boxes and classes cannot measure."""
    task = facts.metadata.task
    if task is None or task in MEASURED_TASKS:
        return None
    known = ", ".join(sorted(MEASURED_TASKS))
    return Refusal(
        _KINDS.get(task, f"a model for the task {task!r}"),
        (f"task: {facts.metadata.label_file} in the file says {task!r}; measured are {known}.",),
    )


def classifier(facts: Facts) -> Refusal | None:
    """Refuse one vector of scores."""
    if len(facts.outputs) != 1:
        return None
    info = facts.outputs[0]
    sizes = [size for size in info.shape if size != 1]
    if len(sizes) == 1 and sizes[0] >= 2 and len(info.shape) in {1, 2, 4}:
        return Refusal("a classifier", (f"outputs: one vector {_words(info)}: class scores, and no boxes.",))
    return None


def maps(facts: Facts) -> Refusal | None:
    """Refuse one map over the image: a segmenter, heat maps of keypoints, or FOMO's grid of cells."""
    context = facts.context
    if len(facts.outputs) != 1 or not context.width:
        return None
    info = facts.outputs[0]
    shape = info.shape if len(info.shape) == 4 else (*info.shape, 1)
    if len(shape) != 4 or shape[0] != 1:
        return None
    height, width, depth = shape[1:]
    if height * context.width != width * context.height or width > context.width:
        return None
    where = f"outputs: one map {_words(info)} over an input of {context.width}×{context.height}"
    if width * 4 > context.width:
        return Refusal("a segmenter", (f"{where}: a class for every pixel, and no boxes.",))
    softmax = trace.source(facts.graph, facts.graph.primary.outputs[0])
    if (softmax is not None and softmax.name == "SOFTMAX") or depth < 6:
        return Refusal(
            "FOMO or a heat map: a grid of class scores",
            (f"{where}, {depth} scores a cell: places without boxes, of which COCO's mAP cannot be had.",),
        )
    return None


def keypoints(facts: Facts) -> Refusal | None:
    """Refuse a box with points and one score a row (BlazeFace, palms, poses), or points alone (MoveNet)."""
    if len(facts.outputs) == 1 and facts.outputs[0].shape[-2:] in {(17, 3), (6, 56)}:
        return Refusal(
            "a pose model: keypoints of persons",
            (f"outputs: {_words(facts.outputs[0])}: 17 points each, and no classes.",),
        )
    tables = [info for info in facts.outputs if len(info.shape) == 3 and info.shape[1] >= _FEWEST_ROWS]
    boxes = [info for info in tables if info.shape[2] > 4 and info.shape[2] % 2 == 0]
    scores = [info for info in tables if info.shape[2] == 1]
    if (
        len(facts.outputs) >= 2
        and boxes
        and [info.shape[1] for info in boxes] == [i.shape[1] for i in scores]
    ):
        n = (boxes[0].shape[2] - 4) // 2
        return Refusal(
            "a keypoint detector (BlazeFace and its kind)",
            (
                f"outputs: {', '.join(_words(info) for info in (*boxes, *scores))}: a box, {n} points and one score a "
                "row, and no classes.",
            ),
        )
    return None


def _words(info: TensorInfo) -> str:
    return f"{info.name or 'unnamed'} {list(info.shape)}"
