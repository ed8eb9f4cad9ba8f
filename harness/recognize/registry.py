"""Recognise a detector's family: one function a family, one line each in `RECOGNISERS`."""

from __future__ import annotations

from collections.abc import Callable

from harness.recognize.centernet import centernet
from harness.recognize.family import Facts, Family
from harness.recognize.ssd import ssd_postprocess
from harness.recognize.ssd_raw import ssd_raw
from harness.recognize.yolo import yolo

Recogniser = Callable[[Facts], Family | None]

RECOGNISERS: tuple[Recogniser, ...] = (
    ssd_postprocess,  # boxes, classes, scores, count after NMS inside the model
    ssd_raw,  # box encodings and class scores against anchors
    centernet,  # heat map, sizes, offsets
    yolo,  # one table of boxes, perhaps objectness, and class scores
)


def recognise(facts: Facts) -> Family | None:
    """Return what the first recogniser that knows the model says; None when none does."""
    return next((family for family in (look(facts) for look in RECOGNISERS) if family is not None), None)
