"""Faults drawn at random: independent of what looks for them, the same for a seed, scored as they are named."""

import ast

import pytest

from harness.diagnosis.causes import CAUSES
from tests.support import fault_scores
from tests.support.fault_scores import Score
from tests.support.faults import drawn
from tests.support.faults.subjects import Subject


def imported(file):
    """Return the names of the modules that a file imports, also late."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    found = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module]
    return {
        *found,
        *(name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names),
    }


def test_what_draws_faults_imports_nothing_of_the_diagnosis(repository):
    waiting, seen = [repository / "tests" / "support" / "faults" / "drawn.py"], set()
    while waiting:
        file = waiting.pop()
        names = imported(file)
        assert not [name for name in names if name.startswith("harness.diagnosis")], file.name
        places = {repository / f"{name.replace('.', '/')}.py" for name in names if name.startswith("tests.")}
        waiting += [place for place in places - seen if place.is_file()]
        seen |= places


def test_there_are_more_than_25_kinds_each_with_its_answers():
    assert set(drawn.KINDS) == set(drawn.MAKERS)
    assert len(drawn.KINDS) >= 25
    assert all(kind.answers for kind in drawn.KINDS.values())
    assert not set(drawn.SOUND) & set(drawn.KINDS)


def test_every_answer_is_a_cause_that_can_be_named():
    assert {answer for kind in drawn.KINDS.values() for answer in kind.answers} <= set(CAUSES)


@pytest.mark.parametrize("kind", ["bias-stored", "anchors", "labels", "scale-off"])
def test_the_same_seed_draws_the_same_fault(workshop, kind):
    drawer = drawn.Drawer(workshop, ("example",))
    first, other = drawer.draw(kind, 3, 0), drawer.draw(kind, 3, 1)
    card, file = first.fault.broken.read_bytes(), first.fault.broken.with_suffix(".tflite").read_bytes()
    again = drawer.draw(kind, 3, 0)
    assert (again.what, again.model) == (first.what, first.model)
    assert again.fault.broken.read_bytes() == card
    assert again.fault.broken.with_suffix(".tflite").read_bytes() == file
    assert other.fault.broken != first.fault.broken


def test_a_fault_changes_the_file_and_a_model_that_is_not_there_is_left_out(workshop):
    subject = Subject("example", workshop)
    found = drawn.Drawer(workshop, ("example",)).draw("weight-scales", 5, 0)
    assert found.fault.broken.with_suffix(".tflite").read_bytes() != subject.int8
    assert drawn.Drawer(workshop, ()).draw("weight-scales", 5, 0) is None


def a_score(kind="bias-lost", answers=("bias",), lost=-0.3, named=(("bias", "certain"),)):
    return Score(kind, "example", "a layer", answers, lost, named, "", 1.0)


@pytest.mark.parametrize(
    ("found", "rank", "false", "counts"),
    [
        (a_score(), 1, (), True),
        (a_score(named=(("anchors", "likely"), ("bias", "possible"))), 2, ("anchors",), True),
        (a_score(named=(("anchors", "possible"),)), None, (), True),
        (a_score(lost=-0.001), 1, (), False),
        (a_score("same-file", ("same-file",), 0.0, ()), None, (), True),
        (a_score("requantized", (), 0.0, (("bias", "likely"),)), None, ("bias",), True),
    ],
)
def test_a_diagnosis_is_scored_by_what_it_names(found, rank, false, counts):
    assert (found.rank, found.false, found.counts) == (rank, false, counts)


def test_scores_are_kept_in_files_and_put_together_to_one_table(tmp_path):
    files = [tmp_path / "a.jsonl", tmp_path / "b.jsonl"]
    kept = [a_score(), a_score(named=()), a_score("requantized", (), 0.0, ())]
    for found, file in zip(kept, (*files, files[0]), strict=True):
        fault_scores.save(found, file)
    read = fault_scores.read(files)
    assert sorted(read, key=repr) == sorted(kept, key=repr)
    lines = fault_scores.table(read).splitlines()
    assert lines[1].split() == ["bias-lost", "2", "2", "1", "1", "1", "0", "0"]
    assert next(line for line in lines if line.startswith("all faults")).split()[2:5] == ["2", "2", "1"]
