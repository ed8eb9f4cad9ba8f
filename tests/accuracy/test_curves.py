"""Large evaluations run in a process of their own, which may die without taking anything else with it."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from harness.accuracy import coco_engines, curves
from harness.accuracy.annotations import read_annotations
from harness.accuracy.detections import as_table
from harness.cli.main import cli
from harness.errors import JobError
from harness.session import carry_out
from harness.settings import Settings

TIDE = "hotcoco's kinds of errors"
DEATHS = {
    # what the engine does in its process: what is said of it
    "import os; os.abort()": "died of SIGABRT",
    "import os, signal; os.kill(os.getpid(), signal.SIGKILL)": "was killed, as the system does where memory is short",
    "import time; time.sleep(600)": "found no end within 2 s",
    "raise MemoryError('no room')": r"failed with exit code 1 \(MemoryError: no room\)",
}


@pytest.fixture
def case(tmp_path):
    """A data set of two images and three categories, and what a detector found."""
    random = np.random.default_rng(2)
    boxes = [[10 * k, 20, 30, 40] for k in range(8)]
    annotations = [
        {
            "id": k + 1,
            "image_id": k % 2 + 1,
            "category_id": k % 3 + 1,
            "bbox": box,
            "area": 1200,
            "iscrowd": 0,
        }
        for k, box in enumerate(boxes)
    ]
    document = {
        "images": [{"id": 1, "width": 200, "height": 200}, {"id": 2, "width": 200, "height": 200}],
        "categories": [{"id": k, "name": f"c{k}"} for k in (1, 2, 3)],
        "annotations": annotations,
    }
    found = [
        {**{key: row[key] for key in ("image_id", "category_id", "bbox")}, "score": float(random.random())}
        for row in annotations[:6]
    ]
    (tmp_path / "truth.json").write_text(json.dumps(document))
    (tmp_path / "found.json").write_text(json.dumps(found))
    return tmp_path


@pytest.fixture
def large(monkeypatch):
    """Whatever is evaluated counts as large."""
    monkeypatch.setattr(curves, "LARGE_ROWS", -1)


@pytest.fixture
def engine_that(large, tmp_path, monkeypatch):
    """Put something else in the place of hotcoco, in the process of the evaluation alone."""

    def put(code):
        (tmp_path / "library").mkdir()
        (tmp_path / "library" / "hotcoco.py").write_text(code)
        monkeypatch.setenv("PYTHONPATH", str(tmp_path / "library"))
        monkeypatch.setattr(curves, "LIMIT_S", 2.0 if "sleep" in code else 120.0)

    return put


@pytest.mark.parametrize("engine", ["harness", "hotcoco", "pycocotools", TIDE])
def test_a_process_of_its_own_computes_the_same(case, engine, monkeypatch):
    truth, table = read_annotations(case / "truth.json"), as_table(case / "found.json")

    def computed():
        if engine == TIDE:
            return curves.tide(truth, table, [1, 2])
        found = curves.run(engine, truth, table, [1, 2])
        return found.precision.tolist(), found.recall.tolist()

    here = computed()
    monkeypatch.setattr(curves, "LARGE_ROWS", -1)
    assert computed() == here


@pytest.mark.parametrize("code", DEATHS)
def test_an_engine_that_dies_hangs_or_is_killed_costs_its_evaluation(case, engine_that, code):
    engine_that(code)
    truth, table = read_annotations(case / "truth.json"), as_table(case / "found.json")
    with pytest.raises(
        JobError, match=rf"truth.json: .* 3 categories and 6 detections {DEATHS[code]}.*; .* GB"
    ):
        curves.run("hotcoco", truth, table, [1, 2])


def test_the_command_says_so_and_ends_with_1(case, engine_that):
    engine_that("import os; os.abort()")
    files = [
        "--engine",
        "hotcoco",
        "--annotations",
        str(case / "truth.json"),
        "--detections",
        str(case / "found.json"),
    ]
    ended = CliRunner().invoke(cli, ["evaluate", *files])
    assert isinstance(ended.exception, JobError) and ended.exception.exit_status == 1


def test_a_run_keeps_its_other_figures_and_says_why_the_accuracy_failed(prepared, recorder, engine_that):
    engine_that("import os; os.abort()")
    settings = Settings(repetitions=2, min_runs=2, min_seconds=0.02, limit=2, coco_engine="hotcoco")
    asked = {"models": ("shapes-float32",), "delegates": ("cpu:1",), "settings": settings}
    (record,) = carry_out(prepared(**asked), recorder).records
    assert [process.status for process in record.processes] == ["ok", "ok"]
    assert record.accuracy.status == "failed" and "died of SIGABRT" in record.accuracy.reasons[0]


def test_a_panic_of_rust_is_an_error_of_ours(case, monkeypatch):
    class PanicException(BaseException):
        """What PyO3 raises, by its name."""

    def panic(*arguments):
        raise PanicException("index out of bounds")

    monkeypatch.setattr(coco_engines, "compute", panic)
    truth, table = read_annotations(case / "truth.json"), as_table(case / "found.json")
    with pytest.raises(JobError, match="failed inside the engine: index out of bounds"):
        curves.run("hotcoco", truth, table, [1, 2])
