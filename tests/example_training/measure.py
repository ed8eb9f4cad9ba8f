"""Measure the example's models in the plainest way: a loop and pycocotools, nothing else of the harness."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np

from tests.example_training.prepare import normalized, resized


def evaluate(model: Path, dataset: Path) -> dict[str, float]:
    """Return mAP@[.50:.95] and AP@.50 of a .tflite on `instances_val.json`."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(dataset / "instances_val.json"))
        found = truth.loadRes(detections(model, dataset / "images", truth.imgs.values()))
        scoring = COCOeval(truth, found, "bbox")
        scoring.evaluate()
        scoring.accumulate()
        scoring.summarize()
    return {"map": float(scoring.stats[0]), "ap50": float(scoring.stats[1])}


def detections(model: Path, folder: Path, images: Any) -> list[dict[str, Any]]:
    """Run a .tflite on images and return COCO result entries."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(model), num_threads=1)
    interpreter.allocate_tensors()
    (entry,) = interpreter.get_input_details()
    results: list[dict[str, Any]] = []
    for image in images:
        pixels = resized((folder / image["file_name"]).read_bytes(), int(entry["shape"][1]))
        fed = pixels if entry["dtype"] == np.uint8 else normalized(pixels)
        interpreter.set_tensor(entry["index"], fed[None])
        interpreter.invoke()
        raw = [interpreter.get_tensor(out["index"]) for out in interpreter.get_output_details()]
        results += _entries(image, *(np.asarray(values) for values in raw))
    return results


def _entries(
    image: dict[str, Any], boxes: Any, classes: Any, scores: Any, count: Any
) -> list[dict[str, Any]]:
    entries = []
    for k in range(int(count[0])):
        box = np.clip(boxes[0, k].astype(np.float64), 0, 1)
        ymin, xmin, ymax, xmax = box * np.array([image["height"], image["width"]] * 2)
        entries.append(
            {
                "image_id": image["id"],
                "category_id": int(classes[0, k]) + 1,
                "bbox": [float(xmin), float(ymin), float(xmax - xmin), float(ymax - ymin)],
                "score": float(scores[0, k]),
            }
        )
    return entries
