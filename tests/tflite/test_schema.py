"""The reader gives the same with either package of schema classes."""

import pytest

from harness.errors import MissingExtraError
from harness.recognize.card import infer_card
from harness.tflite import schema
from harness.tflite.model import describe


@pytest.fixture
def backends(monkeypatch):
    """Set the packages that are tried; the choice is forgotten before and after."""

    def choose(*names):
        monkeypatch.setattr(schema, "BACKENDS", names)
        schema.load.cache_clear()

    yield choose
    schema.load.cache_clear()


def test_the_tflite_package_gives_the_same_description(shared_models, backends):
    pytest.importorskip("ai_edge_litert", reason="ai-edge-litert is not installed")
    pytest.importorskip("tflite", reason="the package `tflite` is not installed")
    for path in shared_models:
        backends("ai_edge_litert.schema_py_generated")
        expected = describe(path), infer_card(path)
        backends("tflite")
        assert (describe(path), infer_card(path)) == expected


def test_the_tflite_package_reads_a_small_network(make_detector, write_model, backends):
    pytest.importorskip("tflite", reason="the package `tflite` is not installed")
    path = write_model(make_detector())
    expected = describe(path)
    backends("absent_package", "tflite")
    assert describe(path) == expected


def test_without_either_package_the_error_says_what_to_install(write_model, make_detector, backends):
    backends("absent_package")
    with pytest.raises(MissingExtraError, match="ai-edge-litert"):
        describe(write_model(make_detector()))
