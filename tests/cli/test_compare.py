"""`harness compare`, on runs written by the code that writes real ones."""

import csv
import io
import json
from xml.etree import ElementTree as ET

import pytest

from harness.cli.main import main
from harness.comparison.rows import COLUMNS
from tests.support.changed_runs import replace_text


@pytest.fixture
def compare(tmp_path, make_run, capsys):
    """A function that runs the whole command line and returns (exit status, stdout, stderr)."""
    (tmp_path / "devices").mkdir()
    (tmp_path / "models").mkdir()
    base, new = make_run("base-run"), make_run("new-run")
    for name, pace in (("same", 1.0), ("slow", 1.2), ("single", 1.0)):
        base.cell(name)
        new.cell(name, median_ms=4.2 * pace, n_processes=1 if name == "single" else 5)

    def call(*args):
        with pytest.raises(SystemExit) as left:
            main(["--workspace", str(tmp_path), "compare", *map(str, args)])
        printed = capsys.readouterr()
        return left.value.code, printed.out, printed.err

    return call


def only(make_run, *names):
    """Two runs with some of the cells."""
    for side, pace in (("left", 1.0), ("right", 1.2)):
        run = make_run(side)
        for name in names:
            run.cell(
                name,
                median_ms=4.2 * (pace if name == "slow" else 1.0),
                n_processes=1 if name == "single" else 5,
            )


def test_without_a_gate_the_exit_status_is_0(compare):
    status, out, _ = compare("base", "new")
    assert status == 0
    assert "+20." in out and "~" in out


@pytest.mark.parametrize(
    ("names", "expressions", "expected"),
    [
        (["same"], ["latency_median_ms > 5%"], 0),
        (["slow"], ["latency_median_ms > 5%"], 1),
        (["single"], ["latency_median_ms > 5%"], 3),
        (["same", "single"], ["latency_median_ms > 5%"], 3),
        (["slow", "single"], ["latency_median_ms > 5%"], 1),
        (["slow"], ["latency_median_ms > 50%"], 0),
        (["slow"], ["latency_median_ms > 20%"], 3),
        (["slow"], ["latency_median_ms > 50%", "fps < -5%"], 1),
        (["slow"], ["map < -0.005"], 3),
        (["same"], ["latency_medain_ms > 5%"], 2),
        (["same"], ["latency_median_ms > 5% and map < 0"], 2),
        (["same"], ["ap50 < -0.1"], 2),
    ],
)
def test_the_exit_status_is_the_decision(compare, make_run, names, expressions, expected):
    only(make_run, *names)
    flags = [part for text in expressions for part in ("--fail-if", text)]
    assert compare("left", "right", *flags)[0] == expected


def test_json_is_one_object_a_matched_cell_with_the_columns_of_the_contract(compare):
    status, out, err = compare("base", "new", "--format", "json", "--fail-if", "latency_median_ms > 5%")
    rows = json.loads(out)
    assert [tuple(row) for row in rows] == [COLUMNS] * 3
    assert {"difference_percent", "low", "high", "p", "decision"} <= set(COLUMNS)
    same, slow, single = rows
    assert slow["difference_percent"] == pytest.approx(20, abs=2)
    assert slow["low"] < slow["difference_percent"] < slow["high"]
    assert (same["decision"], slow["decision"], single["decision"]) == ("~", "slower", "~")
    assert (single["low"], single["p"]) == (None, None)
    assert [row["gate"] for row in rows] == ["pass", "fail", "undecided"]
    assert slow["map_difference"] == 0 and slow["map_difference_low"] is None
    assert "not kept" in slow["map_reason"]
    assert status == 1 and "gate failed" in err


def test_csv_has_the_same_columns(compare):
    _, out, _ = compare("base", "new", "--format", "csv")
    rows = list(csv.reader(io.StringIO(out)))
    assert tuple(rows[0]) == COLUMNS and len(rows) == 4


def test_markdown_is_a_summary_for_a_pull_request(compare):
    status, out, _ = compare("base", "new", "--fail-if", "latency_median_ms > 5%", "--format", "markdown")
    assert status == 1
    assert out.startswith("### ❌ Benchmark gate failed (3 cells on local)")
    assert "- **fail** `latency_median_ms > 5%` slow on local, cpu:1" in out
    assert "| model | delegate | median ms | change |" in out


def test_names_in_markdown_are_text(compare, make_run):
    only(make_run, "same")
    for run in ("left", "right"):
        from harness.records import records

        path = make_run(run).folder / "cells" / "000" / "record.json"
        replace_text(path, '"same"', '"<img src=x> @all [a](b) | `c`"')
        assert records.load(path, records.Record)
    make_run("left").cell("<b>gone</b> @all [a](b)")
    _, out, _ = compare("left", "right", "--format", "markdown")
    assert "<img" not in out and "<b>" not in out and " @all [a](b) on" not in out


def test_junit_is_written_beside_the_output(compare, tmp_path):
    status, out, _ = compare(
        "base", "new", "--fail-if", "latency_median_ms > 5%", "--junit", tmp_path / "gate.xml"
    )
    root = ET.parse(tmp_path / "gate.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    assert status == 1 and "slow" in out


def test_findings_that_cannot_be_written_are_wrong_use(compare, tmp_path):
    status, _, err = compare("base", "new", "--junit", tmp_path)
    assert status == 2 and "is a folder" in err


def test_cells_that_cannot_be_compared_are_named_on_stderr(compare, make_run):
    make_run("base-run").cells.extend([None] * 3)
    extra = make_run("base-run")
    extra.cells.extend([None] * 5)
    extra.cell("gone")
    status, _, err = compare("base", "new")
    assert status == 0
    assert "missing from the new run: gone on local, cpu:1" in err


def test_nothing_in_common_names_both_sides_and_with_a_gate_is_undecided(compare, make_run):
    make_run("one").cell("a")
    make_run("two").cell("b")
    status, _, err = compare("one", "two")
    assert status == 2
    assert "base has a on local, cpu:1; new has b on local, cpu:1" in err
    assert compare("one", "two", "--fail-if", "fps < -5%")[0] == 3


def test_what_is_incomparable_is_an_error_that_names_the_key_and_both_values(compare, make_run):
    make_run("one").cell("a")
    folder = make_run("two").cell("a")
    path = folder / "record.json"
    replace_text(path, '"threads": 1', '"threads": 4')
    status, _, err = compare("one", "two")
    assert status == 2
    assert "threads is 1 in one and 4 in the other" in err


def test_an_unknown_run_says_what_is_near(compare):
    status, _, err = compare("base-rum", "new")
    assert status == 2 and "Did you mean base-run" in err


def test_other_files_and_runtimes_are_told(compare, make_run):
    make_run("one").cell("a")
    make_run("two").cell("a", runtime="ai-edge-litert 9.9", actual="unknown")
    _, _, err = compare("one", "two")
    assert "a, cpu:1: delegate_actual xnnpack → unknown" in err
    assert "runtime ai-edge-litert 1.4.0 → ai-edge-litert 9.9" in err


def test_the_help_names_every_column_that_can_be_judged():
    from harness.cli.compare import command
    from harness.comparison.measures import MEASURES

    listed = command.help.partition("COLUMN is one of")[2].replace(" and ", ", ")
    assert [name.strip(" .") for name in " ".join(listed.split()).split(",")] == list(MEASURES)
