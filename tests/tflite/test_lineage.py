"""What a model was made from is noted by hashes, beside no file and in none."""

import shutil

import pytest

from harness.hashing import hash_file
from harness.tflite.lineage import ancestors, remember


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def test_a_model_is_known_by_what_it_was_made_from_wherever_it_lies(tmp_path):
    graph, whole, small = (write(tmp_path, name, name) for name in ("graph.pb", "f.tflite", "q.tflite"))
    remember(whole, graph)
    remember(small, whole)
    moved = shutil.move(small, tmp_path / "renamed.tflite")
    assert ancestors(hash_file(moved)) == (hash_file(whole), hash_file(graph))
    assert ancestors(hash_file(graph)) == ()


def test_a_circle_and_a_damaged_note_end_the_search(tmp_path):
    one, two = write(tmp_path, "one", "1"), write(tmp_path, "two", "2")
    remember(one, two)
    remember(two, one)
    assert set(ancestors(hash_file(one))) == {hash_file(one), hash_file(two)}
    for note in (tmp_path / "cache" / "lineage").iterdir():
        note.write_text("{")
    assert ancestors(hash_file(one)) == ()


def test_what_cannot_be_noted_stops_nothing(tmp_path, monkeypatch):
    one, two = write(tmp_path, "one", "1"), write(tmp_path, "two", "2")
    monkeypatch.setenv("HARNESS_CACHE", str(one / "no folder"))
    remember(one, two)
    remember(tmp_path / "gone", two)
    assert ancestors(hash_file(one)) == ()


def test_a_folder_is_known_by_its_files(tmp_path):
    folder = tmp_path / "saved_model"
    folder.mkdir()
    parts = [write(folder, name, name) for name in ("saved_model.pb", "variables")]
    made = write(tmp_path, "m.tflite", "m")
    remember(made, folder)
    assert set(ancestors(hash_file(made))) == set(map(hash_file, parts))
