"""`harness.compare()`, for notebooks."""

import pandas as pd
import pytest

import harness
from harness.comparison.rows import COLUMNS, DTYPES
from harness.rows import columns


@pytest.fixture
def sides(make_run):
    base, new = make_run("base"), make_run("new")
    base.cell("a"), base.cell("b"), base.cell("gone")
    new.cell("a"), new.cell("b", median_ms=6.0)
    return base.folder, new.folder


def test_a_comparison_is_a_frame_with_nullable_types(sides, repository):
    frame = harness.compare(*sides, workspace=repository)
    assert tuple(frame.columns) == COLUMNS
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == DTYPES
    assert list(frame["decision"]) == ["~", "slower"]
    assert frame["map_difference_low"].isna().all() and frame.attrs["gate"] is None
    assert frame.attrs["remarks"] == ["missing from the new run: gone on local, cpu:1"]


def test_a_gate_is_decided_in_a_column_and_as_a_whole(sides, repository):
    frame = harness.compare(*sides, fail_if="latency_median_ms > 5%", workspace=repository)
    assert list(frame["gate"]) == ["pass", "fail"]
    assert frame.attrs["gate"] == "fail"


def test_several_folders_may_stand_on_a_side(sides, repository):
    base, new = sides
    frame = harness.compare([base], [str(new)], fail_if=["fps < -5%", "map < -1"], workspace=repository)
    assert len(frame) == 2


def test_nothing_to_compare_is_an_error_without_a_gate_and_undecided_with_one(make_run, repository):
    one, two = make_run("one"), make_run("two")
    one.cell("a"), two.cell("b")
    with pytest.raises(harness.HarnessError, match="no cell in common"):
        harness.compare(one.folder, two.folder, workspace=repository)
    frame = harness.compare(one.folder, two.folder, fail_if="fps < -5%", workspace=repository)
    assert frame.empty and frame.attrs["gate"] == "undecided"


def test_the_columns_of_both_sides_have_the_types_of_the_results(sides):
    assert all(DTYPES[f"{side}_map"] == columns.NUMBER for side in ("base", "new"))
    assert isinstance(harness.load_results(sides[0]), pd.DataFrame)
