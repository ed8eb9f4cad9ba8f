"""All cells of a comparison decided together."""

import pytest

from harness.comparison.compare import compare_results


@pytest.fixture
def sides(make_run):
    return make_run("base"), make_run("new")


def test_a_table_counts_what_differs_and_what_chance_would_do(sides):
    for k in range(20):
        (
            sides[0].cell(f"m{k}", seed=k),
            sides[1].cell(f"m{k}", seed=1000 + k, median_ms=4.2 * (1.2 if k == 3 else 1)),
        )
    decisions = compare_results([sides[0].folder], [sides[1].folder]).decisions
    assert [k for k, found in enumerate(decisions.latency) if found.decision != "~"] == [3]
    assert decisions.sentence().startswith("1 of 20 differences are shown (Benjamini-Hochberg); each alone ")
    alone_only = [found for found in decisions.latency if "alone, but of 20" in found.reason]
    assert len(alone_only) == decisions.n_alone - 1


def test_a_single_comparison_is_not_counted(sides):
    sides[0].cell(map_=None), sides[1].cell(map_=None, median_ms=6.0)
    decisions = compare_results([sides[0].folder], [sides[1].folder]).decisions
    assert decisions.sentence() == ""
    assert decisions.latency[0].decision == "slower"
