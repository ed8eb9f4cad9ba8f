"""What the order of the measurements leaves open, and runs as samples."""

import json

import pytest

from harness.comparison.compare import compare_results
from harness.comparison.design import order, remarks
from harness.comparison.gate import judge
from harness.comparison.match import match
from harness.comparison.rows import to_rows
from harness.rows.frame import read_results


def at(folder, hour, edit, **changes):
    """Move the processes of a cell to an hour."""
    record = json.loads((folder / "record.json").read_text())
    starts = [{**p, "started_at": f"2026-11-21T{hour:02d}:0{p['index']}:00Z"} for p in record["processes"]]
    edit(folder, **changes, processes=starts, started_at=f"2026-11-21T{hour:02d}:00:00Z")


@pytest.fixture
def side(make_run, edit):
    """A function that writes the runs of one side, one an hour, with these medians."""

    def write(name, medians, hours):
        for k, (median, hour) in enumerate(zip(medians, hours, strict=True)):
            run = make_run(f"{name}/{name}-{k}")
            at(run.cell(median_ms=median, seed=k), hour, edit)
        return run.folder.parent

    return write


@pytest.mark.parametrize(
    ("base", "new", "found", "said"),
    [
        ([1], [2], "base first", "the base was measured before the new"),
        ([2], [1], "new first", "the new was measured before the base"),
        ([1, 3], [2, 4], "in turn", None),
        ([1, 2], [3, 4], "base first", "not in turn"),
    ],
)
def test_one_after_the_other_says_what_it_cannot_exclude(side, base, new, found, said):
    folders = side("base", [4.2] * len(base), base), side("new", [4.2] * len(new), new)
    (pair,) = compare_results([folders[0]], [folders[1]]).matching.pairs
    assert order(pair) == found
    assert [*remarks([pair])] == [] if said is None else said in next(remarks([pair]))


def test_no_single_run_of_two_engines_is_advised(make_run, edit):
    runs = make_run("base"), make_run("new")
    for hour, (run, runtime) in enumerate(zip(runs, ("benchmark_model tflite sha256:0", "x 1"), strict=True)):
        at(run.cell(), hour, edit, runtime=runtime)
    pairs = match(*(read_results([run.folder]).records for run in runs), across_engines=True).pairs
    (said,) = remarks(pairs)
    assert "not in turn" in said and "--against" not in said


def test_several_runs_a_side_are_the_samples(side):
    """Each run has a level of its own: 40 processes agree on a change that eight runs do not show."""
    base = side("base", [4.0, 4.4, 4.1, 4.5], [1, 3, 5, 7])
    new = side("new", [4.3, 4.6, 4.0, 4.5], [2, 4, 6, 8])
    compared = compare_results([base], [new])
    (row,) = to_rows(compared, judge(compared, []))
    assert row["decision"] == "~"
    assert row["low"] < -5
    assert row["base_latency_median_ms"] == pytest.approx(4.25, abs=0.02)
    assert row["difference_percent"] == pytest.approx(100 * (4.4 / 4.25 - 1), abs=0.5)
    assert "4 against 4 runs are compared, each one sample" in compared.matching.remarks[0]


def test_a_run_of_another_file_is_not_one_of_the_samples(side, edit):
    base, new = side("base", [4.0] * 3, [1, 3, 5]), side("new", [4.0] * 3, [2, 4, 6])
    edit(new / "new-0" / "cells" / "000", model={"sha256": "e" * 64})
    (pair,) = compare_results([base], [new]).matching.pairs
    assert [len(records) for records in pair.sides.values()] == [3, 2]
