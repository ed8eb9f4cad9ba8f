"""Operators put together by kind, as rows, as a table and in the page."""

import json
import re

import msgspec
import pytest
from click.testing import CliRunner

from harness.cli.main import cli
from harness.errors import UsageError
from harness.records import records
from harness.records.records import OperatorFacts, OperatorProfile, OperatorTime
from harness.rows import frame, operators
from tests.support.paths import RECORDS_FORMATS

FORMATS = RECORDS_FORMATS / "1-operators"
HOSTILE = "<b>CONV\x1b[31m</b>"


def one(kind, time_us, *, delegated=True):
    return OperatorTime(kind=kind, name=f"{kind}:0", delegated=delegated, time_ns=time_us * 1000)


@pytest.fixture
def profiled(make_run):
    """A run of two cells; the operators of the first are known, those of the second could not be recorded."""
    run = make_run()
    times = (one(HOSTILE, 300), one("ADD", 100), one(HOSTILE, 500), one("NMS", 100, delegated=False))
    records.save(run.cell() / "operators.json", OperatorProfile(operators=times))
    facts = OperatorFacts(status="ok", runtime="LiteRT", n_inferences=50, operators="operators.json")
    save(run.cells[0], facts)
    save(run.cell("other"), OperatorFacts(status="failed", reasons=("no profiler",)))
    return run


def save(folder, facts):
    path = folder / "record.json"
    record = records.load(path, records.Record)
    records.save(path, msgspec.structs.replace(record, operators=facts))


def report(run, *args):
    return CliRunner().invoke(cli, ["report", str(run.folder), *args])


def test_operators_of_a_kind_are_added_up_and_the_costliest_comes_first(profiled):
    kinds = operators.by_kind(frame.read_results([profiled.folder]).records[0].operators())
    assert [(k.name, k.count, k.time_ms, k.share) for k in kinds] == [
        (HOSTILE, 2, 0.8, 0.8),
        ("ADD", 1, 0.1, 0.1),
        ("NMS", 1, 0.1, 0.1),
    ]
    assert [k.delegated for k in kinds] == [True, True, False]


def test_a_kernel_and_a_delegate_that_do_the_same_are_kept_apart():
    kinds = operators.by_kind([one("ADD", 1), one("ADD", 2, delegated=False)])
    assert [(k.delegated, k.count) for k in kinds] == [(False, 1), (True, 1)]


def test_operators_without_any_time_have_no_share():
    assert [kind.share for kind in operators.by_kind([one("RESHAPE", 0)])] == [0.0]


def test_the_command_prints_them_for_programs_and_says_what_is_missing(profiled):
    result = report(profiled, "--operators", "--format", "json")
    rows = json.loads(result.stdout)
    assert list(rows[0]) == list(operators.COLUMNS)
    assert sum(row["share_percent"] for row in rows) == pytest.approx(100)
    assert {row["model"] for row in rows} == {"shapes-float32"}
    assert "no operators of other on cpu:1: no profiler" in result.stderr


def test_the_table_has_no_control_characters_and_fits_a_hundred_columns(profiled):
    lines = report(profiled, "--operators").stdout.splitlines()
    assert "\x1b" not in "".join(lines) and max(map(len, lines)) <= 100
    assert lines[0] == "shapes-float32 on cpu:1 · local · 1.00 ms in operators"
    assert lines[2].split()[:6] == ["<b>CONV</b>", "delegate", "2", "0.800", "80.0%", "█" * 16]


def test_a_run_that_recorded_none_is_wrong_use_and_the_remedy_is_said(make_run):
    run = make_run()
    run.cell()
    result = report(run, "--operators")
    assert isinstance(result.exception, UsageError) and "harness run --operators" in str(result.exception)


@pytest.mark.parametrize(
    "args", [("--sort", "map"), ("--columns", "map"), ("--group-by", "model"), ("--format", "html"),
             ("--with-published",), ("--format", "parquet")]
)  # fmt: skip
def test_options_that_mean_cells_do_not_go_with_operators(profiled, args):
    assert isinstance(report(profiled, "--operators", *args).exception, UsageError)


def test_the_page_has_them_and_says_why_others_are_missing(profiled, tmp_path):
    file = tmp_path / "page.html"
    assert report(profiled, "-o", str(file)).exit_code == 0
    text = file.read_text(encoding="utf-8")
    details = json.loads(re.search(r'id="data">(.*?)</script>', text, re.S)[1])["details"]
    found = details["0"]["operators"]
    assert found["kinds"][0] == ["<b>CONV</b>", True, 0.8, "2", "0.800", "80.0%"]
    assert [row[0] for row in found["each"]] == ["<b>CONV</b>", "ADD", "<b>CONV</b>", "NMS"]
    assert found["sum"] == "1.00" and found["n"] == "50"
    assert details["1"]["operators"] == {"missing": ["no profiler"]}


def test_a_file_that_is_lost_hides_no_page(profiled):
    (profiled.cells[0] / "operators.json").unlink()
    found = operators.for_page(frame.read_results([profiled.folder]).records[0])
    assert "cannot be read" in found["missing"][0]


def test_a_real_run_names_its_suppression_as_a_kernel_and_its_convolutions_as_delegated():
    (row, *_) = frame.read_results([FORMATS]).records
    kinds = {kind.name: kind for kind in operators.by_kind(row.operators())}
    assert not kinds["TFLite_Detection_PostProcess"].delegated
    assert kinds["Convolution (NHWC, F32) DWConv"].delegated


def test_operators_of_a_cell_that_fell_back_stand_under_no_delegate(profiled):
    path = profiled.cells[0] / "record.json"
    record = records.load(path, records.Record)
    delegate = msgspec.structs.replace(record.delegate, requested="gpu", actual="xnnpack")
    records.save(path, msgspec.structs.replace(record, status="fallback", delegate=delegate))
    (stored,) = [r for r in frame.read_results([profiled.folder]).records if r.record.status == "fallback"]
    assert operators.operator_rows([stored]) == []
    assert "fallback: xnnpack ran" in operators.remarks([stored])[0]
    assert "fallback: xnnpack ran" in operators.for_page(stored)["missing"][0]


def test_operators_of_a_partial_cell_have_its_word_in_heading_and_columns(profiled):
    path = profiled.cells[0] / "record.json"
    record = records.load(path, records.Record)
    delegate = msgspec.structs.replace(record.delegate, requested="gpu", actual="gpu")
    records.save(path, msgspec.structs.replace(record, status="partial", delegate=delegate))
    assert "partial: gpu ran" in report(profiled, "--operators").stdout.splitlines()[0]
    rows = json.loads(report(profiled, "--operators", "--format", "json").stdout)
    assert {(row["delegate_actual"], row["status"]) for row in rows} == {("gpu", "partial")}
