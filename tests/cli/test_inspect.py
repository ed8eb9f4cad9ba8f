"""`harness inspect`: what is printed where, in which width, and the exit status."""

import json

import pytest

from harness.cli.main import main
from harness.tflite.inspect.model import COLUMNS


@pytest.fixture
def harness(monkeypatch, capsys, repository):
    """Run the command from the checkout; return its status, stdout and stderr."""
    monkeypatch.chdir(repository)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*args):
        with pytest.raises(SystemExit) as ended:
            main(["inspect", *map(str, args)])
        return (ended.value.code, *capsys.readouterr())

    return run


@pytest.fixture
def shapes(repository):
    return repository / "models" / "shapes"


def test_json_is_one_object_with_exactly_the_promised_keys(harness, shapes):
    status, out, _ = harness(shapes / "shapes_full_integer.tflite", "--format", "json")
    (found,) = json.loads(out)
    assert status == 0 and tuple(found) == COLUMNS
    assert found["quantization"] == "full-integer" and found["macs"] == 11_309_520


def test_the_table_has_its_sections_and_fits_100_columns(harness, shapes):
    status, out, _ = harness(shapes / "shapes_full_integer.tflite")
    assert status == 0
    for title in ("Inputs", "Outputs", "Operators", "Float islands", "NMS", "Metadata", "Where it will run"):
        assert f"\n{title}" in out
    assert max(map(len, out.splitlines())) <= 100
    assert "fast (all classes at once), 6 classes, at most 50 boxes" in out


def test_real_models_fit_100_columns_too(harness, shared_models):
    for path in shared_models:
        status, out, _ = harness(path)
        assert status == 0 and max(map(len, out.splitlines())) <= 100


def test_a_card_is_named_instead_of_its_file(harness):
    status, out, _ = harness("shapes-float16", "--format", "json")
    assert status == 0 and json.loads(out)[0]["quantization"] == "float16"


def test_two_models_give_only_what_differs(harness, shapes):
    float32, float16 = shapes / "shapes_float32.tflite", shapes / "shapes_float16.tflite"
    status, out, _ = harness(float32, float16, "--format", "json")
    rows = {row["key"]: row for row in json.loads(out)}
    assert status == 0 and rows["quantization"] == {
        "key": "quantization",
        "first": "float32",
        "second": "float16",
    }
    assert "macs" not in rows
    status, out, _ = harness(float32, float16)
    assert status == 0 and max(map(len, out.splitlines())) <= 100


def test_the_same_model_twice_differs_in_nothing(harness, shapes):
    path = shapes / "shapes_float32.tflite"
    status, out, err = harness(path, path)
    assert (status, out) == (0, "") and "no difference" in err
    assert json.loads(harness(path, path, "--format", "json")[1]) == []


@pytest.mark.parametrize("form", ["csv", "markdown"])
def test_cells_hold_objects_as_json(harness, shapes, form):
    status, out, _ = harness(shapes / "shapes_float32.tflite", "--format", form)
    assert status == 0 and "CONV_2D" in out and "{'" not in out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("none.tflite", None, "no such model file"),
        ("empty.tflite", b"", "is empty"),
        ("page.tflite", b"<html>" + bytes(20), "web page"),
        ("cut.tflite", b"\x1c\0\0\0TFL3" + bytes(30), "not a readable TFLite model"),
    ],
)
def test_what_is_no_model_is_refused_with_status_2(harness, tmp_path, name, content, said):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    status, out, err = harness(path)
    assert (status, out) == (2, "") and said in err


def test_an_unknown_name_lists_near_misses_and_a_model_that_is_not_here_says_why(harness):
    status, _, err = harness("shapes-flaot32")
    assert status == 2 and "shapes-float32" in err
    status, _, err = harness("mobiledet-cpu")
    assert status == 2 and "mobiledet-cpu" in err
