"""A base that is measured in turn with the models of a run."""

import shutil
from dataclasses import replace
from types import SimpleNamespace

import pytest

from harness.bench.plan import Cell, Plan, plan_facts
from harness.bench.plan_file import load_plan, make_request
from harness.bench.request import Request, request_facts, request_from_facts, with_given
from harness.bench.rules import Override, Rule, Tuning
from harness.bench.schedule import CellProgress, next_round
from harness.delegates import parse_delegate
from harness.errors import UnknownNameError, UsageError
from harness.settings import Settings


def sides(ready):
    return [(cell.model.name, cell.against, str(cell.delegate)) for cell in ready.plan.cells]


@pytest.fixture
def copy(tmp_path, repository):
    """A function that copies the bundled float model to a file of another folder."""

    def copied(name):
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(repository / "models" / "shapes" / "shapes_float32.tflite", file)
        return str(file)

    return copied


def test_a_base_is_measured_beside_every_model_of_the_run(prepared):
    ready = prepared(against="shapes-float16", delegates=("cpu:1",), repetitions=None)
    assert sides(ready) == [
        ("shapes-float16", None, "cpu:1"),
        ("shapes-float32", "shapes-float16", "cpu:1"),
        ("shapes-full-integer", "shapes-float16", "cpu:1"),
    ]
    assert {cell.settings.repetitions for cell in ready.plan.cells} == {10}
    stored = plan_facts(ready.plan)["cells"]
    assert [facts.get("against") for facts in stored] == [None, "shapes-float16", "shapes-float16"]


def test_two_files_of_one_name_are_told_apart_and_the_new_one_keeps_its(prepared, copy):
    ready = prepared(models=(copy("new/ssd.tflite"),), against=copy("old/ssd.tflite"), delegates=("cpu:1",))
    assert sides(ready) == [("base-ssd", None, "cpu:1"), ("ssd", "base-ssd", "cpu:1")]
    assert "/old/" in str(ready.plan.cells[0].model.file)


def test_a_plan_is_held_against_the_models_of_the_same_name(prepared, copy, tmp_path):
    copy("before/a.tflite"), copy("before/gone.tflite")
    plan = tmp_path / "before" / "plan.toml"
    plan.write_text('models = ["a.tflite", "gone.tflite"]\n')
    ready = prepared(
        models=(copy("now/a.tflite"), copy("now/fresh.tflite")), against=str(plan), delegates=("cpu:1",)
    )
    assert sides(ready) == [
        ("base-a", None, "cpu:1"),
        ("a", "base-a", "cpu:1"),
        ("fresh", None, "cpu:1"),
    ]
    assert any("fresh is not in the base" in said for said in ready.remarks)
    assert any("gone is in the base only" in said for said in ready.remarks)


def test_the_cards_of_a_plan_are_those_of_its_own_workspace(prepared, repository, tmp_path):
    """Another checkout has a card of the same name with another file, as a pull request's base has."""
    before = tmp_path / "before"
    for name in ("devices", "models"):
        (before / name).mkdir(parents=True)
    for name in ("shapes-float32.toml", "shapes"):
        source = repository / "models" / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, before / "models" / name)
    (before / "plan.toml").write_text('models = ["shapes-float32"]\n')
    ready = prepared(models=("shapes-float32",), against=str(before / "plan.toml"), delegates=("cpu:1",))
    base, new = ready.plan.cells
    assert base.model.file.is_relative_to(before) and not new.model.file.is_relative_to(before)
    assert (base.model.name, new.against) == ("base-shapes-float32", "base-shapes-float32")


def test_models_that_have_nothing_in_common_are_refused(prepared, copy, tmp_path):
    copy("before/x.tflite"), copy("before/y.tflite")
    plan = tmp_path / "before" / "plan.toml"
    plan.write_text('models = ["x.tflite", "y.tflite"]\n')
    with pytest.raises(UsageError, match=r"none of its models \(x, y\) has the name of one to measure"):
        prepared(against=str(plan))
    with pytest.raises(UnknownNameError, match="shapes-float32"):
        prepared(against="shapes-float23")


def test_rules_of_a_plan_hold_for_the_base_as_for_its_model(prepared):
    ready = prepared(
        models=("shapes-float32",),
        against="shapes-float16",
        exclude=(Rule(model="shapes-float32", delegate="cpu-reference*"),),
        override=(Override(model="shapes-float32", set=Tuning(min_runs=9)),),
    )
    assert [(name, delegate) for name, _, delegate in sides(ready)] == [
        ("shapes-float16", "cpu:1"),
        ("shapes-float32", "cpu:1"),
    ]
    assert {cell.settings.min_runs for cell in ready.plan.cells} == {9}


@pytest.mark.parametrize(
    ("setting", "said"), [({"mlperf": True}, "--mlperf"), ({"sustained": 9.0}, "--sustained")]
)
def test_what_measures_one_process_a_cell_is_refused(prepared, quick, setting, said):
    with pytest.raises(UsageError, match=f"just one of --against and {said}"):
        prepared(against="shapes-float16", settings=replace(quick, **setting))


def test_a_base_without_models_is_refused():
    with pytest.raises(UsageError, match="name the MODEL that is held against it"):
        with_given(Request(), {"against": "old.tflite"})


def test_a_plan_names_its_base_and_a_resumed_run_finds_it_from_anywhere(tmp_path, copy, monkeypatch):
    copy("old.tflite")
    plan = tmp_path / "plan.toml"
    plan.write_text('models = ["shapes-float32"]\nagainst = "old.tflite"\n')
    assert load_plan(plan).against == str(tmp_path / "old.tflite")
    monkeypatch.chdir(tmp_path)
    request = make_request(["shapes-float32"], {"against": "old.tflite"}, None)
    again = request_from_facts(request_facts(request), plan)
    assert again.against == str(tmp_path / "old.tflite")
    card = make_request(["shapes-float32"], {"against": "shapes-float16"}, None)
    assert request_from_facts(request_facts(card), plan).against == "shapes-float16"


def cell(index, name, against=None, **settings):
    model = SimpleNamespace(name=name)
    chosen = Settings(accuracy=False, **settings)
    return Cell(index, model, None, "local", parse_delegate("cpu:1"), chosen, against=against)


PAIRS = Plan((cell(1, "a"), cell(2, "b", "a"), cell(3, "c"), cell(4, "d"), cell(5, "e", "d")))


def test_the_two_sides_follow_each_other_and_each_is_first_equally_often():
    rounds = [[one.model.name for one in PAIRS.in_turn(turn)] for turn in range(40)]
    for first, second in (("a", "b"), ("d", "e")):
        gaps = [names.index(second) - names.index(first) for names in rounds]
        assert set(gaps) == {1, -1} and gaps.count(1) == 20
        assert all(one != after for one, after in zip(gaps[::2], gaps[1::2], strict=True))
        assert 0 < gaps[::2].count(1) < 20, "which of them begins is left to chance"
    assert len({tuple(names) for names in rounds}) > 5


def test_a_plan_without_a_base_keeps_its_order():
    """A run that an earlier version began is resumed as it would have gone on."""
    plain = Plan(tuple(cell(k, f"m{k}") for k in range(1, 5)), seed=7)
    assert [[one.index for one in plain.in_turn(turn)] for turn in range(3)] == [
        [3, 4, 1, 2],
        [1, 3, 4, 2],
        [3, 2, 4, 1],
    ]


def test_while_one_side_is_measured_for_its_precision_the_other_is_too():
    given = {"precision": 1.0, "repetitions": 3}
    plan = Plan((cell(1, "a", **given), cell(2, "b", "a", **given)))
    base, new = plan.cells
    progress = {
        base.id: CellProgress(n_processes=3, half_width_percent=0.5, complete=True),
        new.id: CellProgress(n_processes=3, half_width_percent=4.0),
    }
    assert {task.cell.model.name for task in next_round(plan, progress)} == {"a", "b"}
    progress[new.id] = replace(progress[new.id], half_width_percent=0.9)
    assert next_round(plan, progress) == ()
