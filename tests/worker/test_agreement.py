"""Outputs against outputs: expected answers are counted by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.worker.agreement import (
    OTHER_KERNELS,
    SAME_KERNELS,
    DetectionSet,
    differing_detections,
    differing_values,
    from_corners,
)


def detected(*rows):
    """Rows of (category, score, x, y, width, height)."""
    table = np.array(rows, np.float64).reshape(-1, 6)
    return DetectionSet(table[:, 2:], table[:, 1], table[:, 0])


CAT, DOG, BIRD = (1, 0.9, 0, 0, 10, 10), (2, 0.8, 20, 20, 10, 10), (3, 0.158, 40, 40, 10, 10)


def test_the_same_detections_in_another_order_agree():
    assert differing_detections([detected(CAT, DOG)], [detected(DOG, CAT)], SAME_KERNELS) is None


def test_a_lost_class_is_seen_among_few_detections():
    """2 + 3 detections above the threshold, one of which has no match: 1 of 5."""
    text = differing_detections([detected(CAT, DOG, BIRD)], [detected(CAT, DOG)], SAME_KERNELS)
    assert "on 1 images 1 of 5 have no match" in text


def test_a_faint_detection_may_come_and_go_on_other_kernels():
    assert differing_detections([detected(CAT, DOG, BIRD)], [detected(CAT, DOG)], OTHER_KERNELS) is None


@pytest.mark.parametrize(
    ("change", "agrees"),
    [
        ((1, 0.9, 0, 0, 10, 10), True),
        ((1, 0.81, 0, 0, 10, 10), True),  # the score may move by 0.1
        ((1, 0.79, 0, 0, 10, 10), False),
        ((2, 0.9, 0, 0, 10, 10), False),  # another category
        ((1, 0.9, 0, 0, 10, 8), True),  # IoU 80 / 100
        ((1, 0.9, 0, 0, 10, 6), False),  # IoU 60 / 100
    ],
)
def test_a_match_has_category_score_and_place(change, agrees):
    assert (differing_detections([detected(CAT)], [detected(change)], OTHER_KERNELS) is None) == agrees


def test_nothing_found_by_both_agrees_and_by_one_alone_differs():
    nothing = detected()
    assert differing_detections([nothing], [nothing], SAME_KERNELS) is None
    assert differing_detections([nothing], [detected(CAT)], SAME_KERNELS)
    assert differing_detections([detected(CAT)], [nothing], SAME_KERNELS)


def test_only_as_many_boxes_as_the_op_counts_are_read():
    boxes = np.array([[[0.1, 0.2, 0.5, 0.8], [9, 9, 9, 9]]], np.float32)
    found = from_corners(boxes, np.array([[4, 7]]), np.array([[0.5, 0.4]]), 1.0)
    assert found.boxes == pytest.approx(np.array([[0.2, 0.1, 0.6, 0.4]]))
    assert list(found.categories) == [4] and list(found.scores) == [0.5]


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_a_count_that_is_nonsense_is_no_boxes_or_all(count):
    found = from_corners(np.zeros((1, 3, 4)), np.zeros((1, 3)), np.zeros((1, 3)), count)
    assert 0 <= len(found.scores) <= 3


def test_values_are_compared_against_the_spread_of_the_expected_ones():
    """Expected -1, 1: spread 1. All moved by 0.2: root mean square 0.2."""
    expected = np.array([-1.0, 1.0])
    assert differing_values(expected, expected + 0.2, OTHER_KERNELS) is None
    assert "0.3 of its spread" in differing_values(expected, expected + 0.3, OTHER_KERNELS)
    assert differing_values(expected, expected + 0.002, SAME_KERNELS)


def test_an_unrelated_output_differs_whatever_its_scale():
    random = np.random.default_rng(0)
    one, other = random.normal(0, 1e-4, 1000), random.normal(0, 1e-4, 1000)
    assert differing_values(one, other, OTHER_KERNELS)
    assert differing_values(np.full(10, 3.0), np.full(10, 4.0), OTHER_KERNELS)
    assert differing_values(np.zeros(3), np.zeros(4), OTHER_KERNELS).startswith("the shape")
    assert differing_values(np.zeros(0), np.zeros(0), OTHER_KERNELS) is None
