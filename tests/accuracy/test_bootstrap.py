"""Intervals over images: equal to evaluating the resampled data sets, and right as often as they say."""

from dataclasses import replace

import numpy as np
import pytest

from harness.accuracy.annotations import ImageRow
from harness.accuracy.bootstrap import (
    contrasts,
    difference,
    draw_halves,
    interval,
    map_interval,
    paired_difference,
)
from harness.accuracy.detections import DetectionTable
from harness.accuracy.matches import match
from harness.accuracy.resample import Category, categories, mean_average_precision
from harness.errors import UsageError
from harness.statistics.distributions import t_quantile

NONE = np.empty(0, np.int64)
POPULATION = 30_000
"""Images whose mAP is the truth. `tests/benchmarks/bench_bootstrap.py` draws thousands of data sets, not dozens."""


def repeated(truth, table, weights):
    """Copy each image as often as its weight says, with its annotations and detections."""
    ids = np.unique([row.id for row in truth.images])
    copies = [(number, 100 + 10 * k + c) for k, number in enumerate(ids) for c in range(weights[k])]
    rows = [(np.flatnonzero(truth.image_ids == old), new) for old, new in copies]
    of = np.concatenate([part for part, _ in rows])
    found = [(np.flatnonzero(table.image_ids == old), new) for old, new in copies]
    data = table.rows[np.concatenate([part for part, _ in found])].copy()
    data[:, 0] = np.repeat([new for _, new in found], [len(part) for part, _ in found])
    return replace(
        truth,
        images=tuple(ImageRow(new) for _, new in copies),
        ids=np.arange(1, len(of) + 1),
        image_ids=np.repeat([new for _, new in rows], [len(part) for part, _ in rows]),
        category_ids=truth.category_ids[of],
        boxes=truth.boxes[of],
        areas=truth.areas[of],
        crowd=truth.crowd[of],
    ), DetectionTable(data)


def test_a_weighted_map_is_the_map_of_the_data_set_with_images_left_out_and_repeated(random_data):
    random = np.random.default_rng(8)
    for _ in range(60):
        truth, pool = random_data.truth(random)
        truth = replace(truth, ids=truth.ids + 1)
        table = random_data.detections(random, truth, pool, ties=False)
        weights = random.integers(0, 4, (1, len(truth.images))).astype(np.int32)
        if not weights.any():
            continue
        found = mean_average_precision(categories(match(truth, table)), weights)[0]
        precision = random_data.pycocotools(*repeated(truth, table, weights[0])).eval["precision"]
        expected = precision[precision > -1].mean() if (precision > -1).any() else np.nan
        assert found == pytest.approx(expected, abs=1e-12, nan_ok=True)


def test_halves_are_half_of_the_images_and_the_same_in_blocks_of_any_size():
    whole = np.concatenate(list(draw_halves(7, 20, seed=3, block=20)))
    parts = np.concatenate(list(draw_halves(7, 20, seed=3, block=6)))
    assert whole.sum(axis=1).tolist() == [3] * 20
    assert (whole == parts).all()
    assert whole.mean(axis=0).min() > 0


def test_halves_that_are_too_many_to_be_kept_begin_as_those_that_are_kept():
    few, many = (np.concatenate(list(draw_halves(1000, n, seed=4, block=70))) for n in (90, 600))
    assert (many[:90] == few).all()
    assert (many.sum(axis=1) == 500).all()


def sample(random, n_images, hit=0.6, also=None):
    """Draw images of one class: objects by images of unequal difficulty, each found or not, and false positives.

    `also` shifts the difficulty for a second model that sees the same images.
    """
    objects = random.poisson(random.gamma(2.0, 1.0, n_images))
    truth = np.repeat(np.arange(n_images), objects)
    ease = random.normal(0, 0.5, n_images)[truth] + random.normal(0, 0.6, len(truth))
    models = [_model(random, n_images, truth, ease + hit)]
    if also is not None:
        models.append(_model(random, n_images, truth, ease + hit + also))
    return models


def _model(random, n_images, truth, ease):
    own = ease + random.normal(0, 0.6, len(truth))
    wrong = random.integers(0, n_images, 2 * n_images)
    images = np.concatenate([truth, wrong])
    scores = np.concatenate([own + random.normal(0, 0.5, len(truth)), random.normal(-1, 0.8, len(wrong))])
    order = np.argsort(-scores)
    quality = np.concatenate([own, np.full(len(wrong), -9.0)])[order]
    hits = tuple(np.flatnonzero(quality > limit) for limit in np.linspace(-0.5, 1.5, 10))
    return [Category(truth, images[order], hits, (NONE,) * 10)]


def covered(low, value, high):
    return low <= value <= high


def test_the_interval_covers_the_truth_as_often_as_it_says():
    random = np.random.default_rng(0)
    (population,) = sample(random, POPULATION)
    true = mean_average_precision(population, np.ones((1, POPULATION), np.int32))[0]
    results = [interval(sample(random, 150)[0], 150, resamples=80, seed=k) for k in range(60)]
    share = np.mean([covered(r.low, true, r.high) for r in results])
    assert share >= 0.87  # 0.95 of 60 within about three standard errors
    assert all(covered(r.low, r.map, r.high) for r in results)


def test_the_paired_interval_covers_the_true_difference_and_is_narrower():
    random = np.random.default_rng(1)
    models = sample(random, POPULATION, also=0.15)
    ones = np.ones((1, POPULATION), np.int32)
    true = mean_average_precision(models[1], ones)[0] - mean_average_precision(models[0], ones)[0]
    draws = [sample(random, 150, also=0.15) for _ in range(50)]
    results = [difference(*pair, 150, resamples=80, seed=k) for k, pair in enumerate(draws)]
    assert np.mean([covered(r.low, true, r.high) for r in results]) >= 0.86
    single = [interval(pair[0], 150, resamples=80) for pair in draws[:10]]
    widths = [np.mean([r.high - r.low for r in rows]) for rows in (results, single)]
    assert widths[0] < 0.8 * widths[1]


def test_p_is_small_where_the_models_differ_and_rarely_where_they_do_not():
    random = np.random.default_rng(2)
    same = [difference(*sample(random, 150, also=0.0), 150, resamples=80).p for _ in range(40)]
    other = [difference(*sample(random, 150, also=0.8), 150, resamples=80).p for _ in range(10)]
    assert np.mean(np.array(same) < 0.05) <= 0.13
    assert np.mean(np.array(other) < 0.05) >= 0.8


def test_a_model_does_not_differ_from_itself(random_data):
    random = np.random.default_rng(4)
    truth, pool = random_data.truth(random)
    table = random_data.detections(random, truth, pool)
    result = paired_difference(truth, table, table, resamples=50)
    assert (result.difference, result.low, result.high, result.p) == (0.0, 0.0, 0.0, 1.0)
    assert result.n_images == len(truth.images)


def test_one_image_has_an_map_but_no_interval(random_data):
    truth = random_data.one_object((10, 10, 50, 50))
    result = map_interval(truth, DetectionTable(np.array([[1, 10, 10, 50, 50, 0.4, 1]])))
    assert (result.map, result.low, result.high) == (pytest.approx(1.0), None, None)


def test_images_without_objects_have_neither(random_data):
    truth = random_data.one_object((10, 10, 50, 50))
    empty = replace(truth, image_ids=np.array([1]), images=(ImageRow(1), ImageRow(2), ImageRow(3)))
    result = map_interval(empty, DetectionTable(np.empty((0, 7))), image_ids=[2, 3])
    assert (result.map, result.low, result.high) == (None, None, None)


def test_the_same_seed_gives_the_same_interval_and_another_one_a_similar_one(shared_data):
    from harness.accuracy.annotations import read_annotations
    from harness.accuracy.detections import load_detections

    folder = shared_data / "cocoapi_demo"
    truth = read_annotations(folder / "instances_val2014_100.json")
    table = load_detections(folder / "instances_val2014_fakebbox100_results.json")
    results = [map_interval(truth, table, resamples=200, seed=seed) for seed in (0, 0, 1)]
    assert results[0] == results[1]
    assert results[0] != results[2]
    assert results[0].low == pytest.approx(results[2].low, abs=0.01)
    assert results[0].map == pytest.approx(0.505, abs=5e-4)


def test_one_resample_is_refused(random_data):
    truth = random_data.one_object((10, 10, 50, 50))
    with pytest.raises(UsageError, match="1 resamples leave no interval"):
        map_interval(truth, DetectionTable(np.empty((0, 7))), resamples=1)


def test_what_was_evaluated_before_is_not_evaluated_again_and_changes_no_digit(random_data):
    random = np.random.default_rng(12)
    truth, pool = random_data.truth(random)
    tables = [random_data.detections(random, truth, pool) for _ in range(2)]
    known, n_known = {}, 0
    for first, second in ((0, 1), (1, 0), (0, 0)):
        pair = tables[first], tables[second]
        found = paired_difference(truth, *pair, resamples=300, known=known)
        assert found == paired_difference(truth, *pair, resamples=300)
        n_known = n_known or len(known)
        assert len(known) == n_known > 0
    assert map_interval(truth, tables[1], resamples=300, seed=1, known=known) == map_interval(
        truth, tables[1], resamples=300, seed=1
    )
    assert len(known) > n_known, "another seed draws other halves"


def test_halves_are_evaluated_as_each_model_by_itself_to_the_last_bit(random_data):
    random = np.random.default_rng(13)
    truth, pool = random_data.truth(random)
    tables = [random_data.detections(random, truth, pool) for _ in range(2)]
    n_images, weights = len(truth.images), np.array([[-1.0, 1.0, 0.0]])
    found = [categories(match(truth, table)) for table in tables]
    halves = np.concatenate(list(draw_halves(n_images, 90, 0, 40)))
    alone = [mean_average_precision(one, halves) for one in found]
    values, (sum_,) = contrasts(truth, [*tables, tables[0]], weights, resamples=90)
    expected = difference(*found, n_images, resamples=90)
    assert (sum_.low, sum_.high) == (expected.low, expected.high)
    assert values[0] == values[2] == mean_average_precision(found[0], np.ones((1, n_images), np.int32))[0]
    error = np.std((alone[1] - alone[0])[~np.isnan(alone[1] - alone[0])], ddof=1)
    n_half = n_images // 2
    reach = t_quantile(0.975, n_images - 1) * np.sqrt(n_half / (n_images - n_half)) * error
    assert expected.high - expected.difference == pytest.approx(reach, rel=1e-12)
