"""Host NMS against the operator itself, run by the interpreter, and against a plain loop."""

import numpy as np
import pytest

from harness.cards import NmsSpec
from harness.detectors.nms import NmsSettings, Overlaps, iou, settings_for, suppress
from harness.detectors.ssd_raw import decode_center_size
from harness.errors import ModelError

SCALES = (10.0, 10.0, 5.0, 5.0)
N_CASES = 600
TOLERANCE = 1e-5


def heads(random, n, n_classes, background, ties):
    """Return anchors, box encodings and scores; with ties, scores are eighths, as coarse quantization gives."""
    anchors = np.concatenate([random.uniform(0, 1, (n, 2)), random.uniform(0.05, 0.6, (n, 2))], axis=1)
    encodings = random.normal(0, 2, (n, 4))
    scores = random.uniform(0, 1, (n, n_classes + background))
    if ties:
        scores = np.round(scores * 8) / 8
    return anchors.astype(np.float32), encodings.astype(np.float32), scores.astype(np.float32)


def draw_settings(random, n_classes):
    kind = str(random.choice(["regular", "fast"]))
    return NmsSettings(
        kind=kind,
        score_threshold=float(random.choice([0.0, 1e-8, 0.25, 0.3, 0.5, 0.9, 1.1])),
        iou_threshold=float(random.choice([0.05, 0.3, 0.5, 0.6, 0.95, 1.0])),
        max_detections=int(random.choice([1, 2, 5, 10, 30, 100])),
        detections_per_class=int(random.choice([1, 2, 5, 100])),
        classes_per_detection=int(random.integers(1, min(n_classes, 4) + 1)) if kind == "fast" else 1,
    )


@pytest.mark.parametrize("first", range(0, N_CASES, 50))
def test_random_heads_give_the_same_boxes_and_scores_as_the_operator(run_operator, first):
    for seed in range(first, first + 50):
        random = np.random.default_rng(seed)
        n, n_classes = int(random.choice([1, 3, 20, 80, 300])), int(random.integers(1, 12))
        background, ties = int(random.integers(0, 2)), seed % 3 == 0
        anchors, encodings, scores = heads(random, n, n_classes, background, ties)
        settings = draw_settings(random, n_classes)
        boxes, classes, values = run_operator(encodings, scores, n_classes, anchors, settings)
        mine = decode_center_size(encodings, anchors, SCALES)
        kept = suppress(mine, scores[:, background:], settings)
        assert len(kept.scores) == len(values), seed
        np.testing.assert_allclose(kept.scores, values, atol=TOLERANCE, rtol=0, err_msg=str(seed))
        np.testing.assert_allclose(mine[kept.boxes], boxes, atol=TOLERANCE, rtol=0, err_msg=str(seed))
        if not ties or settings.classes_per_detection == 1:
            assert kept.classes.tolist() == classes.tolist(), seed


@pytest.mark.parametrize("kind", ["regular", "fast"])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("threshold", [1e-8, 0.3])
def test_heads_of_a_real_size_give_the_same_as_the_operator(run_operator, kind, ties, threshold):
    anchors, encodings, scores = heads(np.random.default_rng(7), 1917, 90, 1, ties)
    settings = NmsSettings(kind, threshold, 0.6, 100)
    boxes, classes, values = run_operator(encodings, scores**8, 90, anchors, settings)
    mine = decode_center_size(encodings, anchors, SCALES)
    kept = suppress(mine, scores[:, 1:] ** 8, settings)
    np.testing.assert_allclose(mine[kept.boxes], boxes, atol=TOLERANCE, rtol=0)
    np.testing.assert_allclose(kept.scores, values, atol=TOLERANCE, rtol=0)
    assert kept.classes.tolist() == classes.tolist()


@pytest.mark.parametrize("kind", ["regular", "fast"])
def test_boxes_without_area_and_one_score_for_all_give_the_same_as_the_operator(run_operator, kind):
    anchors = np.tile(np.array([[0.5, 0.5, 0.2, 0.2]], np.float32), (40, 1))
    anchors[::3, 2] = 0  # no height, so no overlap with anything
    scores = np.full((40, 3), 0.5, np.float32)
    settings = NmsSettings(kind, 0.5, 0.5, 25)
    encodings = np.zeros((40, 4), np.float32)
    boxes, classes, values = run_operator(encodings, scores, 3, anchors, settings)
    mine = decode_center_size(encodings, anchors, SCALES)
    kept = suppress(mine, scores, settings)
    np.testing.assert_array_equal(mine[kept.boxes], boxes)
    assert (kept.classes.tolist(), kept.scores.tolist()) == (classes.tolist(), values.tolist())


def plain(boxes, scores, threshold, limit, least):
    """Class-aware NMS as a textbook has it: one class after another, then the best of all."""
    found = []
    for number in range(scores.shape[1]):
        rows = sorted(np.flatnonzero(scores[:, number] >= least), key=lambda row: -scores[row, number])
        kept = []
        for row in rows:
            if all(overlap(boxes[row], boxes[other]) <= threshold for other in kept):
                kept.append(row)
        found += [(float(scores[row, number]), number, int(row)) for row in kept]
    return sorted(found, key=lambda item: -item[0])[:limit]


def overlap(a, b):
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    common = max(width, 0) * max(height, 0)
    return common / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common)


@pytest.mark.parametrize("seed", range(20))
def test_class_aware_suppression_is_that_of_a_plain_loop(seed):
    random = np.random.default_rng(seed)
    low = random.uniform(0, 0.7, (150, 2))
    boxes = np.concatenate([low, low + random.uniform(0.1, 0.3, (150, 2))], axis=1).astype(np.float32)
    objectness, classes = random.uniform(0, 1, 150), random.uniform(0, 1, (150, 4))
    weights, columns = objectness.astype(np.float32), classes.astype(np.float32)
    kept = suppress(boxes, columns, NmsSettings("class-aware", 0.1, 0.45, 60), weights)
    expected = plain(boxes, columns * weights[:, None], 0.45, 60, np.float32(0.1))
    assert list(zip(kept.classes.tolist(), kept.boxes.tolist(), strict=True)) == [e[1:] for e in expected]
    np.testing.assert_allclose(kept.scores, [e[0] for e in expected])


def test_many_candidates_that_all_overlap_still_leave_the_few_that_do_not():
    boxes = np.tile(np.array([[0, 0, 1, 1]], np.float32), (5000, 1))
    boxes[4990:] = [[x, 2, x + 0.5, 3] for x in range(10)]
    scores = np.linspace(1, 0.5, 5000, dtype=np.float32)[:, None]
    for kind in ("regular", "fast", "class-aware"):
        kept = suppress(boxes, scores, NmsSettings(kind, 0.1, 0.5, 100))
        assert kept.boxes.tolist() == [0, *range(4990, 5000)]


def test_scores_that_are_not_numbers_are_never_kept():
    boxes = np.array([[0, 0, 1, 1], [2, 2, 3, 3]], np.float32)
    scores = np.array([[np.nan, 0.4], [0.3, np.nan]], np.float32)
    for kind in ("regular", "fast"):
        kept = suppress(boxes, scores, NmsSettings(kind, 0.1))
        assert kept.scores.tolist() == pytest.approx([0.4, 0.3])
        assert kept.classes.tolist() == [1, 0]


@pytest.mark.parametrize("shape", [(0, 3), (4, 0)])
def test_nothing_in_gives_nothing_out(shape):
    kept = suppress(np.zeros((shape[0], 4), np.float32), np.zeros(shape, np.float32), NmsSettings())
    assert kept.boxes.size == kept.classes.size == kept.scores.size == 0


def test_overlaps_are_those_computed_by_hand():
    first = np.array([[0, 0, 2, 2], [0, 0, 0, 5]], np.float32)
    second = np.array([[1, 1, 3, 3], [0, 0, 2, 2], [5, 5, 6, 6]], np.float32)
    np.testing.assert_allclose(iou(first.T[:, :, None], second.T[:, None]), [[1 / 7, 1, 0], [0, 0, 0]])


def test_a_card_changes_only_what_it_names():
    default = NmsSettings("regular", 0.1, 0.6, 50)
    changed = settings_for(NmsSpec(kind="fast", score_threshold=0.0), default)
    assert changed == NmsSettings("fast", 0.0, 0.6, 50)


@pytest.mark.parametrize(
    "spec", [NmsSpec(iou_threshold=0.0), NmsSpec(iou_threshold=1.1), NmsSpec(max_detections=0)]
)
def test_settings_that_the_operator_refuses_are_refused(spec):
    with pytest.raises(ModelError, match=r"decoder\.nms"):
        settings_for(spec, NmsSettings())


@pytest.mark.parametrize(("n", "most"), [(40, 100), (300, 20), (300, 300), (900, 200)])
def test_suppressions_that_share_overlaps_keep_what_each_keeps_by_itself(n, most):
    random = np.random.default_rng(n + most)
    first = random.uniform(0, 1, (n, 2))
    boxes = np.concatenate([first, first + random.uniform(0, 0.4, (n, 2))], axis=1).astype(np.float32)
    boxes[::7] = boxes[0]  # some coincide, some are empty, and some are nowhere
    boxes[::11, 2:] = boxes[::11, :2]
    boxes[5] = np.nan
    settings = NmsSettings("fast", 0.2, 0.4, max_detections=most, classes_per_detection=2)
    shared = Overlaps(boxes, settings)
    for _ in range(6):
        scores = random.uniform(0, 1, (n, 3)).round(1).astype(np.float32)
        weights = random.uniform(0, 1, n).astype(np.float32)
        found = suppress(boxes, scores, settings, weights, shared)
        alone = suppress(boxes, scores, settings, weights)
        for name in ("boxes", "classes", "scores"):
            assert np.array_equal(getattr(found, name), getattr(alone, name))
