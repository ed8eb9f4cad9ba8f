"""What `.github/CONTRIBUTING.md` names is there."""

import re

import pytest

from harness.delegates import KINDS
from harness.detectors.registry import DECODERS
from harness.diagnosis.causes import CAUSES
from harness.drivers.registry import DRIVERS
from tests.support.paths import REPOSITORY

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
