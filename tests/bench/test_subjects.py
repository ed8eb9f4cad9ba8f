"""The models and their data are found, and bad input is refused before anything is measured."""

from dataclasses import replace

import pytest

from harness.bench.request import Request
from harness.errors import DatasetError, ModelError, SchemaError, UnknownNameError, UsageError
from harness.session import prepare
from tests.support.paths import MODELS


def test_with_nothing_asked_for_the_bundled_example_is_planned(repository, tmp_path):
    ready = prepare(Request(workspace=str(repository), output=str(tmp_path)))
    assert {cell.model.name for cell in ready.plan.cells} == {
        "shapes-float32",
        "shapes-float16",
        "shapes-dynamic-range",
        "shapes-full-integer",
    }
    assert {str(cell.delegate) for cell in ready.plan.cells} == {"cpu:1", "cpu:2", "cpu-reference:1"}
    assert all(cell.wants_latency and cell.wants_accuracy for cell in ready.plan.cells)


def test_the_example_is_found_from_a_workspace_that_does_not_hold_it(tmp_path):
    for name in ("devices", "models"):
        (tmp_path / name).mkdir()
    (tmp_path / "devices" / "local.toml").write_text('name = "local"\n[connection]\nkind = "local"\n')
    ready = prepare(Request(workspace=str(tmp_path)))
    assert len(ready.plan.cells) == 4
    assert ready.results == tmp_path.resolve() / "results"


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"models": ("shapes-float23",)}, UnknownNameError, "shapes-float32"),
        ({"models": ("nowhere.tflite",)}, ModelError, "nowhere.tflite"),
        ({"models": ("nowhere.toml",)}, SchemaError, "nowhere.toml"),
        ({"models": ("mobiledet-cpu",)}, ModelError, "harness models fetch mobiledet-cpu"),
        ({"models": ("shapes-float32", "shapes-float32")}, UsageError, "two models are called"),
        ({"delegates": ("cpuu",)}, UnknownNameError, "Did you mean cpu"),
        ({"delegates": ("cpu:zero",)}, UsageError, "expected a whole number"),
        ({"devices": ("locla",)}, UnknownNameError, "local"),
        ({"devices": ("local", "local")}, UsageError, "named twice"),
        ({"dataset": "no/such/folder"}, DatasetError, "no/such/folder"),
    ],
)
def test_a_wrong_name_is_an_error_that_says_what_to_do(prepared, changes, error, text):
    with pytest.raises(error, match=text.replace("/", ".")):
        prepared(**changes)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"\x00" * 5000, b"hello, I am a model" * 99])
def test_bytes_that_are_no_model_are_refused_before_anything_is_measured(prepared, tmp_path, content):
    path = tmp_path / "broken.tflite"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"broken\.tflite"):
        prepared(models=(str(path),))
    assert not list((tmp_path / "results").glob("*")) if (tmp_path / "results").exists() else True


def test_a_truncated_model_is_refused(prepared, tmp_path, repository):
    path = tmp_path / "half.tflite"
    whole = (repository / "models" / "shapes" / "shapes_float32.tflite").read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match=r"half\.tflite"):
        prepared(models=(str(path),))


def test_a_model_whose_outputs_nobody_can_decode_is_timed_only_and_says_so(prepared, tmp_path, quick):
    from harness.cards import load_card

    model = load_card(MODELS / "shapes-float32.toml")
    card = tmp_path / "mine.toml"
    card.write_text(
        f'name = "mine"\n[source]\npath = "{model.file.resolve()}"\n'
        f"[input]\nwidth = {model.card.input.width}\nheight = {model.card.input.height}\n"
        '[decoder]\nname = "none"\n'
    )
    ready = prepared(
        models=(str(card),), settings=replace(quick, accuracy=True), dataset=str(model.dataset_path)
    )
    assert all(cell.dataset is None for cell in ready.plan.cells)
    assert "cannot be decoded" in ready.remarks[0]
    with pytest.raises(UsageError, match="cannot be decoded"):
        prepared(
            models=(str(card),),
            settings=replace(quick, accuracy=True, latency=False),
            dataset=str(model.dataset_path),
        )


@pytest.fixture
def trained(tmp_path, repository):
    """Files of one name in several folders, as trainings leave them."""

    def copy(*places):
        files = []
        for place in places:
            file = tmp_path / place / "best.tflite"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes((repository / "models" / "shapes" / "shapes_float32.tflite").read_bytes())
            files.append(str(file))
        return files

    return copy


def names(run):
    return list(dict.fromkeys(cell.model.name for cell in run.plan.cells))


@pytest.mark.parametrize(
    ("places", "expected"),
    [
        (("yolo-a", "yolo-b"), ["yolo-a-best", "yolo-b-best"]),
        (("runs/a/weights", "runs/b/weights"), ["a-best", "b-best"]),
        (("a/1", "b/2", "c/1"), ["a-best", "b-best", "c-best"]),
    ],
)
def test_files_of_one_name_get_the_names_of_their_nearest_folders_that_differ(
    prepared, trained, places, expected
):
    assert names(prepared(models=tuple(trained(*places)))) == expected


def test_a_file_takes_the_name_that_is_written_before_it(prepared, trained):
    first, second = trained("a", "b")
    assert names(prepared(models=(f"old={first}", f"new={second}"))) == ["old", "new"]


def test_one_file_twice_needs_a_name_and_the_error_says_how(prepared, trained):
    (file,) = trained("a")
    with pytest.raises(UsageError, match="name one with NAME=FILE"):
        prepared(models=(file, file))
    assert names(prepared(models=(file, f"again={file}"))) == ["best", "again"]


@pytest.mark.parametrize("name", ["x y", "=", "../up", "a\nb", ""])
def test_a_name_that_needs_quoting_is_refused(prepared, trained, name):
    (file,) = trained("a")
    with pytest.raises(UsageError):
        prepared(models=(f"{name}={file}",))
