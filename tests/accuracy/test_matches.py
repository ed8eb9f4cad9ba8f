"""The matches are those of pycocotools' evaluateImg on the same data, or found by hand."""

import numpy as np
import pytest

from harness.accuracy.boxes import overlaps
from harness.accuracy.coco import evaluate
from harness.accuracy.detections import DetectionTable
from harness.accuracy.matches import match
from harness.accuracy.resample import categories, mean_average_precision

AREAS = [(0.0, 1e10), (0.0, 1024.0), (1024.0, 9216.0), (9216.0, 1e10)]
N_DATA_SETS = 500


def assert_equal_to_evaluate_img(truth, matches, evaluation):
    """Hold every image and category against an entry of `evalImgs`."""
    row_of = {int(number): row for row, number in enumerate(truth.ids)}
    for k in range(len(matches.category_ids)):
        members = slice(matches.first[k], matches.first[k + 1])
        wanted = matches.truth_images[matches.truth_first[k] : matches.truth_first[k + 1]]
        for i in range(len(matches.image_ids)):
            entry = evaluation.evalImgs[k * len(matches.image_ids) + i]
            own = np.flatnonzero(matches.images[members] == i) + matches.first[k]
            if entry is None:
                assert not own.size
                continue
            assert (matches.rows[own] + 1).tolist() == entry["dtIds"]
            found = [[row_of[int(number)] if number else -1 for number in row] for row in entry["dtMatches"]]
            assert matches.found[:, own].tolist() == found
            assert matches.ignored[:, own].tolist() == np.asarray(entry["dtIgnore"]).astype(bool).tolist()
            assert (wanted == i).sum() == (np.asarray(entry["gtIgnore"]) == 0).sum()


@pytest.mark.parametrize("part", range(5))
def test_every_match_equals_pycocotools_on_random_data_sets(random_data, part):
    random = np.random.default_rng(part)
    for _ in range(N_DATA_SETS // 5):
        truth, pool = random_data.truth(random)
        table = random_data.detections(random, truth, pool)
        subset = random_data.subset(random, truth)
        area, limit = AREAS[random.choice(4, p=[0.4, 0.2, 0.2, 0.2])], int(random.choice([100, 100, 3]))
        matches = match(truth, table, subset, area, limit)
        evaluation = random_data.pycocotools(truth, table, subset, area, limit)
        assert_equal_to_evaluate_img(truth, matches, evaluation)
        precision = evaluation.eval["precision"]
        weights = np.ones((1, len(matches.image_ids)), np.int32)
        found = mean_average_precision(categories(matches), weights)[0]
        expected = precision[precision > -1].mean() if (precision > -1).any() else np.nan
        assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_the_overlaps_are_those_of_pycocotools_to_the_last_bit():
    from pycocotools import mask

    random = np.random.default_rng(1)
    detected, annotated = (random.random((40, 4)) * 100 for _ in range(2))
    crowd = random.random(40) < 0.5
    expected = mask.iou(detected.tolist(), annotated.tolist(), crowd.astype(int).tolist())
    assert overlaps(detected[:, None], annotated[None], crowd[None]).tolist() == expected.tolist()


def test_of_two_detections_of_one_object_the_higher_score_finds_it(random_data):
    truth = random_data.one_object((10, 10, 50, 50))
    rows = np.array([[1, 10, 10, 50, 50, 0.4, 1], [1, 12, 10, 50, 50, 0.9, 1]])
    matches = match(truth, DetectionTable(rows))
    assert matches.rows.tolist() == [1, 0]
    assert matches.found[0].tolist() == [0, -1]
    assert matches.found[-1].tolist() == [-1, 0]  # 48 / 52 of overlap is less than 0.95


def test_the_matches_of_real_detections_give_the_map_of_the_evaluation(shared_data):
    from harness.accuracy.annotations import read_annotations
    from harness.accuracy.detections import load_detections

    folder = shared_data / "cocoapi_demo"
    truth = read_annotations(folder / "instances_val2014_100.json")
    table = load_detections(folder / "instances_val2014_fakebbox100_results.json")
    matches = match(truth, table)
    found = mean_average_precision(categories(matches), np.ones((1, 100), np.int32))[0]
    assert found == pytest.approx(evaluate(truth, table).figures.map, abs=1e-15)
