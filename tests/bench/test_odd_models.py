"""A model that is there and cannot be measured costs itself: the others are measured, and its rows say why."""

import contextlib
from pathlib import Path

import pytest

import harness
from harness.bench.detect import detect_objects
from harness.bench.plan_file import make_request
from harness.bench.subjects import find_subjects
from harness.errors import HarnessError, ModelError, UnknownNameError, UsageError, blamed_on_model
from harness.records.records import load_records
from harness.tflite.inspect.model import inspect
from harness.workspace import find_workspace
from tests.support.odd_models import ODD, garbage, make
from tests.support.paths import DATASET, REPOSITORY

pytest.importorskip("ai_edge_litert.schema_py_generated", reason="the models are written with its classes")

SPACE = find_workspace(REPOSITORY)
DATA = {"dataset": str(DATASET), "limit": 2}
UNEVALUATED = [name for name in ODD if name not in {"description", "input-name", "output-name"}]
"""What shows in the file alone; names that are not UTF-8 are the runtime's to stumble over."""


def subjects(models, **given):
    request = make_request([str(model) for model in models], given, str(REPOSITORY))
    return find_subjects(request, SPACE)[0]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_model_alone_is_an_error_of_ours_whatever_is_asked(name, tmp_path):
    (model,) = make(tmp_path, name)
    picture = next(DATASET.rglob("*.png"), None) or next(DATASET.rglob("*.jpg"))
    for ask in (
        lambda: subjects([model], **DATA),
        lambda: subjects([model], accuracy=False),
        lambda: inspect(model),
        lambda: list(detect_objects(str(model), [picture], SPACE)),
    ):
        with contextlib.suppress(HarnessError):
            ask()


def test_each_odd_model_costs_itself_and_the_order_is_kept(tmp_path):
    odd = make(tmp_path, *UNEVALUATED)
    (tmp_path / "garbage.tflite").write_bytes(garbage())
    found = subjects([*odd[:3], "shapes-float16", *odd[3:], tmp_path / "garbage.tflite"], **DATA)
    assert [one.model.name for one in found] == [
        *UNEVALUATED[:3],
        "shapes-float16",
        *UNEVALUATED[3:],
        "garbage",
    ]
    assert [one.model.name for one in found if one.problem is None] == ["shapes-float16"]
    assert all(one.facts.sha256 and one.facts.size_bytes for one in found)


def test_where_no_model_is_left_the_first_reason_is_the_error(tmp_path):
    with pytest.raises(ModelError, match="has no input, expected an image input"):
        subjects(make(tmp_path, "no-inputs", "bfloat16"), **DATA)


def test_a_name_that_is_nothing_is_wrong_use_beside_a_good_one(tmp_path):
    with pytest.raises(ModelError, match="no such model file"):
        subjects(["shapes-float16", tmp_path / "none.tflite"])
    with pytest.raises(UnknownNameError):
        subjects(["shapes-float16", "shapes-flaot16"])


def test_a_run_measures_the_good_and_says_why_the_others_failed(tmp_path):
    models = [str(path) for path in make(tmp_path, "no-inputs", "bfloat16", "input-name")]
    frame = harness.run(
        [*models, "shapes-float16"],
        delegates="cpu:1",
        repetitions=1,
        min_runs=2,
        min_seconds=0.01,
        output=tmp_path / "runs",
        workspace=REPOSITORY,
        **DATA,
    )
    rows = {row["model"]: row for row in frame.to_dict("records")}
    assert rows["shapes-float16"]["status"] == "ok" and rows["shapes-float16"]["n_images"] == 2
    for name, words in {
        "no-inputs": "has no input, expected an image input",
        "bfloat16": "is bfloat16, and images are prepared as whole numbers or floats",
        "input-name": "the runtime cannot describe the inputs and outputs of this model",
    }.items():
        assert rows[name]["status"] == "failed"
        assert words in rows[name]["reasons"][0]
        assert "Traceback" not in " ".join(rows[name]["reasons"])


@pytest.fixture
def switched(tmp_path):
    """A function that runs models with `--switch-models` and returns their rows, and the frame."""

    def run(*models):
        frame = harness.run(
            list(map(str, models)),
            delegates="cpu:1",
            repetitions=1,
            min_runs=2,
            min_seconds=0.01,
            accuracy=False,
            switch_models=True,
            output=tmp_path / "runs",
            workspace=REPOSITORY,
        )
        return {row["model"]: row for row in frame.to_dict("records")}, frame

    return run


def test_switching_models_beside_odd_ones_is_among_the_good_ones(switched, tmp_path):
    (odd := tmp_path / "garbage.tflite").write_bytes(garbage())
    rows, frame = switched("shapes-float16", odd, "shapes-full-integer")
    assert rows["garbage"]["status"] == "failed"
    for name, other in (("shapes-float16", "shapes-full-integer"), ("shapes-full-integer", "shapes-float16")):
        assert rows[name]["status"] == "ok"
        (stored,) = (s for s in load_records(Path(frame.attrs["folder"])) if s.record.model.name == name)
        assert stored.record.processes[0].telemetry.after_other_model.model == other


def test_a_good_model_among_odd_ones_is_timed_without_a_switch_and_that_is_said(switched, tmp_path):
    (odd := tmp_path / "garbage.tflite").write_bytes(garbage())
    rows, frame = switched("shapes-float16", odd)
    assert rows["shapes-float16"]["status"] == "ok"
    assert any("none of the other models can be used there" in text for text in frame.attrs["remarks"])


def test_another_model_that_only_the_runtime_finds_odd_costs_the_switch_and_no_more(switched, tmp_path):
    (odd,) = make(tmp_path, "no-inputs")
    rows, _ = switched("shapes-float16", odd)
    assert rows["no-inputs"]["status"] == "failed"
    assert rows["shapes-float16"]["status"] == "ok"
    (reason,) = (text for text in rows["shapes-float16"]["reasons"] if "switch" in text)
    assert "no switch was timed: no-inputs.tflite cannot be used here (" in reason


def test_what_says_something_of_this_computer_is_blamed_on_no_model():
    with pytest.raises(OSError, match="No space left"), blamed_on_model("model 'x' cannot be used"):
        raise OSError(28, "No space left on device")
    with pytest.raises(UsageError, match="ours"), blamed_on_model("model 'x' cannot be used"):
        raise UsageError("ours")
    said = r"model 'x' cannot be used \(KeyError: 'a'\)"
    with pytest.raises(ModelError, match=said), blamed_on_model("model 'x' cannot be used"):
        raise KeyError("a")
