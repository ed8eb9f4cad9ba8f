"""Recognize a detector's family: one function a family, one line each in `RECOGNIZERS`, the surest evidence first."""

from __future__ import annotations

from collections.abc import Callable

from harness.recognize.boxes_scores import boxes_scores
from harness.recognize.centernet import centernet
from harness.recognize.dfl import dfl
from harness.recognize.end2end import end2end
from harness.recognize.family import Facts, Family, Refusal
from harness.recognize.final_outputs import final_outputs
from harness.recognize.inputs import unusual_inputs
from harness.recognize.levels import levels
from harness.recognize.mediapipe import mediapipe
from harness.recognize.not_detectors import classifier, keypoints, maps, other_task
from harness.recognize.ssd import ssd_postprocess
from harness.recognize.ssd_raw import ssd_raw
from harness.recognize.yolo import yolo

Recognizer = Callable[[Facts], Family | Refusal | None]

# fmt: off
RECOGNIZERS: tuple[Recognizer, ...] = (
    unusual_inputs,   # refused: several inputs, a fixed batch, a dynamic size
    other_task,       # refused: the file says that it classifies, or finds rotated boxes
    keypoints,        # refused: BlazeFace, palms, poses
    classifier,       # refused: one vector of scores
    ssd_postprocess,  # boxes, classes, scores, count after NMS inside the model
    final_outputs,    # the same of other exporters, in any order
    mediapipe,        # raw heads with the anchors in the metadata
    ssd_raw,          # box encodings and class scores against anchors
    boxes_scores,     # decoded boxes and class scores
    centernet,        # heat map, sizes, offsets
    maps,             # refused: segmenters, FOMO, heat maps
    levels,           # raw YOLO grids, one an output
    end2end,          # one table of final detections
    dfl,              # class scores and distributions of distances
    yolo,             # one table of boxes, perhaps objectness, class scores, masks or points
)
# fmt: on


def recognize(facts: Facts) -> Family | Refusal | None:
    """Return the answer of the first recognizer that knows the model; None when none does."""
    return next(
        (family for family in (recognizer(facts) for recognizer in RECOGNIZERS) if family is not None), None
    )
