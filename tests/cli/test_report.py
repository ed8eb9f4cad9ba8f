"""`harness report`, on runs written by the code that writes real ones."""

import csv
import io
import json

import pytest
from click.testing import CliRunner

from harness.cli import main as front
from harness.cli.report import command
from harness.errors import HarnessError
from harness.rows.columns import NAMES


@pytest.fixture
def workspace(tmp_path, make_run):
    """A workspace with two runs; the newer one has a cell that fell back."""
    (tmp_path / "devices").mkdir()
    (tmp_path / "models").mkdir()
    make_run("20261120-080000-0001").cell("old-model")
    newer = make_run("20261121-090000-abcd")
    newer.cell("shapes-float32", map_=0.8)
    newer.cell("shapes-int8", quantization="full-integer", median_ms=2.0, map_=0.7)
    newer.cell("shapes-int8", "edgetpu", status="fallback", reasons=("no Edge TPU was found",), median_ms=9.5)
    return tmp_path


def report(workspace, *args):
    return CliRunner().invoke(command, list(map(str, args)), obj=str(workspace), catch_exceptions=False)


def rows(workspace, *args):
    return json.loads(report(workspace, *args, "--format", "json").stdout)


def test_without_an_argument_the_newest_run_is_shown(workspace):
    assert {row["run_id"] for row in rows(workspace)} == {"20261121-090000-abcd"}


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("latest", "20261121-090000-abcd"),
        ("20261120", "20261120-080000-0001"),
        ("20261120-080000-0001", "20261120-080000-0001"),
    ],
)
def test_a_run_is_named_by_latest_its_id_or_its_beginning(workspace, named, found):
    assert {row["run_id"] for row in rows(workspace, named)} == {found}


def test_a_folder_may_hold_one_run_or_several(workspace):
    results = workspace / "results"
    assert len(rows(workspace, results)) == 4
    assert len(rows(workspace, results / "20261120-080000-0001", results)) == 4, "a run is shown once"


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["20261121-090000-abce"], "Did you mean 20261121-090000-abcd"),
        (["2026"], "the beginning of 2 runs"),
        (["--sort", "latency_p9_ms"], "unknown column 'latency_p9_ms'. Did you mean latency_p9"),
        (["--columns", "model,mapp"], "unknown column 'mapp'. Did you mean map"),
        (["--format", "parquet"], "-o FILE"),
    ],
)
def test_wrong_use_is_an_error_with_what_is_near(workspace, args, said):
    with pytest.raises(HarnessError, match="(?s)" + said) as error:
        report(workspace, *args)
    assert error.value.exit_status == 2


def test_no_run_at_all_says_how_to_make_one(workspace):
    for run in list((workspace / "results").iterdir()):
        run.rename(workspace / run.name)
    with pytest.raises(HarnessError, match="harness run"):
        report(workspace)


def test_json_has_every_public_column_in_order(workspace):
    assert [tuple(row) for row in rows(workspace)] == [NAMES] * 3


def test_a_cell_that_fell_back_has_no_numbers_of_the_accelerator_in_any_format(workspace):
    fell_back = rows(workspace)[2]
    assert fell_back["status"] == "fallback"
    hidden = [
        name
        for name in NAMES
        if name.endswith("_ms") or name.startswith(("a", "map", "fps", "peak", "n_samp"))
    ]
    assert {fell_back[name] for name in hidden} == {None}
    assert any("9.5" in reason or "9.4" in reason for reason in fell_back["reasons"]), (
        "what ran is told in words"
    )
    line = next(line for line in report(workspace).stdout.splitlines() if "edgetpu" in line)
    assert "fallback" in line
    assert "no Edge TPU was found" in line


def test_rows_are_sorted_and_unknown_values_come_last(workspace):
    assert [row["map"] for row in rows(workspace, "--sort", "-map")] == [0.8, 0.7, None]
    medians = [row["latency_median_ms"] for row in rows(workspace, "--sort", "latency_median_ms")]
    assert medians[0] < medians[1]
    assert medians[2] is None


def test_chosen_columns_are_printed_in_their_order(workspace):
    done = report(workspace, "--columns", "map, model", "--format", "csv")
    assert next(csv.reader(io.StringIO(done.stdout))) == ["map", "model"]
    table = report(workspace, "--columns", "map,model,latency_p90_ms").stdout
    assert table.split()[:3] == ["map", "model", "latency_p90_ms"]
    assert "0.800" in table


@pytest.mark.parametrize(
    ("name", "start"),
    [("x.json", b"[{"), ("x.csv", b"run_id,"), ("x.md", b"**local"), ("x.parquet", b"PAR1")],
)
def test_the_ending_of_the_file_says_the_format(workspace, tmp_path, name, start):
    done = report(workspace, "-o", tmp_path / name)
    assert done.stdout == ""
    assert (tmp_path / name).read_bytes().startswith(start)


def test_an_explicit_format_wins_over_the_ending(workspace, tmp_path):
    report(workspace, "-o", tmp_path / "x.csv", "--format", "json")
    assert json.loads((tmp_path / "x.csv").read_text(encoding="utf-8"))


def test_an_unreadable_record_is_told_and_hides_no_other(workspace):
    broken = workspace / "results" / "20261121-090000-abcd" / "cells" / "000" / "record.json"
    broken.write_text("{")
    done = report(workspace, "--format", "json")
    assert len(json.loads(done.stdout)) == 2
    assert str(broken) in done.stderr.replace("\n", "")


def test_a_run_that_was_killed_before_its_first_cell_is_an_empty_array(workspace, make_run):
    make_run("20261122-000000-0000")
    done = report(workspace, "--format", "json")
    assert json.loads(done.stdout) == []
    assert "no cell was measured" in done.stderr


def test_the_whole_command_line_reports_and_exits_with_0(workspace, capsys):
    with pytest.raises(SystemExit) as left:
        front.main(["--workspace", str(workspace), "report", "latest", "--format", "json"])
    assert left.value.code == 0
    assert len(json.loads(capsys.readouterr().out)) == 3


def test_grouped_by_a_column_there_is_a_pivot_for_each_value(workspace):
    out = report(workspace, "--group-by", "device").stdout
    assert out.startswith("device: local\n")
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "cpu:1" in lines["model"] and "edgetpu" in lines["model"]
    assert "fallback" in lines["shapes-int8"] and "9." not in lines["shapes-int8"]
    assert "### device: local" in report(workspace, "--group-by", "device", "--format", "markdown").stdout


def test_grouped_rows_for_a_script_are_the_same_rows_with_equal_values_together(workspace):
    plain, together = (
        rows(workspace, workspace / "results", *args) for args in ((), ("--group-by", "delegate_requested"))
    )
    assert sorted(map(str, plain)) == sorted(map(str, together))
    assert [row["delegate_requested"] for row in together] == ["cpu:1"] * 3 + ["edgetpu"]


def test_published_figures_follow_the_own_rows_marked_as_such(workspace, make_run):
    make_run("20261122-090000-ef01").cell(
        "mobiledet-dsp", "hexagon", device="pixel-4", median_ms=24.6, quantization="qat-uint8", n_images=50
    )
    found = rows(workspace, "--with-published")
    assert [row["status"] for row in found] == ["ok", "published", "published"]
    assert (
        found[0]["latency_vs_published"] == pytest.approx(2, abs=0.1) and found[0]["map_vs_published"] is None
    )
    assert "of COCO 2014 minival, 8,059 images, yours of shapes, 50 images" in found[0]["published_note"]
    out = report(workspace, "--with-published").stdout
    assert "Pixel 4" in out.partition("published figures")[2]
    assert "no mAP ratio: the published mAP is of COCO 2014 minival" in out
    assert all("★" not in line for line in out.splitlines() if "published" in line)
    assert "hexagon (published)" in report(workspace, "--with-published", "--group-by", "device").stdout
    assert "| mobiledet-dsp" in report(workspace, "--with-published", "--format", "markdown").stdout


def test_where_nothing_is_published_of_what_was_measured_it_is_said(workspace):
    done = report(workspace, "--with-published")
    assert "no figure is published of these models on these devices" in done.stderr
    assert {row["status"] for row in rows(workspace, "--with-published")} == {"ok", "fallback"}


@pytest.mark.parametrize(
    "args",
    [
        ("--group-by", "devise"),
        ("--group-by", "device", "--columns", "model"),
        ("--group-by", "devise", "--format", "html"),
        ("--columns", "map", "--format", "html"),
    ],
)
def test_what_does_not_go_together_is_wrong_use(workspace, args):
    with pytest.raises(HarnessError) as error:
        report(workspace, *args)
    assert error.value.exit_status == 2


def test_markdown_is_the_table_that_people_read_and_all_columns_are_its_values(workspace):
    readable = report(workspace, "--format", "markdown").stdout
    assert (
        readable.startswith("**local") and "| model | delegate |" in readable and "\n- records: " in readable
    )
    raw = report(workspace, "--format", "markdown", "--columns", "all").stdout
    assert raw.startswith("| run_id | started_at | model |")
