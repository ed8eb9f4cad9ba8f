"""Real exports, bare: the figures of an independent decoder, for the same resizing."""

import json

import numpy as np
import pytest
from msgspec.structs import replace

from harness.accuracy.coco import evaluate
from harness.accuracy.dataset import find_dataset
from harness.accuracy.interpreters import InterpreterEngine
from harness.accuracy.pipeline import Recipe, detect
from harness.accuracy.prepare import Preparation
from harness.cards import Labels
from harness.detectors.base import ModelContext
from harness.detectors.registry import make_decoder
from harness.recognize.card import infer_card
from harness.runtime import load_runtime, make_interpreter
from harness.tflite.model import describe
from tests.support.paths import SHARED_DATA

MODELS = SHARED_DATA.parent / "cases" / "models"
OPENCV, PILLOW = "opencv-bilinear", "pillow-bilinear"
ROUNDING = 0.0005
"""Of figures with three digits."""
# fmt: off
FIGURES = [
    # file                        method  resize       labels  mAP    AP50
    ("yolo26n_int8_end2end_320", PILLOW, "letterbox", None, 0.373, 0.505),
    ("yolo26n_int8_end2end_320", OPENCV, "letterbox", None, 0.388, 0.519),
    ("nanodet_m_320",            OPENCV, "stretch",   None, 0.289, 0.461),
    ("nanodet_m_320",            OPENCV, "letterbox", None, 0.255, 0.410),
    ("nanodet_m_320",            PILLOW, "letterbox", None, 0.246, 0.384),
    ("yolov8n_seg_int8_320",     PILLOW, "letterbox", None, 0.279, 0.445),
    ("yolov8n_person_320",       PILLOW, "letterbox", Labels(offset=1), 0.244, 0.455),
]
# fmt: on


@pytest.mark.shared_data
@pytest.mark.parametrize(("name", "method", "resize", "labels", "map_", "ap50"), FIGURES)
def test_a_real_export_reaches_its_known_figures(name, method, resize, labels, map_, ap50, tmp_path):
    path = MODELS / f"{name}.tflite"
    if not path.is_file():
        pytest.skip(f"shared data is absent: {path}")
    dataset = find_dataset(SHARED_DATA / "coco50")
    card = infer_card(path, [image.path for image in dataset.images[:6]]).card
    spec, facts = replace(card.input, method=method, resize=resize), describe(path)
    engines = [InterpreterEngine(make_interpreter(load_runtime(), str(path), "cpu", 1)) for _ in range(2)]
    context = ModelContext(spec.width, spec.height, path)
    recipe = Recipe(
        Preparation(spec, facts.inputs[0]),
        make_decoder(card.decoder, facts.outputs, context),
        labels or card.labels,
    )
    found = detect([(image.id, image.path) for image in dataset.images], recipe, engines, 2)
    rows = [
        np.column_stack([np.full(len(f.scores), f.image_id), f.boxes, f.scores, f.categories]) for f in found
    ]
    annotations = dataset.annotations if labels is None else _persons(dataset.annotations, tmp_path)
    figures = evaluate(annotations, np.concatenate(rows), dataset.image_ids).figures
    assert (figures.map, figures.ap50) == pytest.approx((map_, ap50), abs=0.003 + ROUNDING)


def _persons(annotations, folder):
    """Keep the annotations of persons alone, as the one class of a model is."""
    document = json.loads(annotations.read_text())
    document["annotations"] = [row for row in document["annotations"] if row["category_id"] == 1]
    document["categories"] = [row for row in document["categories"] if row["id"] == 1]
    path = folder / "persons.json"
    path.write_text(json.dumps(document))
    return path
