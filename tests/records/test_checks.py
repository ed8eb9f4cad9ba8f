"""Checks that object to an accuracy: their sentences, and records with and without them."""

import json

import pytest

from harness.records import records
from harness.records.checks import Check
from harness.report import export
from harness.rows import columns, frame
from tests.support.changed_runs import read_unsealed
from tests.support.exported import read_back
from tests.support.paths import RECORDS_FORMATS

CHECK = Check(
    name="labels read wrongly",
    verdict="certain",
    figures={"ap50": 0.02, "ap50_any_class": 0.5},
    words="AP50 is 0.020, and 0.500 whatever the classes",
    remedy="see the card's [labels]",
    command="harness models probe MODEL --dataset DATASET",
)


@pytest.fixture
def rows(make_run):
    """The row of a cell with a check, and one without."""
    run = make_run()
    run.cell(status="incorrect")
    run.cell()
    path = run.cells[0] / "record.json"
    data = read_unsealed(path)
    data["accuracy"]["checks"] = [CHECK.about("ssd.tflite", "coco").as_row()]
    path.write_text(json.dumps(data), encoding="utf-8")
    return frame.to_rows(records.load_records(run.folder))


def test_the_reason_says_the_contradiction_what_to_look_at_and_the_command():
    assert CHECK.about("ssd.tflite", "coco").reason == (
        "AP50 is 0.020, and 0.500 whatever the classes: see the card's [labels], or run `harness models probe "
        "ssd.tflite --dataset coco`"
    )


def test_a_check_without_a_remedy_is_its_words():
    assert Check(name="x", verdict="incomplete", figures={}, words="2 of 9").reason == "2 of 9"


def test_a_row_has_its_checks_as_objects(rows):
    (check,), none = rows[0]["checks"], rows[1]["checks"]
    assert none == []
    assert (check["name"], check["verdict"], check["figures"]["ap50"]) == (
        "labels read wrongly",
        "certain",
        0.02,
    )
    assert check["command"] == "harness models probe ssd.tflite --dataset coco"


@pytest.mark.parametrize("ending", ["json", "csv"])
def test_objects_are_exported_as_objects(rows, ending, tmp_path):
    path = tmp_path / f"x.{ending}"
    path.write_bytes(export.to_bytes(rows, columns.NAMES, ending))
    assert read_back(path)["checks"][0] == rows[0]["checks"]


def test_parquet_has_each_object_as_its_text(rows, tmp_path):
    path = tmp_path / "x.parquet"
    path.write_bytes(export.to_bytes(rows, columns.NAMES, "parquet"))
    assert [json.loads(text) for text in read_back(path)["checks"][0]] == rows[0]["checks"]


def test_tables_show_the_name_and_the_verdict(rows):
    text = export.to_bytes(rows, ["checks"], "markdown").decode()
    assert "labels read wrongly (certain)" in text and "ap50" not in text


def test_records_without_checks_still_load():
    (row,) = frame.load_results(RECORDS_FORMATS / "1").to_dict("records")
    assert row["checks"] == []
