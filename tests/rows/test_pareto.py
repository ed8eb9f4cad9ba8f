"""Pareto front and change against float32."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.rows.pareto import QUANTIZATION_WORDS, Change, changes, family, marks, optimal


def row(latency=1.0, map_=0.5, **others):
    defaults = {
        "run_id": "r", "device": "d", "delegate_requested": "cpu:1", "runtime": "t", "dataset": "coco", "n_images": 9,
        "status": "ok", "model": "ssd-int8", "quantization": "full-integer",
    }  # fmt: skip
    return {**defaults, "latency_median_ms": latency, "map": map_, **others}


@pytest.mark.parametrize("word", QUANTIZATION_WORDS)
@pytest.mark.parametrize("separator", ["-", "_", "."])
def test_a_trailing_quantization_word_is_not_part_of_the_family(word, separator):
    assert family(f"SSD-v2{separator}{word}") == "ssd-v2"
    assert family(f"ssd-v2{separator}{word.replace('-', '_').upper()}") == "ssd-v2"


@pytest.mark.parametrize("name", ["int8", "ssd-int8-v2", "ssd-intense", "quantnet", "ssd-640", "ssd"])
def test_other_words_are_part_of_the_family(name):
    assert family(name) == name


def test_several_trailing_words_go_together():
    assert family("ssd_full_integer_quant") == family("ssd-fp32") == "ssd"


def test_a_row_is_optimal_when_no_other_is_as_good_in_both_and_better_in_one():
    rows = [row(1, 0.5), row(2, 0.6), row(2, 0.5), row(3, 0.6), row(1, 0.5)]
    assert optimal(rows) == [True, True, False, False, True]


def test_only_ok_rows_with_both_figures_take_part():
    rows = [row(5, 0.5), row(1, 0.9, status="partial"), row(None, 0.9), row(1, None)]
    assert optimal(rows) == [True, False, False, False]


@pytest.mark.parametrize("key", ["device", "dataset", "n_images"])
def test_rows_that_cannot_be_compared_do_not_beat_each_other(key):
    assert optimal([row(2, 0.5), row(1, 0.6, **{key: "other"})]) == [True, True]


FIGURES = st.tuples(st.integers(1, 6), st.integers(0, 5))


@given(st.lists(FIGURES, max_size=12))
def test_the_front_is_never_empty_and_every_other_row_is_beaten_by_it(figures):
    rows = [row(latency, map_) for latency, map_ in figures]
    marks = optimal(rows)
    front = {figure for figure, mark in zip(figures, marks, strict=True) if mark}
    assert bool(front) == bool(rows)
    for (latency, map_), mark in zip(figures, marks, strict=True):
        beaten = any(a <= latency and b >= map_ and (a, b) != (latency, map_) for a, b in front)
        assert beaten != mark


def test_rows_without_a_name_are_compared_as_any_others():
    named = changes([row(4.0, 0.5, quantization="float32"), row(2.0, 0.5)])
    nameless = changes([row(4.0, 0.5, quantization="float32", model=None), row(2.0, 0.5, model=None)])
    assert nameless == named


def test_the_change_is_against_the_float32_version_of_the_same_device_and_delegate():
    base = row(4.0, 0.5, model="ssd-float32", quantization="float32 [NHWC]")
    other = row(40.0, 0.9, model="ssd-float32", quantization="float32", delegate_requested="cpu:4")
    small = row(2.0, 0.4)
    found = changes([base, other, small])
    assert found[0] == Change(is_reference=True)
    assert found[2].map_difference == pytest.approx(-0.1)
    assert found[2].speed_ratio == pytest.approx(2.0)


@pytest.mark.parametrize("key", ["device", "delegate_requested", "runtime", "model"])
def test_there_is_no_change_without_a_comparable_float32_version(key):
    base = row(4.0, 0.5, **{"model": "ssd-fp32", "quantization": "float32", key: "other"})
    assert changes([base, row()])[1] == Change()


def test_accuracy_on_another_dataset_is_not_compared_but_speed_is():
    base = row(4.0, 0.5, model="ssd-fp32", quantization="float32", n_images=10)
    change = changes([base, row(2.0)])[1]
    assert (change.map_difference, change.speed_ratio) == (None, 2.0)


def test_of_several_float32_versions_the_one_of_the_same_run_counts_and_doubt_is_no_change():
    mine = row(4.0, 0.5, model="ssd-fp32", quantization="float32")
    older = row(8.0, 0.5, model="ssd-fp32", quantization="float32", run_id="old")
    assert changes([older, mine, row(2.0)])[2].speed_ratio == 2.0
    assert changes([mine, mine, row(2.0)])[2] == Change()


def test_unknown_figures_give_an_unknown_change():
    base = row(None, None, model="ssd-fp32", quantization="float32")
    assert changes([base, row()])[1] == Change()


def test_a_place_on_the_front_is_shown_by_intervals_that_lie_apart():
    def measured(ms, accuracy, half=None):
        ends = {"latency_median_low_ms": ms - 0.1, "latency_median_high_ms": ms + 0.1}
        bounds = (None, None) if half is None else (accuracy - half, accuracy + half)
        return row(ms, accuracy, **ends, map_low=bounds[0], map_high=bounds[1])

    apart = [measured(1.0, 0.2), measured(2.0, 0.3)]
    assert marks(apart) == ["★", "☆"]  # the second is more accurate, which nothing shows
    assert marks(apart, lambda first, second: first["map"] > second["map"]) == ["★", "★"]
    assert marks([measured(1.0, 0.3), measured(1.1, 0.3)]) == ["☆", ""]
    assert marks([measured(1.0, 0.3), measured(1.3, 0.3)]) == ["★", ""]
    assert marks([measured(1.0, 0.2, 0.01), measured(2.0, 0.3, 0.01)]) == ["★", "★"]
