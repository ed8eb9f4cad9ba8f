"""How surely objects are found tells a better preparation from chance on a few images."""

import json

import numpy as np
import pytest

from harness.accuracy.annotations import read_annotations
from harness.accuracy.detections import DetectionTable
from harness.accuracy.preparations import best_gain

IDS = list(range(1, 21))


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Two objects in each of 20 images."""
    images = [{"id": n, "file_name": f"{n}.png", "width": 100, "height": 100} for n in IDS]
    boxes = [(n, side) for n in IDS for side in (0, 50)]
    annotations = [
        {"id": k, "image_id": n, "category_id": 1, "bbox": [x, 10, 40, 40], "area": 1600, "iscrowd": 0}
        for k, (n, x) in enumerate(boxes, 1)
    ]
    data = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "a"}]}
    path = tmp_path_factory.mktemp("truth") / "instances.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return read_annotations(path)


def table(truth, score, wrong=0.2, seed=0):
    """Each object found with about this score, and a wrong box beside it."""
    random = np.random.default_rng(seed)
    scores = np.clip(score + random.normal(0, 0.05, len(truth.boxes)), 0.001, 1)
    ends = random.normal(0, 2, (len(truth.boxes), 4))
    right = np.column_stack([truth.image_ids, truth.boxes + ends, scores, truth.category_ids])
    beside = np.column_stack(
        [
            truth.image_ids,
            truth.boxes + np.array([0, 45, 0, 0]),
            np.full(len(scores), wrong),
            truth.category_ids,
        ]
    )
    return DetectionTable(np.concatenate([right, beside]))


def test_the_preparation_that_finds_the_most_wins(truth):
    card, others = table(truth, 0.3, 0.35), [table(truth, 0.2), table(truth, 0.8), table(truth, 0.5)]
    gain = best_gain(truth, IDS, card, others)
    assert gain.way == 1 and gain.certain
    assert gain.found_otherwise == pytest.approx(0.8, abs=0.05) and gain.map_otherwise > gain.map


def test_chance_is_no_gain(truth):
    assert (
        best_gain(truth, IDS, table(truth, 0.6), [table(truth, 0.6, seed=seed) for seed in range(1, 5)])
        is None
    )


def test_a_rise_of_all_scores_is_no_gain(truth):
    assert best_gain(truth, IDS, table(truth, 0.5, 0.2), [table(truth, 0.6, 0.9)]) is None


def test_where_nothing_is_found_either_way_something_else_is_wrong(truth):
    rows = table(truth, 0.3).rows.copy()
    rows[:, 6] = 7
    assert best_gain(truth, IDS, DetectionTable(rows), [DetectionTable(rows)]) is None
