"""How well boxes fit whatever their classes, and what tells cheaply that they cannot fit better."""

import numpy as np
import pytest

from harness.accuracy.agnostic import Sample, agnostic_ap50, highest_ap50, image_sizes


def test_boxes_never_fit_better_than_what_is_told_beforehand(random_data):
    found = []
    for seed in range(20):
        random = np.random.default_rng(seed)
        truth, pool = random_data.truth(random)
        table = random_data.detections(random, truth, pool)
        ids = tuple(sorted(row.id for row in truth.images))
        one = Sample(truth, table, ids, image_sizes(truth, table.image_ids))
        for boxes in (table.boxes, table.boxes * 1.5, -table.boxes, table.boxes * np.nan):
            found.append((agnostic_ap50(one, boxes), highest_ap50(one, boxes)))
    assert all(fit <= told for fit, told in found)
    assert any(fit > 0.2 for fit, _ in found)


def test_a_box_on_every_object_may_fit_and_boxes_elsewhere_may_not(random_data):
    truth = random_data.one_object((10, 10, 50, 50))
    table = random_data.detections(np.random.default_rng(1), truth, truth.boxes)
    one = Sample(truth, table, (1,), image_sizes(truth, table.image_ids))
    assert highest_ap50(one, np.tile(truth.boxes, (len(table), 1))) == 1.0
    assert highest_ap50(one, np.tile(np.add(truth.boxes, (100, 0, 0, 0)), (len(table), 1))) == pytest.approx(
        1 / 101
    )
