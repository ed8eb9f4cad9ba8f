"""A plan file has a key for every setting, and names what is wrong with it."""

import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from harness.bench.plan_file import is_plan, load_plan, make_request
from harness.errors import SchemaError, UsageError
from harness.option import declared
from harness.session import prepare
from harness.settings import Settings

OTHERS = {int: 9, float: 7.5, bool: None, str: "pycocotools"}
"""A value of each type that is no setting's default."""

PLAN = """
models = ["shapes-float32", "shapes-float16"]
delegates = ["cpu:1", "cpu:2", "cpu-reference"]
repetitions = 3
min_seconds = 0.5
accuracy = false
seed = 7

[[exclude]]
model = "*-float16"
delegate = "cpu:2"

[[override]]
delegate = "cpu-reference*"
set = { repetitions = 2, min_runs = 5 }
"""


def value_of(one):
    """A value for a setting that differs from its default."""
    if one.many is not None:
        return ("cup", "spoon")
    kind = one.scalar if isinstance(one.scalar, type) else str
    return not getattr(Settings, one.name) if kind is bool else OTHERS[kind]


def as_toml(value):
    if isinstance(value, tuple):
        return str(list(value))
    return str(value).lower() if isinstance(value, bool) else repr(value)


@pytest.mark.parametrize("one", declared(Settings), ids=lambda one: one.name)
def test_every_setting_is_a_key_of_a_plan_and_of_an_override(tmp_path, one):
    value = value_of(one)
    line = f"{one.name} = {as_toml(value)}"
    path = tmp_path / "plan.toml"
    path.write_text(f'models = ["a"]\n{line}\n')
    request = load_plan(path)
    found = request.repetitions if one.name == "repetitions" else getattr(request.settings, one.name)
    assert found == value
    path.write_text(f'models = ["a"]\n[[override]]\nset = {{ {line} }}\n')
    if one.option.override:
        assert load_plan(path).override[0].set.given() == {one.name: value}
    else:
        with pytest.raises(SchemaError, match="unknown key"):
            load_plan(path)


@pytest.mark.parametrize("one", declared(Settings), ids=lambda one: one.name)
def test_every_setting_that_is_given_stands_in_the_request_under_its_keyword(one):
    value = value_of(one)
    request = make_request(["a"], {one.keyword: value}, None)
    found = request.repetitions if one.name == "repetitions" else asdict(request.settings)[one.name]
    assert found == value


def test_the_readme_of_results_names_the_keys_of_the_settings(repository):
    text = (repository / "results" / "README.md").read_text(encoding="utf-8").partition("## Plans")[2]
    block = text.partition("```toml")[2].partition("```")[0]
    words = set(re.findall(r"[a-z_]+", block))
    assert {one.name for one in declared(Settings)} <= words


def test_a_plan_file_makes_the_cells_with_their_exclusions_and_overrides(tmp_path, repository):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    assert is_plan(path) and not is_plan(repository / "models" / "shapes-float32.toml")
    ready = prepare(replace(load_plan(path), workspace=str(repository), output=str(tmp_path / "r")))
    cells = {(cell.model.name, str(cell.delegate)): cell.settings for cell in ready.plan.cells}
    assert len(cells) == 5 and ("shapes-float16", "cpu:2") not in cells
    assert {s.repetitions for (_, delegate), s in cells.items() if delegate == "cpu-reference:1"} == {2}
    assert {s.repetitions for (_, delegate), s in cells.items() if delegate != "cpu-reference:1"} == {3}
    assert cells["shapes-float32", "cpu:1"].min_seconds == 0.5 and ready.plan.seed == 7


def test_the_paths_of_a_plan_are_relative_to_the_plan(tmp_path):
    (tmp_path / "plans").mkdir()
    path = tmp_path / "plans" / "plan.toml"
    path.write_text('models = ["../a.tflite", "card-name", "my/card.toml"]\ndataset = "../coco"\n')
    request = load_plan(path)
    assert request.models == (f"{path.parent}/../a.tflite", "card-name", f"{path.parent}/my/card.toml")
    assert Path(request.dataset).resolve() == tmp_path / "coco"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('models = "one"', "models"),
        ("models = []", "at least one"),
        ('models = ["a"]\nrepetition = 3', "repetitions"),
        ('models = ["a"]\nseed = "x"', "key 'seed': found 'x', expected `int`, got `str`"),
        ('models = ["a"]\nmin_runs = "x"', r"key 'min_runs': found 'x', expected `int \| null`, got `str`"),
        ('models = ["a"]\ncoco_engine = "x"', "expected one of harness, hotcoco, pycocotools"),
        ('models = ["a"]\n[nms]\nkind = ["x"]', "expected one of regular, fast, class-aware"),
        ('models = ["a"]\n[[override]]\nset = { mini_runs = 3 }', "min_runs"),
        ('models = ["a"]\n[[exclude]]\nmodle = "x"', "model"),
    ],
)
def test_a_wrong_key_in_a_plan_names_the_file_the_key_and_what_is_expected(tmp_path, text, expected):
    path = tmp_path / "plan.toml"
    path.write_text(text)
    with pytest.raises(SchemaError, match=expected) as error:
        load_plan(path)
    assert "plan.toml" in str(error.value)


def test_excluding_everything_is_an_error(tmp_path, repository):
    path = tmp_path / "plan.toml"
    path.write_text(f"{PLAN}\n[[exclude]]\nmodel = '*'\n")
    with pytest.raises(UsageError, match="every cell is excluded"):
        prepare(replace(load_plan(path), workspace=str(repository), output=str(tmp_path / "r")))


def test_what_is_given_stands_above_the_plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    given = {
        "repetitions": 4,
        "min_seconds": None,
        "delegates": (),
        "nms": ("fast", "fast"),
        "farm_wait": 3.0,
    }
    request = make_request([str(path)], given, "there", ("harness", "run"))
    assert request.repetitions == 4 and request.settings.min_seconds == 0.5
    assert request.delegates == ("cpu:1", "cpu:2", "cpu-reference") and request.nms.kind == ("fast",)
    assert (
        request.farm.wait_s == 3.0 and request.workspace == "there" and request.command == ("harness", "run")
    )
    with pytest.raises(UsageError, match="names its models itself"):
        make_request([str(path), "shapes-float16"], {}, None)


@pytest.mark.parametrize(
    ("lines", "given", "seconds"),
    [
        ("mlperf = true", {}, 60.0),
        ("mlperf = true\nmin_seconds = 5.0", {}, 5.0),
        ("mlperf = true\nmin_seconds = 5.0", {"min_seconds": 7.0}, 7.0),
        ("mlperf = true", {"min_seconds": 7.0}, 7.0),
        ("min_seconds = 5.0", {"mlperf": True}, 5.0),
        ("min_seconds = 5.0", {}, 5.0),
        ("", {"mlperf": True}, 60.0),
    ],
)
def test_a_plan_keeps_its_own_time_beside_mlperf(lines, given, seconds, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(f'models = ["shapes-float32"]\n{lines}\n')
    assert make_request([str(plan)], given, None).settings.min_seconds == seconds


def test_mlperf_of_an_override_brings_its_minute_too(tmp_path, repository):
    plan = tmp_path / "plan.toml"
    rule = 'delegate = "cpu:1"\nset = { mlperf = true }'
    plan.write_text(f'models = ["shapes-float32"]\ndelegates = ["cpu:1", "cpu:2"]\n[[override]]\n{rule}\n')
    request = make_request([str(plan)], {"output": str(tmp_path / "results")}, str(repository))
    cells = prepare(request).plan.cells
    assert [(c.settings.mlperf, c.settings.min_seconds) for c in cells] == [(True, 60.0), (False, 1.0)]


@pytest.mark.parametrize("where", ["", '[[override]]\nmodel = "*"\nset = { '])
@pytest.mark.parametrize(
    ("key", "value"), [("repetitions", 0), ("min_runs", 0), ("max_seconds", 0.0), ("limit", 0)]
)
def test_a_number_of_a_plan_that_is_too_small_is_refused_by_its_key(where, key, value, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text(f'models = ["a"]\n{where}{key} = {value}{" }" if where else ""}\n')
    with pytest.raises(SchemaError, match=f"plan.toml: key '{key}': found 0, expected "):
        load_plan(plan)


def test_mlperf_asks_for_a_minute_unless_another_time_is_given():
    assert make_request([], {"mlperf": True}, None).settings.min_seconds == 60.0
    assert make_request([], {"mlperf": True, "min_seconds": 2.0}, None).settings.min_seconds == 2.0
