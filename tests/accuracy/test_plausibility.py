"""Real boxes pass; the same boxes in other units do not."""

import numpy as np
import pytest

from harness.accuracy.annotations import read_annotations
from harness.accuracy.detections import DetectionTable
from harness.accuracy.plausibility import refuse_wrong_units
from harness.errors import DatasetError

REAL = ["coco50/instances_val2017.json", "cocoapi_demo/instances_val2014_100.json"]


def table(truth, boxes):
    return DetectionTable(np.column_stack([truth.image_ids, boxes, np.ones(len(boxes)), truth.category_ids]))


@pytest.fixture(params=REAL)
def truth(request, shared_data):
    """Real annotations."""
    return read_annotations(shared_data / request.param)


def test_real_boxes_are_plausible(truth):
    refuse_wrong_units(truth, table(truth, truth.boxes))


def test_real_corners_are_not(truth):
    corners = np.hstack([truth.boxes[:, :2], truth.boxes[:, :2] + truth.boxes[:, 2:]])
    with pytest.raises(DatasetError, match="100% fit as corners"):
        refuse_wrong_units(truth, table(truth, corners))


def test_real_normalized_boxes_are_not(truth):
    sizes = {row.id: (row.width, row.height) for row in truth.images}
    shares = truth.boxes / np.array([sizes[number] * 2 for number in truth.image_ids.tolist()])
    with pytest.raises(DatasetError, match="normalized"):
        refuse_wrong_units(truth, table(truth, shares))


def test_the_boxes_of_a_bad_detector_are_plausible(truth):
    random = np.random.default_rng(0)
    refuse_wrong_units(truth, table(truth, random.uniform(0, 600, truth.boxes.shape)))


def test_nothing_is_plausible(truth):
    refuse_wrong_units(truth, DetectionTable(np.empty((0, 7))))
