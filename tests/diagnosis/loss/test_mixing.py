"""Parts of two sides mixed, on candidates and detections that can be followed by hand."""

import numpy as np
import pytest

from harness.detectors.heads import Candidates, keep
from harness.detectors.nms import NmsSettings
from harness.diagnosis.loss.mixing import (
    CANDIDATE_PARTS,
    DETECTION_PARTS,
    CandidateMixer,
    DetectionMixer,
    drop_low_candidates,
    pair_detections,
    rows_of,
)
from harness.diagnosis.loss.shapley import subsets


def candidates(boxes, scores, weights=None):
    as_float = [None if part is None else np.array(part, np.float32) for part in (boxes, scores, weights)]
    return Candidates(*as_float)


FLOAT = candidates([[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]], [[0.9, 0.3], [0.2, 0.6]])
QUANTIZED = candidates([[0, 0, 0.4, 0.4], [0.6, 0.6, 1, 1]], [[0.25, 0.5], [0.1, 0.4]])


def effective(found):
    return found.scores if found.weights is None else found.scores * found.weights[:, None]


def test_none_swapped_is_the_float_side_and_all_swapped_the_quantized_one():
    mixer = CandidateMixer(FLOAT, QUANTIZED, 0.05)
    for parts, side in ((frozenset(), FLOAT), (frozenset(CANDIDATE_PARTS), QUANTIZED)):
        mixed = mixer.mix(parts)
        assert np.array_equal(mixed.boxes, side.boxes) and np.array_equal(effective(mixed), effective(side))


def test_boxes_alone_change_boxes_alone():
    mixed = CandidateMixer(FLOAT, QUANTIZED, 0.05).mix(frozenset({"boxes"}))
    assert np.array_equal(mixed.boxes, QUANTIZED.boxes) and np.array_equal(effective(mixed), FLOAT.scores)


def test_scores_alone_change_the_best_score_and_keep_how_classes_relate():
    mixed = effective(CandidateMixer(FLOAT, QUANTIZED, 0.05).mix(frozenset({"scores"})))
    # the quantized side's best scores 0.5 and 0.4, with the float side's relations 0.9 : 0.3 and 0.2 : 0.6
    assert mixed == pytest.approx(np.array([[0.5, 0.5 / 3], [0.4 / 3, 0.4]]))


def test_labels_alone_change_how_classes_relate_and_keep_the_best_score():
    mixed = effective(CandidateMixer(FLOAT, QUANTIZED, 0.05).mix(frozenset({"labels"})))
    # the float side's best scores 0.9 and 0.6, with the quantized side's relations 0.25 : 0.5 and 0.1 : 0.4
    assert mixed == pytest.approx(np.array([[0.45, 0.9], [0.15, 0.6]]))
    assert mixed[0].argmax() == 1  # the quantized side takes the first box for the other class


def test_a_candidate_that_only_one_side_has_is_missed_and_not_a_matter_of_scores():
    mixer = CandidateMixer(FLOAT, QUANTIZED, 0.45)  # the second candidate: 0.6 in float, 0.4 quantized
    assert not mixer.same_candidates
    by_scores = effective(mixer.mix(frozenset({"scores"}))).max(axis=1)
    assert by_scores == pytest.approx([0.5, 0.6])
    by_missed = effective(mixer.mix(frozenset({"missed"}))).max(axis=1)
    assert by_missed == pytest.approx([0.9, 0.4])


def test_objectness_is_part_of_the_score():
    first = candidates([[0, 0, 1, 1]], [[0.8, 0.4]], [0.5])
    second = candidates([[0, 0, 1, 1]], [[0.6, 0.2]], [0.25])
    mixed = effective(CandidateMixer(first, second, 0.01).mix(frozenset({"scores"})))
    assert mixed == pytest.approx(np.array([[0.15, 0.075]]))  # 0.6 · 0.25, shared as 0.8 : 0.4


def test_scores_that_are_all_zero_or_no_numbers_stay_out():
    second = candidates(QUANTIZED.boxes, [[0.0, 0.0], [np.nan, np.nan]])
    for parts in subsets(CANDIDATE_PARTS):
        mixed = CandidateMixer(FLOAT, second, 0.05).mix(parts)
        assert np.isfinite(mixed.weights).all()


def test_what_no_mixture_would_keep_is_left_out_without_any_difference():
    chance = np.random.default_rng(5)
    boxes = [np.sort(chance.random((200, 2, 2)), axis=1).reshape(200, 4) for _ in range(2)]
    scores = [chance.random((200, 3)) ** 4 for _ in range(2)]
    sides = [candidates(b, s, chance.random(200)) for b, s in zip(boxes, scores, strict=True)]
    settings = NmsSettings("class-aware", 0.2, 0.5, 50)
    fewer = drop_low_candidates(*sides, 0.2)
    assert 0 < len(fewer[0].boxes) < 200
    nothing = CandidateMixer(*drop_low_candidates(*sides, 2.0), 2.0).mix(frozenset({"scores"}))
    assert len(keep(nothing, settings).scores) == 0
    for parts in subsets(CANDIDATE_PARTS):
        whole, rest = (keep(CandidateMixer(*pair, 0.2).mix(parts), settings) for pair in (sides, fewer))
        for name in ("boxes", "scores", "classes"):
            assert np.array_equal(getattr(whole, name), getattr(rest, name))


@pytest.mark.parametrize("kind", ["fast", "regular", "class-aware", "none"])
def test_what_is_missed_below_the_last_that_is_taken_changes_nothing_that_is_kept(kind):
    chance = np.random.default_rng(6)
    settings = NmsSettings(kind, 0.05, 0.5, 8, classes_per_detection=2)
    counts = {True: 0, False: 0}
    for _ in range(25):
        boxes = [np.sort(chance.random((60, 2, 2)), axis=1).reshape(60, 4) for _ in range(2)]
        first = chance.random((60, 3)) ** 3
        scores = [first, first * chance.uniform(0.7, 1.3, (60, 3))]
        sides = [candidates(b, s, chance.random(60)) for b, s in zip(boxes, scores, strict=True)]
        mixer = CandidateMixer(*drop_low_candidates(*sides, 0.05), 0.05)
        for parts in subsets(("scores", "boxes", "labels")):
            mixed, other = mixer.mix(parts), mixer.mix(parts | {"missed"})
            kept, again = keep(mixed, settings), keep(other, settings)
            same = all(
                np.array_equal(getattr(kept, n), getattr(again, n)) for n in ("boxes", "scores", "classes")
            )
            too_low = mixer.is_too_low(other, mixed, kept, settings)
            counts[too_low] += 1
            assert same or not too_low
    assert counts[True] and (kind == "none" or counts[False])


def row(box, score, category, image=1):
    return [image, *box, score, category]


def table(*rows):
    return np.array(rows, np.float64).reshape(-1, 7)


def test_detections_are_paired_by_class_and_overlap_then_by_overlap_then_by_class():
    first = table(row([0, 0, 10, 10], 0.9, 1), row([50, 0, 10, 10], 0.8, 1), row([0, 50, 10, 10], 0.7, 2))
    second = table(
        row([50, 0, 10, 10], 0.5, 3),  # the second box with another label
        row([0, 50, 25, 25], 0.5, 2),  # the third, 2.5 times too large: IoU 0.16
        row([1, 0, 10, 10], 0.5, 1),  # the first, shifted
        row([90, 90, 5, 5], 0.5, 1),  # nothing
    )
    pairs = pair_detections(first, second)
    assert list(zip(*pairs, strict=True)) == [(0, 2), (1, 0), (2, 1)]


def test_a_detection_is_paired_once():
    first = table(row([0, 0, 10, 10], 0.9, 1), row([1, 0, 10, 10], 0.8, 1))
    second = table(row([1, 0, 10, 10], 0.5, 1))
    assert [part.tolist() for part in pair_detections(first, second)] == [[1], [0]]


def test_matched_parts_come_from_the_side_that_is_asked_for():
    first = table(row([0, 0, 10, 10], 0.9, 1), row([50, 0, 10, 10], 0.8, 1))
    second = table(row([1, 0, 10, 10], 0.4, 2), row([80, 80, 5, 5], 0.3, 3))
    mixer = DetectionMixer(first, second, pair_detections(first, second))
    mixed = mixer.mix(frozenset({"scores", "extra"}))
    assert mixed.tolist() == [[*first[0].tolist()[:5], 0.4, 1.0], first[1].tolist(), second[1].tolist()]
    everything = mixer.mix(frozenset(DETECTION_PARTS))
    assert np.array_equal(everything, second) and np.array_equal(mixer.mix(frozenset()), first)


def test_nothing_swapped_and_all_swapped_keep_the_order_of_their_side():
    chance = np.random.default_rng(3)
    sides = []
    for n in (30, 40):
        boxes = np.concatenate([chance.uniform(0, 50, (n, 2)), chance.uniform(5, 30, (n, 2))], axis=1)
        rows = [
            row(box, round(score, 1), c)
            for box, score, c in zip(boxes, chance.random(n), chance.integers(1, 3, n), strict=True)
        ]
        sides.append(table(*rows))
    mixer = DetectionMixer(*sides, pair_detections(*sides))
    assert np.array_equal(mixer.mix(frozenset()), sides[0])
    assert np.array_equal(mixer.mix(frozenset(DETECTION_PARTS)), sides[1])


def test_sides_without_detections_can_be_mixed():
    some = table(row([0, 0, 10, 10], 0.9, 1))
    for first, second in ((table(), some), (some, table()), (table(), table())):
        mixer = DetectionMixer(first, second, pair_detections(first, second))
        assert len(mixer.mix(frozenset(DETECTION_PARTS))) == len(second)


def test_rows_are_split_by_image_in_the_order_asked_for():
    rows = table(row([0, 0, 1, 1], 0.1, 1, image=7), row([0, 0, 1, 1], 0.2, 1, image=3))
    assert [len(part) for part in rows_of(rows, [3, 5, 7])] == [1, 0, 1]
