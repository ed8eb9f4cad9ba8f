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
