"""Detections must come back exactly, whatever the file looks like, and appear whole or not at all."""

import json
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.accuracy import detections
from harness.accuracy.detections import DetectionTable, DetectionWriter, as_table, load_detections
from harness.errors import DatasetError, MeasurementError, OutputError

ROW = {"image_id": 1, "category_id": 18, "bbox": [1.5, 2, 3, 4.25], "score": 0.5}


def write(path, text):
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    return path


# -- writing -----------------------------------------------------------------------------------------------------


def test_what_is_written_is_cocos_result_format(tmp_path):
    with DetectionWriter(tmp_path / "d.json") as writer:
        writer.add(42, [[258.15, 41.29, 348.26, 243.78]], [0.25], [18])
        writer.add(
            73, np.array([[61, 22.75, 504, 609.67], [0, 0, 1, 1]]), np.array([0.5, 0.125]), np.array([11, 4])
        )
    assert json.loads((tmp_path / "d.json").read_text()) == [
        {"image_id": 42, "category_id": 18, "bbox": [258.15, 41.29, 348.26, 243.78], "score": 0.25},
        {"image_id": 73, "category_id": 11, "bbox": [61.0, 22.75, 504.0, 609.67], "score": 0.5},
        {"image_id": 73, "category_id": 4, "bbox": [0.0, 0.0, 1.0, 1.0], "score": 0.125},
    ]


def test_boxes_have_three_decimals_and_scores_are_exact(tmp_path):
    score = np.float32(0.1)
    with DetectionWriter(tmp_path / "d.json") as writer:
        writer.add(1, np.array([[1 / 3, -0.0001, 2 / 3, 10.00049]], np.float32), [score], [1])
    (row,) = json.loads((tmp_path / "d.json").read_text())
    assert row["bbox"] == [0.333, 0.0, 0.667, 10.0]
    assert row["score"] == float(score) == 0.10000000149011612
    assert "-0.0" not in (tmp_path / "d.json").read_text()


def test_one_detection_stands_on_one_line(tmp_path):
    with DetectionWriter(tmp_path / "d.json") as writer:
        writer.add(1, np.zeros((2, 4)), np.zeros(2), [1, 2])
        writer.add(2, np.zeros((0, 4)), [], [])
        writer.add(3, np.zeros((1, 4)), np.zeros(1), [3])
    assert len((tmp_path / "d.json").read_text().splitlines()) == 5
    assert writer.n_detections == 3


@pytest.mark.parametrize("n_images", [0, 3])
def test_no_detections_is_an_empty_list(tmp_path, n_images):
    with DetectionWriter(tmp_path / "d.json") as writer:
        for image in range(n_images):
            writer.add(image, [], [], [])
    assert json.loads((tmp_path / "d.json").read_text()) == []
    assert len(load_detections(tmp_path / "d.json")) == 0


def test_the_same_detections_give_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        random = np.random.default_rng(1)
        with DetectionWriter(tmp_path / name) as writer:
            for image in range(5):
                writer.add(image, random.random((9, 4)) * 300, random.random(9), random.integers(1, 90, 9))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_the_file_does_not_exist_before_the_end_and_nothing_else_stays(tmp_path):
    with DetectionWriter(tmp_path / "d.json") as writer:
        writer.add(1, np.zeros((1, 4)), [0.5], [1])
        assert not (tmp_path / "d.json").exists()
    assert [file.name for file in tmp_path.iterdir()] == ["d.json"]


def test_a_failure_leaves_the_old_file_and_no_temporary_one(tmp_path):
    write(tmp_path / "d.json", "[]")
    with pytest.raises(ValueError, match="reshape"), DetectionWriter(tmp_path / "d.json") as writer:
        writer.add(1, [1, 2, 3], [0.5], [1])
    assert [file.name for file in tmp_path.iterdir()] == ["d.json"]
    assert (tmp_path / "d.json").read_text() == "[]"


def test_folders_are_made(tmp_path):
    with DetectionWriter(tmp_path / "run" / "cell" / "d.json"):
        pass
    assert (tmp_path / "run" / "cell" / "d.json").is_file()


def test_a_place_that_cannot_be_written_is_an_output_error(tmp_path):
    write(tmp_path / "file", "")
    with (
        pytest.raises(OutputError, match="cannot be written"),
        DetectionWriter(tmp_path / "file" / "d.json"),
    ):
        pass


def test_a_folder_in_the_place_of_the_file_is_an_output_error_and_nothing_stays(tmp_path):
    (tmp_path / "d.json").mkdir()
    with pytest.raises(OutputError, match="cannot be written"), DetectionWriter(tmp_path / "d.json"):
        pass
    assert [file.name for file in tmp_path.iterdir()] == ["d.json"]


@pytest.mark.parametrize(("box", "score"), [([0, 0, np.nan, 1], 0.5), ([0, 0, 1, 1], np.inf)])
def test_values_that_are_not_finite_are_an_incorrect_result(tmp_path, box, score):
    with (
        pytest.raises(MeasurementError, match=r"image 7: .* not a finite number") as caught,
        DetectionWriter(tmp_path / "d.json") as writer,
    ):
        writer.add(7, [box], [score], [1])
    assert caught.value.status == "incorrect"
    assert not list(tmp_path.iterdir())


def test_columns_of_different_lengths_are_refused(tmp_path):
    with pytest.raises(ValueError, match="shorter"), DetectionWriter(tmp_path / "d.json") as writer:
        writer.add(1, np.zeros((2, 4)), [0.5], [1, 2])


def test_writing_holds_one_image_at_a_time(tmp_path):
    boxes, scores, ids = np.zeros((100, 4)), np.zeros(100), np.ones(100, int)
    with DetectionWriter(tmp_path / "d.json") as writer:
        writer.add(0, boxes, scores, ids)
        tracemalloc.start()
        for image in range(300):
            writer.add(image, boxes, scores, ids)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert (tmp_path / "d.json").stat().st_size > 1_500_000
    assert peak < 300_000


# -- reading -----------------------------------------------------------------------------------------------------


def test_the_columns_are_what_the_file_says(tmp_path):
    table = load_detections(write(tmp_path / "d.json", [ROW, {**ROW, "image_id": 2**40, "score": 1}]))
    assert table.image_ids.tolist() == [1, 2**40]
    assert table.boxes.tolist() == [[1.5, 2, 3, 4.25]] * 2
    assert table.scores.tolist() == [0.5, 1]
    assert table.category_ids.tolist() == [18, 18]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    numbers=st.lists(st.floats(-1e3, 1e3, allow_nan=False), max_size=40),
    block=st.integers(1, 400),
    layout=st.sampled_from([{}, {"indent": 2}, {"separators": (",", ":")}]),
    nested=st.booleans(),
)
def test_any_layout_is_read_exactly_in_blocks_of_any_size(numbers, block, layout, nested, tmp_path_factory):
    extra = {"segmentation": {"size": [1, 2], "counts": "}],{["}} if nested else {}
    rows = [{**ROW, "image_id": k, "bbox": [x, x, 1, 2], "score": x, **extra} for k, x in enumerate(numbers)]
    path = write(tmp_path_factory.getbasetemp() / "d.json", json.dumps(rows, **layout))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(detections, "BLOCK_BYTES", block)
        table = load_detections(path)
    assert table.scores.tolist() == numbers
    assert table.boxes[:, 0].tolist() == numbers
    assert table.image_ids.tolist() == list(range(len(numbers)))


def test_surrounding_space_is_allowed(tmp_path):
    assert (
        len(load_detections(write(tmp_path / "d.json", f"\n [ {json.dumps(ROW)} ,\n{json.dumps(ROW)} ] \n")))
        == 2
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not valid JSON"),
        ("[{", "not valid JSON"),
        ("[" + json.dumps(ROW), "not valid JSON"),
        (json.dumps([ROW]) + "]", "not valid JSON"),
        (json.dumps([ROW])[:-1] + ",]", "not valid JSON"),
        (json.dumps(ROW) * 2, "not valid JSON"),
        ({"detections": [ROW]}, "expected a list"),
        ([ROW, 3], "detection at index 1: found 3, expected an object"),
        ([{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}], "index 0: the key 'score' is missing"),
        ([ROW, {**ROW, "bbox": [1, 2, 3]}], r"index 1: 'bbox' is \[1, 2, 3\], expected four finite numbers"),
        ([ROW, {**ROW, "bbox": None}], "index 1: 'bbox' is null, expected four finite numbers"),
        ([{**ROW, "bbox": [1, 2, float("nan"), 4]}], r"index 0: 'bbox' is \[1, 2, NaN, 4\], expected four"),
        ([ROW, {**ROW, "score": float("inf")}], "index 1: 'score' is Infinity, expected a finite number"),
        ([{**ROW, "score": "high"}], "index 0: 'score' is \"high\", expected a number"),
        ([{**ROW, "image_id": 1.5}], "index 0: 'image_id' is 1.5, expected a whole number"),
        ([{**ROW, "image_id": "000001"}], "index 0: 'image_id' is \"000001\", expected a whole number"),
        (
            [{**ROW, "image_id": 2**60}],
            "index 0: 'image_id' is 1152921504606846976, expected a whole number <=",
        ),
        ('[{"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 1e999], "score": 1}]', "index 0: 'bbox' is"),
    ],
)
def test_a_wrong_file_is_a_readable_error(tmp_path, text, message):
    path = write(tmp_path / "d.json", text)
    with pytest.raises(DatasetError, match=message) as caught:
        load_detections(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.exit_status == 2


@pytest.mark.parametrize("between", [",,", "", " ", ";", "],["])
def test_what_stands_between_two_blocks_must_be_one_comma(tmp_path, monkeypatch, between):
    monkeypatch.setattr(detections, "BLOCK_BYTES", 8)
    text = f"[{json.dumps(ROW)},{json.dumps(ROW)}{between}{json.dumps(ROW)}]"
    with pytest.raises(DatasetError, match="not valid JSON"):
        load_detections(write(tmp_path / "d.json", text))


@pytest.mark.parametrize("name", ["absent.json", "."])
def test_a_file_that_cannot_be_read_is_a_readable_error(tmp_path, name):
    with pytest.raises(DatasetError, match="the detections cannot be read"):
        load_detections(tmp_path / name)


def test_an_error_deep_in_a_long_file_names_the_right_entry(tmp_path):
    rows = [{**ROW, "image_id": k} for k in range(9_000)]
    rows[7_777] = {**ROW, "score": None}
    with pytest.raises(DatasetError, match="detection at index 7777: 'score' is null"):
        load_detections(write(tmp_path / "d.json", rows))


# -- other sources -----------------------------------------------------------------------------------------------


def test_objects_arrays_and_tables_become_the_same_table():
    rows = as_table([ROW]).rows
    assert rows.tolist() == [[1, 1.5, 2, 3, 4.25, 0.5, 18]]
    assert as_table(rows).rows.tolist() == rows.tolist()
    assert as_table(DetectionTable(rows)).rows is rows
    assert as_table([]).rows.shape == (0, 7)


def test_an_array_of_another_shape_is_refused():
    with pytest.raises(DatasetError, match=r"shape \(3, 6\), expected \[N, 7\]"):
        as_table(np.zeros((3, 6)))


def test_an_array_with_a_value_that_is_not_finite_is_refused():
    rows = np.zeros((3, 7))
    rows[1, 2] = np.nan
    with pytest.raises(DatasetError, match="detection at index 1"):
        as_table(rows)


def test_objects_that_are_not_detections_are_refused_by_index():
    with pytest.raises(DatasetError, match="detection at index 1: the key 'bbox' is missing"):
        as_table([ROW, {"image_id": 1, "category_id": 1}])


def test_objects_may_hold_numpy_values():
    box = np.array([1.5, 2, 3, 4.25], np.float32)
    numbers = {"image_id": np.int64(1), "category_id": np.uint8(18), "bbox": box, "score": np.float32(0.5)}
    assert as_table([numbers]).rows.tolist() == as_table([ROW]).rows.tolist()


def test_ids_that_are_written_as_floats_are_whole_numbers(tmp_path):
    """As pandas writes them where a column once had an unknown value."""
    path = tmp_path / "found.json"
    path.write_text(json.dumps([{**ROW, "image_id": 42.0, "category_id": 3.0}]))
    assert load_detections(path).rows[0, [0, 6]].tolist() == [42.0, 3.0]
