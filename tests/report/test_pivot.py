"""Models down, device × delegate across."""

import pytest

from harness.errors import UnknownNameError
from harness.report import pivot
from harness.rows import frame
from harness.rows.columns import NAMES
from tests.support.changed_runs import replace_text


def rows_of(*runs):
    return frame.to_rows(frame.read_results([run.folder for run in runs]).records)


@pytest.fixture
def rows(make_run):
    run = make_run()
    for device, pace in (("pixel-8", 1.0), ("pixel-4", 2.0)):
        run.cell("big", "cpu:1", device=device, median_ms=20 * pace, map_=0.30)
        run.cell("small", "cpu:1", device=device, median_ms=10 * pace, map_=0.20)
        run.cell("bad", "cpu:1", device=device, median_ms=30 * pace, map_=0.10)
        run.cell("big", "gpu", device=device, status="fallback", reasons=("no",), median_ms=1.0, map_=0.99)
        run.cell("small", "gpu", device=device, status="incorrect", median_ms=1.0, map_=0.99)
        run.cell("bad", "gpu", device=device, status="failed", median_ms=None, map_=None)
    return rows_of(run)


def cells(block):
    return {row["model"]: {k: v for k, v in row.items() if k != "model"} for row in block.rows}


def test_grouped_by_device_the_delegates_stand_across(rows):
    blocks = pivot.make_blocks(rows, "device")
    assert [(block.title, block.columns) for block in blocks] == [
        ("pixel-8", ("model", "cpu:1", "gpu")),
        ("pixel-4", ("model", "cpu:1", "gpu")),
    ]


@pytest.mark.parametrize(
    ("by", "across"),
    [
        ("delegate_requested", ("model", "pixel-8", "pixel-4")),
        ("dataset", ("model", "pixel-8 cpu:1", "pixel-8 gpu", "pixel-4 cpu:1", "pixel-4 gpu")),
    ],
)
def test_what_the_title_says_does_not_stand_across_too(rows, by, across):
    assert pivot.make_blocks(rows, by)[0].columns == across


def test_a_cell_has_latency_and_map_and_the_best_and_the_optimal_are_marked(rows):
    found = cells(pivot.make_blocks(rows, "device")[0])
    assert {name: row["cpu:1"] for name, row in found.items()} == {
        "big": "☆ 20.0, 0.300↑",
        "small": "★ 10.0↓, 0.200",
        "bad": "30.0, 0.100",
    }


def test_what_fell_back_failed_or_is_incorrect_shows_so_without_a_number_and_is_not_ranked(rows):
    found = cells(pivot.make_blocks(rows, "device")[0])
    assert [found[name]["gpu"] for name in ("big", "small", "bad")] == ["fallback", "incorrect", "failed"]


def test_a_partial_or_noisy_cell_says_so_and_a_partial_one_is_not_ranked(make_run):
    run = make_run()
    run.cell("part", "gpu", status="partial", median_ms=1.0)
    run.cell("few", "gpu", n_processes=1, median_ms=2.0)
    found = cells(pivot.make_blocks(rows_of(run), "device")[0])
    assert found["part"]["gpu"].endswith("partial") and "↓" not in found["part"]["gpu"]
    assert "~2.0" in found["few"]["gpu"]


def test_accuracy_is_not_ranked_across_datasets(make_run):
    run = make_run()
    run.cell("a", map_=0.3, dataset="one"), run.cell("b", map_=0.5, dataset="two")
    assert not any("↑" in row["cpu:1"] for row in pivot.make_blocks(rows_of(run), "device")[0].rows)


def test_of_a_cell_that_was_measured_twice_the_newest_is_shown_and_the_other_counted(make_run):
    old, new = make_run("20261101-000000-0001"), make_run("20261102-000000-0002")
    for run, median, day in ((old, 5.0, "01"), (new, 7.0, "02")):
        path = run.cell("a", median_ms=median) / "record.json"
        replace_text(path, "2026-11-21T09:00:00Z", f"2026-11-{day}T09:00:00Z")
    rows = rows_of(old, new)
    assert cells(pivot.make_blocks(rows, "device")[0])["a"]["cpu:1"].startswith("★ 7.0")
    assert cells(pivot.make_blocks(rows[::-1], "device")[0])["a"]["cpu:1"].startswith("★ 7.0")
    assert pivot.passed_over(rows, "device") == 1
    assert len(pivot.make_blocks(rows, "run_id")) == 2 and pivot.passed_over(rows, "run_id") == 0


def test_quantizations_of_one_name_are_rows_of_their_own(make_run):
    run = make_run()
    run.cell("m", quantization="float32"), run.cell("m", quantization="float16")
    assert list(cells(pivot.make_blocks(rows_of(run), "device")[0])) == ["m float32", "m float16"]


def test_published_figures_stand_in_columns_of_their_own_and_are_not_ranked(rows):
    theirs = dict.fromkeys(NAMES) | {
        "model": "big", "quantization": "float32", "device": "pixel-8", "delegate_requested": "cpu:1",
        "status": "published", "verdict": "published", "latency_mean_ms": 0.1, "map": 0.9, "reasons": ["somewhere"],
    }  # fmt: skip
    found = cells(pivot.make_blocks([*rows, theirs], "device")[0])
    assert found["big"]["cpu:1 (published)"] == "0.100, 0.900"
    assert found["big"]["cpu:1"] == "☆ 20.0, 0.300↑"


def test_a_group_of_rows_stands_together_and_keeps_its_order(rows):
    mixed = rows[::2] + rows[1::2]
    together = pivot.grouped(mixed, "device")
    devices = [row["device"] for row in together]
    assert devices == sorted(devices, key=devices.index) and devices.count("pixel-8") == 6
    assert [row for row in mixed if row["device"] == "pixel-8"] == together[:6]


def test_an_unknown_column_says_what_is_near(rows):
    for function in (pivot.make_blocks, pivot.grouped):
        with pytest.raises(UnknownNameError, match="Did you mean device"):
            function(rows, "devise")


def test_markdown_has_a_heading_and_a_table_a_group_and_names_are_text(make_run):
    run = make_run()
    run.cell("<b>|x|", device="<i>a|b")
    text = pivot.to_markdown(pivot.make_blocks(rows_of(run), "device"), "device")
    assert "<b>" not in text and "<i>" not in text
    assert "### device: " in text and "| model | cpu:1 |" in text and "★ Pareto-optimal" in text
