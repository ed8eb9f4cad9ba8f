"""What `.github/CONTRIBUTING.md` names is there."""

import re

import pytest

from harness.delegates import KINDS
from harness.detectors.registry import DECODERS
from harness.diagnosis.causes import CAUSES
from harness.drivers.registry import DRIVERS
from tests.support.paths import REPOSITORY
from tests.support.slow import FILES as FILES_THAT_ARE_SLOW
from tests.support.slow import TESTS as TESTS_THAT_ARE_SLOW

TEXT = (REPOSITORY / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
FILES = sorted(set(re.findall(r"`((?:\.ci|devices|harness|models|tests|findings)/[\w./-]*)`", TEXT)))


@pytest.mark.parametrize("name", [name for name in FILES if "NAME" not in name])
def test_every_file_that_it_names_exists(name):
    assert (REPOSITORY / name).exists()


@pytest.mark.parametrize(
    ("file", "table", "rows"),
    [
        ("harness/drivers/registry.py", "DRIVERS", DRIVERS),
        ("harness/detectors/registry.py", "DECODERS", DECODERS),
        ("harness/delegates.py", "_ROWS", KINDS),
        ("harness/diagnosis/causes/__init__.py", "CAUSES", CAUSES),
    ],
)
def test_the_tables_that_get_a_line_are_where_it_says(file, table, rows):
    assert f"| `{file}` | a line in `{table}`" in TEXT
    assert f"\n{table}" in (REPOSITORY / file).read_text(encoding="utf-8")
    assert rows


def test_the_links_lead_to_files():
    for target in re.findall(r"\]\(([^)#:]+)\)", TEXT):
        assert (REPOSITORY / ".github" / target).exists(), target


def test_ci_runs_what_it_says():
    workflow = (REPOSITORY / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
    assert "run: .ci/run" in workflow and "pytest -q -m fast" in workflow


def test_ci_runs_the_tests_as_it_says():
    assert TEXT.count("pytest -q -n auto  # run all tests\n") == 1
    assert "'run all tests' .github/CONTRIBUTING.md" in (REPOSITORY / ".ci" / "run").read_text(
        encoding="utf-8"
    )


@pytest.mark.parametrize("name", [*FILES_THAT_ARE_SLOW, *TESTS_THAT_ARE_SLOW])
def test_what_is_listed_as_slow_is_there(name):
    text = (REPOSITORY / "tests" / name).read_text(encoding="utf-8")
    assert all(f"def {test.partition('[')[0]}(" in text for test in TESTS_THAT_ARE_SLOW.get(name, ()))
