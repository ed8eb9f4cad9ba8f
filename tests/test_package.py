"""The package as others see it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import harness


def test_the_public_names_are_what_all_says():
    for name in harness.__all__:
        assert getattr(harness, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'runn'"):
        _ = harness.runn


def test_importing_the_package_loads_neither_numpy_nor_pandas_nor_a_runtime():
    code = "import sys, harness; print([m for m in ('numpy', 'pandas', 'ai_edge_litert', 'PIL') if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_latency_worker_loads_nothing_but_numpy_and_the_runtime(tmp_path):
    """Its memory is to be the model's, and its start is paid for in every measurement."""
    code = (
        "import sys, harness.worker.__main__, harness.worker.latency;"
        "print([m for m in ('pandas', 'PIL', 'rich', 'msgspec', 'click', 'harness.cards') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_a_scheduler_loads_nothing_of_what_measures():
    """It imports the functions that it passes on."""
    code = (
        "import sys, harness.farm.tasks;"
        "print([m for m in ('numpy', 'msgspec', 'harness.farm.host', 'harness.cards') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"


def test_the_data_folders_hold_no_python(repository: Path):
    for name in ("devices", "models", "results"):
        assert not list((repository / name).rglob("*.py"))


@pytest.mark.parametrize("limit", [450])
def test_no_file_grows_out_of_one_idea(repository: Path, limit):
    long = {
        str(path.relative_to(repository)): n_lines
        for folder in ("harness", "tests")
        for path in (repository / folder).rglob("*.py")
        if (n_lines := path.read_text(encoding="utf-8").count("\n")) > limit
    }
    assert long == {}


def test_every_module_says_what_it_is_for(repository: Path):
    for path in (repository / "harness").rglob("*.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), path


def test_every_package_lists_exactly_its_modules_and_packages(repository: Path):
    """A new module has a line in the docstring of its package: its name, two blanks or more, and what it is for."""
    for path in (repository / "harness").rglob("__init__.py"):
        modules = {module.stem for module in path.parent.glob("*.py") if module != path}
        parts = modules | {package.parent.name for package in path.parent.glob("*/__init__.py")}
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
        assert sorted(re.findall(r"^ *(\w+) {2,}\S", docstring, re.M)) == sorted(parts), path


def test_no_path_of_a_machine_is_in_the_package(repository: Path):
    suspects = ("/home/", "/root/", "/work/", "/Users/")
    for path in (repository / "harness").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert not [word for word in suspects if word in text], path
