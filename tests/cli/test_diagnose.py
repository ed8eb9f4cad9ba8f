"""`harness diagnose`, through the command's own entry point."""

import csv
import json

import pytest
from PIL import Image

from harness.cli.main import main
from harness.diagnosis.document import COLUMNS, ROW_COLUMNS


@pytest.fixture
def diagnose(capsys, repository):
    """Run the command in the repository's workspace; returns the exit status, stdout and stderr."""

    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["--workspace", str(repository), "diagnose", *map(str, arguments)])
        return end.value.code, *capsys.readouterr()

    return run


SMALL = ("--limit", 6, "--layer-images", 2)
QUICK = ("--limit", 6, "--layer-images", 0)


def test_json_is_one_object_with_the_keys_of_the_contract(diagnose):
    status, out, _ = diagnose("shapes-float32", "shapes-full-integer", *SMALL, "--format", "json")
    (found,) = json.loads(out)
    assert status == 0 and tuple(found) == COLUMNS
    assert (
        found["float"]["quantization"] == "float32" and found["quantized"]["quantization"] == "full-integer"
    )
    assert found["float"]["delegate_actual"] == "xnnpack"
    assert found["loss"]["n_images"] == 6
    assert found["loss"]["map"] == pytest.approx(found["float"]["map"] - found["quantized"]["map"], abs=1e-9)
    parts = [part["loss"] for part in found["attribution"]["parts"]]
    assert sum(parts) == pytest.approx(found["loss"]["map"], abs=1e-9)
    assert len(found["layers"]["layers"]) == 55 and found["layers"]["n_images"] == 2
    assert [cause["rank"] for cause in found["causes"]] == list(range(1, len(found["causes"]) + 1))
    assert [one["cause"] for one in found["remedies"]] == [one["cause"] for one in found["causes"]]


def test_the_table_fits_100_columns_and_has_its_sections(diagnose, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    status, out, error = diagnose("shapes-float32", "shapes-full-integer", *SMALL)
    assert status == 0
    assert max(map(len, out.splitlines())) <= 100
    for title in ("How bad", "Of what the loss consists", "Where it arises", "Why"):
        assert title in out.splitlines()
    assert "the first 6 of 220 images" in error


@pytest.mark.parametrize("format_", ["csv", "markdown"])
def test_formats_with_cells_have_a_row_for_each_thing(diagnose, format_):
    status, out, _ = diagnose("shapes-float32", "shapes-full-integer", *QUICK, "--format", format_)
    assert status == 0
    if format_ == "csv":
        rows = list(csv.DictReader(out.splitlines()))
        assert tuple(rows[0]) == ROW_COLUMNS
        assert [row["name"] for row in rows if row["part"] == "map"] == ["float", "quantized"]
        assert [row["name"] for row in rows if row["part"] == "part"][-1] == "unexplained"
    else:
        assert out.startswith("| part") and "| unexplained" in out


def test_the_quantized_model_alone_is_judged_by_the_annotations(diagnose):
    status, out, _ = diagnose("shapes-full-integer", *QUICK, "--format", "json")
    (found,) = json.loads(out)
    assert status == 0 and found["float"] is None and found["attribution"] is None and found["layers"] is None
    assert found["loss"]["map"] is None and found["quantized"]["map"] > 0.3


def test_one_file_with_a_delegate_is_held_against_itself(diagnose):
    status, out, _ = diagnose(
        "shapes-full-integer", "--delegate", "cpu-reference", *QUICK, "--format", "json"
    )
    (found,) = json.loads(out)
    assert status == 0 and found["layers"] is None
    assert (found["float"]["delegate_actual"], found["quantized"]["delegate_actual"]) == (
        "xnnpack",
        "cpu-reference",
    )


def test_pictures_show_both_sides_and_are_never_replaced(diagnose, tmp_path):
    arguments = ("shapes-float32", "shapes-full-integer", "--limit", 12, "--layer-images", 0)
    status, _, _ = diagnose(*arguments, "--pictures", tmp_path / "pictures")
    files = sorted((tmp_path / "pictures").iterdir())
    assert status == 0 and files
    with Image.open(files[0]) as image:
        assert image.format == "PNG" and image.width > 2 * 480
    again, _, error = diagnose(*arguments, "--pictures", tmp_path / "pictures")
    assert again == 2 and "is there already" in error


def test_the_page_is_written_whole(diagnose, tmp_path):
    status, _, _ = diagnose("shapes-float32", "shapes-full-integer", *QUICK, "--html", tmp_path / "why.html")
    text = (tmp_path / "why.html").read_text(encoding="utf-8")
    assert status == 0 and text.startswith("<!doctype html>") and text.rstrip().endswith("</html>")
    assert "<script" not in text and "http" not in text.replace("http-equiv", "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["shapes-float23", "shapes-full-integer"], "Did you mean"),
        (["shapes-float32", "nothing.tflite"], "no such model file"),
        (["shapes-float32", "shapes-full-integer", "--html", "nowhere/why.html"], "no folder"),
        (["shapes-float32", "shapes-full-integer", "--dataset", "nowhere"], "no such dataset"),
        (["shapes-float32", "shapes-full-integer", "--delegate", "hexagon"], "hexagon"),
        (["shapes-float32", "shapes-full-integer", "--limit", "0"], "0"),
        (["shapes-float32", "shapes-full-integer", "--pipeline-config", "nowhere"], "nowhere"),
    ],
)
def test_wrong_use_ends_with_2_and_says_why(diagnose, arguments, words):
    status, out, error = diagnose(*arguments)
    assert status == 2 and not out and words in error


def test_a_model_without_a_dataset_says_what_to_give(diagnose, repository, tmp_path):
    file = tmp_path / "bare.tflite"
    file.write_bytes((repository / "models/shapes/shapes_float16.tflite").read_bytes())
    status, _, error = diagnose(file)
    assert status == 2 and "--dataset" in error
