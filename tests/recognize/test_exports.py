"""A model of another kind is answered with what makes a .tflite of it."""

from pathlib import Path

import pytest

from harness.errors import ModelError
from harness.recognize.exports import export_hint
from harness.recognize.find import find_file, find_model
from harness.workspace import bundled_workspace


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("best.pt", "yolo export model=best.pt format=tflite"),
        ("best.ONNX", "onnx2tf -i best.ONNX"),
        ("frozen.pb", "harness convert frozen.pb --mode float32 -o frozen.tflite"),
        ("m.keras", "harness convert m.keras"),
    ],
)
def test_a_file_of_another_kind_is_refused_with_the_way_to_a_tflite(name, way, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).touch()
    for find in (lambda: find_model(name, bundled_workspace()), lambda: find_file(name, None)):
        with pytest.raises(ModelError) as error:
            find()
        assert way in str(error.value) and "no such" not in str(error.value)


def test_a_file_that_is_not_there_is_said_to_be_missing_whatever_its_kind(tmp_path):
    with pytest.raises(
        ModelError, match=r"frozen\.pb: no such file; by its name it would be a TensorFlow graph"
    ):
        find_file(str(tmp_path / "frozen.pb"), None)


def test_the_folder_of_a_saved_model_is_known(tmp_path):
    assert export_hint(tmp_path) == ""
    (tmp_path / "saved_model.pb").touch()
    assert "harness convert" in export_hint(tmp_path)


def test_nothing_is_said_of_other_files():
    assert export_hint(Path("a.tflite")) == export_hint(Path("name")) == export_hint(Path("card.toml")) == ""
