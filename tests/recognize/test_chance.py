"""A reading is believed only where its boxes fit their own images better than others."""

import numpy as np
import pytest

from harness.accuracy.annotations import read_annotations
from harness.accuracy.dataset import find_dataset
from harness.accuracy.detections import DetectionTable
from harness.recognize.chance import like_chance, like_other_classes
from tests.support.paths import MODELS


@pytest.fixture(scope="module")
def truth():
    return read_annotations(find_dataset(MODELS / "shapes" / "dataset").annotations)


def drawn(truth, image_ids, seed):
    """Return the objects as detections where there is no seed, else boxes anywhere."""
    there = np.isin(truth.image_ids, image_ids) & ~truth.crowd
    n = int(there.sum())
    random = np.random.default_rng(seed)
    boxes = truth.boxes[there] if seed is None else random.uniform(5, 60, (n, 4))
    columns = [truth.image_ids[there], boxes, random.random(n), truth.category_ids[there]]
    return DetectionTable(np.column_stack(columns).astype(np.float64))


@pytest.mark.parametrize("n", [2, 4, 8, 30])
def test_the_objects_themselves_are_better_than_chance(truth, n):
    ids = [row.id for row in truth.images][:n]
    assert like_chance(truth, drawn(truth, ids, None), ids) == ""


@pytest.mark.parametrize("n", [4, 8, 30])
@pytest.mark.parametrize("seed", range(4))
def test_boxes_anywhere_are_not(truth, n, seed):
    ids = [row.id for row in truth.images][:n]
    assert like_chance(truth, drawn(truth, ids, seed), ids)


def test_nothing_at_all_is_not(truth):
    ids = [row.id for row in truth.images][:30]
    assert "can be chance" in like_chance(truth, DetectionTable(np.empty((0, 7))), ids)


@pytest.mark.parametrize("n", [4, 8, 30])
def test_the_right_class_numbers_are_better_than_exchanged_ones(truth, n):
    ids = [row.id for row in truth.images][:n]
    assert like_other_classes(truth, drawn(truth, ids, None), ids) == ""


@pytest.mark.parametrize("n", [8, 30])
def test_right_boxes_whose_class_numbers_mean_something_else_are_no_better(truth, n):
    ids = [row.id for row in truth.images][:n]
    rows = drawn(truth, ids, None).rows.copy()
    rows[:, 6] = 1 + np.arange(len(rows)) % 6
    assert "its class numbers exchanged" in like_other_classes(truth, DetectionTable(rows), ids)


def test_one_class_can_be_exchanged_with_none(truth):
    one = truth.of_categories({1})
    ids = [row.id for row in truth.images][:8]
    assert like_other_classes(one, drawn(one, ids, None), ids) == ""
