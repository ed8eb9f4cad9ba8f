"""The order of the rooms: what imports what, as `pyproject.toml` has it and beyond what import-linter looks at."""

import subprocess
import sys
from functools import cache

import grimp

from tests.support.paths import REPOSITORY

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@cache
def imported() -> dict[str, set[str]]:
    """What each module imports of ours: at its top, late, or for types alone."""
    graph = grimp.build_graph("harness", cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def run_python(code):
    """Run code in a process of its own, as in a shell in the checkout."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=REPOSITORY
    )


def test_the_contracts_are_kept():
    done = run_python("import sys, importlinter.cli as i; sys.exit(i.lint_imports(no_cache=True))")
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_import_is_exempt_from_them():
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    assert {contract["type"] for contract in contracts} == {"layers", "acyclic_siblings", "independence"}
    exempting = {"ignore_imports", "skip_descendants", "exhaustive_ignores", "depth"}
    assert not [contract["name"] for contract in contracts if exempting & set(contract)]
    assert "exclude_type_checking_imports" not in settings["tool"]["importlinter"]


def test_no_module_reaches_itself_by_imports():
    """Packages count as what their `__init__` imports, which the contract for siblings does not look at."""
    for module in imported():
        seen, ahead = set(), list(imported()[module])
        while ahead:
            at = ahead.pop()
            if at not in seen:
                seen.add(at)
                ahead.extend(imported()[at])
        assert module not in seen, f"{module} imports itself, in the end"


def test_nothing_of_ours_imports_the_package_s_front():
    assert not [module for module, others in imported().items() if "harness" in others]


def test_importing_the_package_loads_no_other_module_of_ours():
    code = "import sys, harness; print(*sorted(m for m in sys.modules if m.partition('.')[0] == 'harness'))"
    done = run_python(code)
    assert done.stdout.split() == ["harness"], done.stderr


OF_NO_ROOM = {
    # folder             what it holds
    "arm",  # an Arm processor, which a program plays
    "benchmarks",  # what measures the harness itself, by hand
    "browser",  # the page in a real browser
    "gpu",  # a GPU of this computer, or a program in its place
    "example_training",  # how the bundled example was made, and that it is as its cards say
    "golden",  # what users get, as it was
    "records_formats",  # runs as older versions wrote them
    "stand_in",  # programs that stand for others
    "support",  # helpers
}


def test_the_folders_of_the_tests_are_the_rooms_of_the_package():
    tests = REPOSITORY / "tests"
    folders = {path.parent.relative_to(tests) for path in tests.rglob("*.py")}
    mirrored = [path for path in folders if path.parts and path.parts[0] not in OF_NO_ROOM]
    assert not [path for path in mirrored if not (REPOSITORY / "harness" / path / "__init__.py").is_file()]


def test_no_folder_of_the_tests_is_a_package():
    """So that they are imported by where they are, and two files of one name do not get in each other's way."""
    assert not list((REPOSITORY / "tests").rglob("__init__.py"))
