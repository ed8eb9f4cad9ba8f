"""`harness runs`, on runs written by the code that writes real ones."""

import json

import pytest
from click.testing import CliRunner

from harness.cli.runs import command
from harness.errors import UsageError
from harness.records.ownership import own
from harness.rows.runs import COLUMNS


@pytest.fixture
def results(tmp_path, make_run):
    """Two runs; the newer one has a cell that fell back."""
    make_run("20261120-080000-0001").cell("old-model")
    newer = make_run("20261121-090000-abcd")
    newer.cell("shapes-float32", map_=0.8)
    newer.cell("shapes-int8", quantization="full-integer", median_ms=2.0, map_=0.7)
    newer.cell("shapes-int8", "edgetpu", status="fallback", reasons=("no Edge TPU was found",), median_ms=9.5)
    return tmp_path / "results"


def runs(*args, **options):
    return CliRunner().invoke(command, list(map(str, args)), catch_exceptions=False, **options)


def test_every_run_is_listed_with_what_it_measured_oldest_first(results):
    found = json.loads(runs("--results", results, "--format", "json").stdout)
    assert [row["run_id"] for row in found] == ["20261120-080000-0001", "20261121-090000-abcd"]
    assert tuple(found[1]) == COLUMNS
    assert found[1]["models"] == ["shapes-float32", "shapes-int8"] and found[1]["cells"] == 3
    assert found[1]["folder"] == str(results / "20261121-090000-abcd")


def test_a_run_that_cannot_be_read_is_listed_with_the_reason_and_hides_no_other(results):
    (results / "20261120-080000-0001" / "run.json").write_text("{}")
    first, second = json.loads(runs("--results", results, "--format", "json").stdout)
    assert first["verdicts"].startswith("unreadable: ") and first["cells"] is None
    assert second["cells"] == 3


def test_a_folder_without_runs_says_how_to_make_one(tmp_path):
    done = runs("--results", tmp_path, "--format", "json")
    assert json.loads(done.stdout) == [] and "`harness run` makes one" in done.stderr


def test_a_run_is_taken_away_once_it_was_asked_for(results):
    with pytest.raises(UsageError, match="nothing was removed"):
        runs("--results", results, "rm", "20261120", input="n\n")
    assert (results / "20261120-080000-0001" / "run.json").exists()
    runs("--results", results, "rm", "20261120", "--yes")
    assert [path.name for path in results.iterdir()] == ["20261121-090000-abcd"]


def test_a_folder_that_is_no_run_is_never_taken_away(results, tmp_path):
    other = tmp_path / "photos"
    other.mkdir()
    for named in (other, results):
        with pytest.raises(UsageError, match=r"has no run\.json"):
            runs("--results", results, "rm", named, "--yes")
    assert other.is_dir() and len(list(results.iterdir())) == 2


def test_a_run_that_is_being_measured_is_not_taken_away_and_neither_is_any_other(results):
    ownership = own(results / "20261121-090000-abcd")
    try:
        with pytest.raises(UsageError, match="being measured"):
            runs("--results", results, "rm", "20261120", "20261121", "--yes")
        assert len(list(results.iterdir())) == 2
    finally:
        ownership.release()
