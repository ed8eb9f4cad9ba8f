"""`harness.load_results` shows what `harness report` shows."""

import pytest

import harness


@pytest.fixture
def runs(make_run, repository):
    one, two = make_run("one"), make_run("two")
    one.cell("a", median_ms=3.0), one.cell("b", median_ms=2.0), two.cell("a", median_ms=1.0)
    return one.folder, two.folder


def test_rows_are_chosen_sorted_and_grouped(runs, repository):
    frame = harness.load_results(
        *runs, sort="-latency_median_ms", columns=["model", "run_id"], workspace=repository
    )
    assert list(frame.columns) == ["model", "run_id"] and frame["model"].tolist() == ["a", "b", "a"]
    grouped = harness.load_results(*runs, group_by="model", workspace=repository)
    assert grouped["model"].tolist() == ["a", "a", "b"]


def test_published_figures_follow_where_they_are_wanted(runs, make_run, repository):
    run = make_run("three")
    run.cell("mobiledet-cpu", device="a phone")
    frame = harness.load_results(run.folder, runs[0], with_published=True, workspace=repository)
    assert frame["status"].tolist()[:3] == ["ok"] * 3 and list(frame.columns)[-1] == "published_note"
    other = make_run("four")
    other.cell("mobiledet-edgetpu-float32", map_=0.259, dataset="COCO 2014 minival", n_images=8059)
    frame = harness.load_results(other.folder, with_published=True, workspace=repository)
    assert frame["status"].tolist() == ["ok", "published"] and frame["map_vs_published"][0] == 1


def test_what_is_not_there_is_an_error(runs, repository):
    with pytest.raises(harness.HarnessError, match="no operators were recorded"):
        harness.load_results(runs[0], operators=True, workspace=repository)
    with pytest.raises(harness.HarnessError, match="goes with none of"):
        harness.load_results(runs[0], operators=True, sort="map", workspace=repository)
    with pytest.raises(harness.HarnessError, match="unknown column 'mapp'"):
        harness.load_results(runs[0], columns=["mapp"], workspace=repository)
    with pytest.raises(harness.HarnessError, match="unknown run 'three'"):
        harness.load_results("three", workspace=repository)
