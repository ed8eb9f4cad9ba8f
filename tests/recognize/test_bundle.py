"""MediaPipe's task bundles: the model inside is what is measured."""

import zipfile

import pytest

from harness.errors import ModelError
from harness.recognize.find import find_model
from harness.workspace import find_workspace
from tests.support.paths import MODELS, REPOSITORY

MODEL = MODELS / "shapes" / "shapes_float32.tflite"


def bundle(path, *names):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.write(MODEL, name)
        archive.writestr("labels.txt", "circle\n")
    return path


def test_the_model_of_a_bundle_is_recognised_and_kept_in_the_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    workspace = find_workspace(str(REPOSITORY))
    model = find_model(str(bundle(tmp_path / "shapes.task", "detector.tflite")), workspace)
    assert (model.name, model.card.decoder.name) == ("shapes", "ssd-postprocess")
    assert model.file.read_bytes() == MODEL.read_bytes()
    assert model.file.is_relative_to(tmp_path / "cache")


def test_a_bundle_of_several_models_names_them(tmp_path):
    path = bundle(tmp_path / "face.task", "face_detector.tflite", "landmarks.tflite")
    with pytest.raises(ModelError, match=r"face_detector\.tflite, landmarks\.tflite"):
        find_model(str(path), find_workspace(str(REPOSITORY)))


def test_a_bundle_that_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "x.task"
    path.write_bytes(b"nothing")
    with pytest.raises(ModelError, match="no archive that can be read"):
        find_model(str(path), find_workspace(str(REPOSITORY)))
