"""What a start loads and what an end leaves out: nothing that the command does not use."""

import os
import subprocess
import sys

import pytest

from harness.cli import start
from harness.version import __version__
from tests.support.paths import REPOSITORY

NOT_IN_A_PLAN = {
    *(
        "importlib.metadata",
        "email",
        "difflib",
        "asyncio",
        "requests",
        "pandas",
        "ai_edge_litert.interpreter",
    ),
    *("harness.accuracy.coco_lenient", "harness.accuracy.matches", "harness.bench.device_wait"),
    *("harness.bench.engines.base", "harness.bench.engines.python_worker", "harness.bench.run"),
    *(
        "harness.download",
        "harness.drivers.emulator",
        "harness.drivers.local_gpu",
        "harness.drivers.local_npu",
    ),
    *("harness.edit.nms", "harness.npu", "harness.records.damaged", "harness.rows", "harness.worker.results"),
}
"""Modules that carry a plan out, or serve what hardly any plan has."""
NOT_IN_AN_EVALUATION = {
    *("numpy.ma", "tomllib", "tomli", "difflib", "importlib.metadata", "PIL", "pycocotools", "hotcoco"),
    *("harness.accuracy.coco_lenient", "harness.accuracy.engine_job", "harness.child_process"),
    *("harness.profiles", "harness.records.records", "harness.settings"),
}
PLAN = (
    "from harness import session;"
    "prepared = session.prepare_asked(['shapes-float32'], {}, sys.argv[1], outline=True);"
    "assert prepared.plan.cells[0].matching is not None"
)
EVALUATION = "import harness.accuracy.coco"


def run(code, *arguments, **variables):
    environment = {name: value for name, value in os.environ.items() if name not in start.DRAW_OTHERWISE}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**environment, "PYTHONPATH": str(REPOSITORY), **variables},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [(PLAN, NOT_IN_A_PLAN), (EVALUATION, NOT_IN_AN_EVALUATION)],
    ids=["a plan", "an evaluation"],
)
def test_what_is_not_used_is_not_imported(code, unwanted):
    said = run(f"import sys; {code}; print('IMPORTED', *sys.modules)", REPOSITORY)
    imported = said.rpartition("IMPORTED")[2].split()
    assert "harness.accuracy.annotations" in imported
    assert sorted(unwanted.intersection(imported)) == []


def test_the_version_is_said_as_click_says_it_without_loading_click():
    without = "import sys; sys.modules['rich_click'] = None; from harness.cli.start import main; main()"
    drawn = "from harness.cli.main import main; main()"
    assert run(without, "--version") == run(drawn, "--version") == f"harness {__version__}\n"


def test_at_its_end_python_looks_for_no_circles_in_what_was_loaded():
    code = (
        "import atexit, gc; atexit.register(lambda: print('FROZEN', gc.get_freeze_count()));"
        "from harness.cli.start import main; main()"
    )
    assert int(run(code, "report", "--help").rpartition("FROZEN")[2]) > 1_000


def test_threads_of_blas_sleep_soon_unless_the_user_says_when():
    name, value = start.BLAS_PATIENCE
    code = f"import atexit, os; atexit.register(lambda: print('SET', os.environ[{name!r}]));" + (
        "from harness.cli.start import main; main()"
    )
    assert run(code, "report", "--help").split()[-1] == value
    assert run(code, "report", "--help", **{name: "20"}).split()[-1] == "20"
