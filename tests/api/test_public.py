"""What `import harness` gives, and what it does not load."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest

import harness
from harness.bench.request import FarmChoice, NmsAxes, Request, Tls
from harness.cli.main import COMMANDS
from harness.errors import UnknownNameError, UsageError
from harness.option import declared
from harness.settings import Settings

NAMES = [
    *(
        "Run",
        "__version__",
        "compare",
        "convert",
        "detect",
        "diagnose",
        "evaluate",
        "inspect",
        "load_results",
    ),
    *("quantize", "run"),
]
TABLES = (Request, Settings, NmsAxes, FarmChoice, Tls)
NOT_OF_PYTHON = {"help", "format_", "quiet", "verbose"}
"""Options that only make sense where something is printed."""


def ask_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_the_public_names_are_listed_and_nothing_else():
    assert dir(harness) == sorted(harness.__all__) == NAMES
    assert ask_python("import harness; print(dir(harness))") == str(NAMES)


def test_an_error_can_be_caught_by_its_name():
    assert issubclass(UsageError, harness.HarnessError)
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = harness.runn


def test_importing_the_package_loads_no_other_module_of_it():
    assert ask_python(
        "import sys, harness; print([m for m in sys.modules if m.startswith('harness')])"
    ) == str(["harness"])


def test_no_module_of_the_package_hides_a_public_name():
    assert {module.name for module in pkgutil.iter_modules(harness.__path__)}.isdisjoint(NAMES)
    for module in pkgutil.iter_modules(harness.__path__):
        if module.name != "__main__":
            importlib.import_module(f"harness.{module.name}")
    importlib.import_module("harness.quantization.workflow")
    assert all(
        inspect.isfunction(getattr(harness, name)) for name in NAMES if name not in {"Run", "__version__"}
    )


def test_no_keyword_is_left_to_chance():
    for name in NAMES[2:]:
        for parameter in inspect.signature(getattr(harness, name)).parameters.values():
            assert parameter.kind is not inspect.Parameter.VAR_KEYWORD, name
            assert parameter.annotation is not inspect.Parameter.empty, (name, parameter.name)


def test_run_takes_the_keyword_of_every_option_with_its_default():
    parameters = inspect.signature(harness.run).parameters
    keywords = {one.keyword for table in TABLES for one in declared(table)}
    assert set(parameters) == keywords | {"models", "workspace", "resume", "dry_run", "progress"}
    for one in declared(Settings):
        assert parameters[one.keyword].default == getattr(Settings, one.name)
        assert re.search(
            rf"^ +{one.keyword}: {re.escape(one.option.help.split()[0])}", harness.run.__doc__, re.M
        )


SPELLED = {
    "run": {"check_engines": None},
    "report": {"output": None, "runs": "runs"},
    "compare": {"datasets": "dataset"},
    "evaluate": {},
    "detect": {},
    "inspect": {},
    "quantize": {"no_accuracy": "accuracy"},
    "convert": {},
    "diagnose": {"try_": "try_folder", "try_dir": "try_folder"},
}
"""What an option of a command is called in Python, where that differs; None for what a DataFrame or two calls do."""


@pytest.mark.parametrize("command", SPELLED)
def test_a_function_offers_what_its_command_offers(command):
    function = harness.load_results if command == "report" else getattr(harness, command)
    options = {p.name for p in importlib.import_module(COMMANDS[command].module).command.params}
    spelled = {SPELLED[command].get(name, name) for name in options - NOT_OF_PYTHON}
    assert spelled - {None} <= set(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    ("keywords", "error", "text"),
    [
        ({"min_run": 3}, UnknownNameError, "Did you mean min_runs"),
        ({"min_runs": "3"}, UsageError, "min_runs: found '3', expected `int`, got `str`"),
        ({"min_runs": 0}, UsageError, "--min-runs: found 0, expected at least 1"),
        ({"repetitions": 0}, UsageError, "--repetitions: found 0, expected 1 to"),
        ({"latency": False, "accuracy": False}, UsageError, "nothing to do"),
        ({"coco_engine": "other"}, UsageError, "coco_engine: found 'other'"),
        ({"resume": True, "models": "shapes-float32"}, UsageError, "give no MODEL"),
    ],
)
def test_a_wrong_keyword_of_run_is_refused_before_anything_is_measured(
    keywords, error, text, tmp_path, repository
):
    with pytest.raises(error) as raised:
        harness.run(output=tmp_path / "r", workspace=repository, **keywords)
    assert text in str(raised.value)
    assert not (tmp_path / "r").exists()
