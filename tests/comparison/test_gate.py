"""The decision: fail, pass, or the data cannot tell."""

import pytest

from harness.comparison.compare import compare_results
from harness.comparison.expression import parse
from harness.comparison.gate import Estimate, decide, judge, worst
from harness.comparison.rows import to_rows
from tests.benchmarks import bench_gate

SLOWER = "latency_median_ms > 5%"


@pytest.fixture
def sides(make_run):
    return make_run("base"), make_run("new")


def gated(sides, *expressions):
    compared = compare_results([sides[0].folder], [sides[1].folder])
    return judge(compared, [parse(text) for text in expressions])


@pytest.mark.parametrize(
    ("expression", "low", "high", "outcome"),
    [
        ("fps > 5%", 6, 9, "fail"),
        ("fps > 5%", 5, 9, "undecided"),
        ("fps > 5%", -1, 9, "undecided"),
        ("fps > 5%", -1, 5, "pass"),
        ("fps > 5%", -9, -6, "pass"),
        ("fps < -5%", -9, -6, "fail"),
        ("fps < -5%", -9, -4, "undecided"),
        ("fps < -5%", -5, 1, "pass"),
        ("fps > 0", -1, 1, "pass"),
        ("fps > 0", 0.1, 1, "fail"),
        ("fps < 0", -1, -0.1, "fail"),
        ("size_bytes > 0", 0, 0, "pass"),
        ("size_bytes > 0", 1, 1, "fail"),
        ("fps > 5%", None, None, "undecided"),
    ],
)
def test_an_interval_is_beyond_a_threshold_within_it_or_holds_it(expression, low, high, outcome):
    assert decide(Estimate(low, low, high), parse(expression)) == outcome


def test_one_failure_outweighs_what_cannot_be_told_and_that_outweighs_what_passes():
    assert worst(["pass", "undecided", "fail"]) == "fail"
    assert worst(["pass", "undecided"]) == "undecided"
    assert worst(["pass"]) == worst([]) == "pass"


def test_a_real_slow_down_fails_and_a_small_one_passes(sides):
    base, new = sides
    base.cell("a"), base.cell("b")
    new.cell("a", median_ms=4.2 * 1.2), new.cell("b", median_ms=4.2 * 1.01)
    verdict = gated(sides, SLOWER)
    assert [finding.outcome for finding in verdict.findings] == ["fail", "pass"]
    assert verdict.outcome == "fail"
    assert "changed by +20%" in verdict.findings[0].text


@pytest.mark.parametrize(
    ("base_part", "new_part", "said"),
    [
        ({}, {"n_processes": 1}, "5 against 1 processes"),
        ({"n_processes": 2}, {"median_ms": 9.0}, "2 against 5 processes, and at least 3 of each are needed"),
        ({}, {"status": "fallback", "reasons": ("no Edge TPU",)}, "the new is fallback: no Edge TPU"),
        ({"status": "failed", "median_ms": None}, {}, "the base is failed"),
        ({}, {"median_ms": None}, "the new has no latency_median_ms"),
    ],
)
def test_what_cannot_be_known_is_undecided_and_says_why(sides, base_part, new_part, said):
    sides[0].cell(**base_part), sides[1].cell(**new_part)
    verdict = gated(sides, SLOWER)
    assert verdict.outcome == "undecided"
    assert said in verdict.findings[0].text


def test_samples_that_are_gone_are_undecided_and_named(sides):
    sides[0].cell(), sides[1].cell()
    (sides[1].cells[0] / "process-2.npy").unlink()
    verdict = gated(sides, SLOWER)
    assert verdict.outcome == "undecided"


def test_a_missing_cell_and_one_measured_otherwise_are_undecided(sides, edit):
    base, new = sides
    base.cell("a"), base.cell("gone"), base.cell("odd")
    new.cell("a"), new.cell("fresh"), edit(new.cell("odd"), threads=4)
    verdict = gated(sides, SLOWER)
    assert [finding.outcome for finding in verdict.findings] == ["pass", "undecided", "undecided"]
    texts = " ".join(f"{finding.cell}: {finding.text}" for finding in verdict.others)
    assert "gone on local, cpu:1: missing from the new run" in texts
    assert "threads is 1 in one and 4 in the other" in texts
    assert gated(sides).outcome == "pass", "without a condition nothing is judged"


@pytest.mark.parametrize("status", ["skipped", "fallback", "failed", "incorrect"])
def test_a_cell_that_never_had_the_figure_lost_nothing(sides, status):
    for side in sides:
        side.cell("fine"), side.cell("never", "edgetpu", status=status, median_ms=None, map_=None)
    verdict = gated(sides, SLOWER)
    assert verdict.outcome == "pass"
    assert [(finding.judged, finding.outcome) for finding in verdict.findings] == [
        (True, "pass"),
        (False, "pass"),
    ]
    assert f"{status} before and after" in verdict.findings[1].text


def test_a_gate_that_could_judge_nothing_at_all_does_not_pass(sides):
    for side in sides:
        side.cell("never", "edgetpu", status="skipped", median_ms=None, map_=None)
    assert gated(sides, SLOWER).outcome == "undecided"


def test_runs_without_any_cell_do_not_pass(sides):
    assert gated(sides, SLOWER).outcome == "undecided"


def test_a_throttled_cell_is_not_judged_by_its_speed(sides, edit):
    import json

    sides[0].cell(), sides[1].cell(median_ms=9.0)
    record = json.loads((sides[1].cells[0] / "record.json").read_text())
    hot = [{**p, "telemetry": {"before": {"mhz": 2000}, "after": {"mhz": 800}}} for p in record["processes"]]
    edit(sides[1].cells[0], processes=hot)
    verdict = gated(sides, SLOWER, "size_bytes > 0")
    assert [finding.outcome for finding in verdict.findings] == ["undecided", "pass"]
    assert "the new is throttled: the clock fell by 60%" in verdict.findings[0].text


def test_a_side_that_other_programs_disturbed_decides_no_time_and_says_so(sides, edit):
    import json

    sides[0].cell(), sides[1].cell(median_ms=9.0)
    record = json.loads((sides[0].cells[0] / "record.json").read_text())
    edit(sides[0].cells[0], processes=[{**p, "telemetry": {"other_load": 1.2}} for p in record["processes"]])
    verdict = gated(sides, SLOWER, "peak_memory_mb > 50%")
    assert [finding.outcome for finding in verdict.findings] == ["undecided", "pass"]
    assert "the base is noisy: other programs used 1.2 CPU cores" in verdict.findings[0].text
    compared = compare_results([sides[0].folder], [sides[1].folder])
    (row,) = to_rows(compared, judge(compared, []))
    assert row["decision"] == "~"
    assert "the base is noisy" in row["reason"]
    assert row["low"] > 100, "the interval is shown all the same"


@pytest.mark.parametrize(
    ("expression", "outcome"),
    [
        ("size_bytes > 0", "fail"),
        ("size_bytes > 50%", "fail"),
        ("size_bytes > 2e6", "pass"),
        ("delegated_nodes < 0", "pass"),
        ("latency_mean_ms > 10%", "fail"),
        ("latency_p90_ms > 10%", "fail"),
        ("latency_median_ms > 0.5", "fail"),
        ("latency_median_ms > 100", "pass"),
        ("fps < -10%", "fail"),
        ("fps > 0", "pass"),
        ("first_inference_ms > 5%", "fail"),
        ("peak_memory_mb > 10", "pass"),
        ("init_ms > 1%", "pass"),
    ],
)
def test_each_kind_of_column_is_judged_in_both_directions_and_units(sides, expression, outcome):
    sides[0].cell(), sides[1].cell(median_ms=8.4, size_bytes=2_500_000)
    assert gated(sides, expression).outcome == outcome


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("size_bytes > 0", "size_bytes changed by +1,265,433 bytes, all of it beyond +0 bytes"),
        ("size_bytes > 500%", "size_bytes changed by +103%, not beyond +500%"),
        ("delegated_nodes < 0", "delegated_nodes changed by +0 nodes, not beyond +0 nodes"),
        ("latency_median_ms > 99", "latency_median_ms changed by +4."),
    ],
)
def test_a_finding_is_told_in_the_unit_of_its_condition(sides, expression, said):
    sides[0].cell(), sides[1].cell(median_ms=8.4, size_bytes=2_500_000)
    assert said in gated(sides, expression).findings[0].text


def test_a_native_tools_summaries_are_judged_as_samples_are(sides, edit):
    import json

    for side, median in zip(sides, (4.0e6, 5.0e6), strict=True):
        folder = side.cell()
        record = json.loads((folder / "record.json").read_text())
        told = [
            {**p, "samples": None, "summary": {"count": 50, "mean_ns": int(m), "median_ns": int(m)}}
            for p in record["processes"]
            for m in [median * (1 + p["index"] / 500)]
        ]
        edit(folder, processes=told)
    verdict = gated(sides, SLOWER, "latency_p90_ms > 5%")
    assert [finding.outcome for finding in verdict.findings] == ["fail", "undecided"]


@pytest.mark.parametrize(
    ("how", "outcome", "least"),
    [
        ({}, "pass", 0.95),
        ({"factor": 1.1}, "fail", 0.95),
        ({"processes": 2, "spread": 0.05}, "undecided", 0.8),
        ({"processes": 1, "factor": 1.5}, "undecided", 1.0),
    ],
)
def test_simulated_pairs_are_decided_rightly(how, outcome, least):
    assert bench_gate.outcomes(12, seed=1, **how)[outcome] >= 12 * least
