"""`harness.run` asks what `harness run` asks."""

from pathlib import Path

import numpy as np
import pytest

import harness
from harness.records.records import load_run

QUICK = {"accuracy": False, "repetitions": 2, "min_runs": 2, "min_seconds": 0.02}


@pytest.fixture
def run(tmp_path, repository):
    def call(*models, **keywords):
        return harness.run(*models, output=tmp_path / "r", workspace=repository, **keywords)

    return call


def test_a_dry_run_measures_nothing_and_says_what_it_would(run, tmp_path):
    frame = run(["shapes-float32", "shapes-float16"], delegates=["cpu:1"], dry_run=True, limit=np.int64(7))
    assert frame["model"].tolist() == ["shapes-float32", "shapes-float16"]
    assert frame["processes"].tolist() == [5, 5] and frame["n_images"].tolist() == [7, 7]
    assert not list((tmp_path / "r").glob("*/run.json"))


def test_one_of_something_may_be_given_without_a_list(run):
    frame = run(
        "shapes-float32", delegates="cpu:1", nms=["regular", "fast"], score_threshold=0.3, dry_run=True
    )
    assert frame["model"].tolist() == [
        "shapes-float32[nms=regular,score=0.3]",
        "shapes-float32[nms=fast,score=0.3]",
    ]


def test_a_plan_may_be_given(run, tmp_path):
    plan = tmp_path / "plan.toml"
    plan.write_text('models = ["shapes-float32"]\ndelegates = ["cpu:1"]\nrepetitions = 4\n')
    assert run(plan, dry_run=True)["processes"].tolist() == [4]
    assert run(plan, dry_run=True, repetitions=3)["processes"].tolist() == [3]


def test_a_run_that_was_not_finished_goes_on(run, tmp_path):
    frame = run("shapes-float32", delegates="cpu:1", **QUICK)
    folder = Path(frame.attrs["folder"])
    (folder / "cells" / "0001-shapes_float32-local-cpu_1" / "record.json").unlink()
    again = run(resume=True)
    assert again.attrs["folder"] == str(folder) and again["status"].tolist() == ["ok"]
    assert load_run(folder).request["settings"]["min_runs"] == 2
    with pytest.raises(harness.HarnessError, match="nothing to resume"):
        run(resume="latest")


def test_what_the_command_would_warn_of_is_in_the_frame(run, tmp_path, repository):
    model = repository / "models" / "shapes" / "shapes_float32.tflite"
    frame = run(model, delegates="cpu:1", **{**QUICK, "accuracy": True})
    assert frame["model"].tolist() == ["shapes_float32"]
    assert any("has no dataset" in remark for remark in frame.attrs["remarks"])
