"""What a TensorFlow source is, and what one is that does not hold what its name says."""

import re
import zipfile

import pytest

from harness.cli.main import main
from harness.conversion.sources import check_content, find_kind
from harness.errors import ModelError

NODE = b"\x0a\x10\x0a\x01a\x12\x0bPlaceholder"


@pytest.fixture
def file(tmp_path):
    """Writes a file and returns it."""

    def write(name, content=b"x"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        return path

    return write


def refusal(path):
    with pytest.raises(ModelError) as caught:
        check_content(path, find_kind(path))
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.pb", b"hi\n", "a.pb: not a frozen graph (a binary GraphDef): "),
        ("a.pb", b"\x0a", "it ends within a number, at byte 1"),
        ("a.pb", b"", "it holds no nodes"),
        ("a.pb", b"\x1c\0\0\0TFL3", "found a .tflite by its content, expected a frozen graph"),
        ("a.pb", b"\x1f\x8b\x08", "a compressed archive by its content"),
        ("a.keras", b"hi\n", "a.keras: not a Keras model: it begins with 68690a"),
        ("a.h5", b"", "a.h5: not a Keras model: it begins with nothing"),
        ("a.h5", b"PK\x03\x04", "found a zip archive by its content"),
        ("a.keras", b"\x89HDF\r\n\x1a\n", "If Keras saved a whole model in it, name it .h5"),
        ("s/saved_model.pb", b"hi\n", "saved_model.pb: not a SavedModel: "),
        ("s/saved_model.pb", b"", "saved_model.pb: not a SavedModel: it holds no graph"),
    ],
)
def test_a_file_that_is_not_what_it_claims_is_refused_without_tensorflow(file, name, content, says):
    path = file(name, content)
    words = refusal(path.parent if "/" in name else path)
    assert says in words and not words.endswith(": ")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("plain", b"\x1c\0\0\0TFL3", "found a .tflite by its content, expected"),
        ("all.zip", b"PK\x03\x04", "found a zip archive by its content, .*Unpack it"),
        ("net.KERAS", b"PK\x03\x04", r"found a file in \.KERAS, .*Name it net\.keras"),
        ("x/model.ckpt-1.index", b"x", "found a training checkpoint, expected .*Freeze it"),
    ],
)
def test_what_is_none_is_known_by_its_content_where_the_name_says_nothing(file, name, content, says):
    assert re.search(says, refusal(file(name, content)))


def test_the_prefix_of_a_checkpoint_is_known_by_its_index(file):
    assert "model.ckpt-1: found a training checkpoint" in refusal(file("model.ckpt-1.index").with_suffix(""))


def test_a_graph_is_one_whatever_the_case_of_its_ending(file):
    path = file("GRAPH.PB", NODE)
    assert find_kind(path) == "frozen-graph"
    check_content(path, "frozen-graph")


def test_a_keras_file_is_a_zip_archive(tmp_path):
    with zipfile.ZipFile(tmp_path / "net.keras", "w") as archive:
        archive.writestr("config.json", "{}")
    check_content(tmp_path / "net.keras", "keras")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--outputs", ","), "found an empty name of a tensor"),
        (("--mode", "qat-uint8", "--stats", "nan,1"), "found mean nan and std 1, expected numbers"),
        (("--mode", "qat-uint8", "--stats", "0,inf"), "found mean 0 and std inf, expected numbers"),
        (("--dataset", "no-data"), "no-data: no such dataset folder"),
    ],
)
def test_what_cannot_be_heeded_is_refused_before_anything_is_converted(file, tmp_path, capsys, options, says):
    with pytest.raises(SystemExit) as end:
        main(["convert", str(file("graph.pb", NODE)), "-o", str(tmp_path / "out.tflite"), *options])
    assert (end.value.code, says in " ".join(capsys.readouterr().err.split())) == (2, True)


def test_sizes_are_refused_without_their_data_set_before_any_is_made(file, tmp_path, capsys):
    args = ["--sizes", "96", "--dataset", str(tmp_path / "none"), "-o", str(tmp_path / "sizes")]
    with pytest.raises(SystemExit) as end:
        main(["resize", str(file("graph.pb", NODE)), *args])
    assert (end.value.code, "no such dataset folder" in capsys.readouterr().err) == (2, True)


def test_sizes_of_a_cards_graph_ask_for_the_graph_alone(repository, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    with pytest.raises(SystemExit) as end:
        main(["--workspace", str(repository), "resize", "mobiledet-cpu-float16", "--sizes", "96"])
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert "`harness models fetch mobiledet-cpu-float16`" in error and "harness convert" not in error
