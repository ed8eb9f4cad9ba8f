"""Reading runs into rows and a DataFrame."""

import pandas as pd
import pytest

from harness.errors import RecordError, UnknownNameError
from harness.rows import columns, frame
from tests.support.changed_runs import replace_text


def test_a_frame_has_the_public_columns_with_nullable_types(make_run):
    run = make_run()
    run.cell()
    run.cell(status="skipped", median_ms=None, map_=None)
    loaded = frame.load_results(run.folder)
    assert list(loaded.columns) == list(columns.NAMES)
    assert {name: str(dtype) for name, dtype in loaded.dtypes.items()} == {
        c.name: c.dtype for c in columns.COLUMNS
    }
    assert loaded.loc[1, "latency_median_ms"] is pd.NA
    assert loaded.loc[1, "n_samples"] is pd.NA
    assert loaded.loc[0, "n_samples"] == 2000


def test_no_records_give_an_empty_frame_with_the_same_types(make_run):
    empty = frame.load_results(make_run().folder)
    assert len(empty) == 0
    assert {str(dtype) for dtype in empty.dtypes} == {"string", "Int64", "Float64", "object"}


def test_paths_may_be_a_run_a_folder_of_runs_or_several(make_run):
    for name in ("a", "b"):
        make_run(name).cell()
    results = make_run("a").folder.parent
    assert list(frame.load_results(results)["run_id"]) == ["a", "b"]
    assert list(frame.load_results(str(results / "b"))["run_id"]) == ["b"]
    assert list(frame.load_results([results / "b", results])["run_id"]) == ["b", "a"]


def test_without_a_path_the_results_of_the_workspace_are_read(make_run, tmp_path, monkeypatch):
    make_run("a").cell()
    for name in ("devices", "models"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    assert list(frame.load_results([])["run_id"]) == ["a"]


def test_a_folder_without_a_run_is_an_error_that_names_it(tmp_path):
    with pytest.raises(RecordError, match="no run found"):
        frame.load_results(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": "\\u0000"}', "\udcff"])
def test_a_record_that_cannot_be_read_is_named_and_hides_no_other(make_run, text):
    run = make_run()
    run.cell("kept")
    broken = run.cell("lost") / "record.json"
    broken.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.warns(frame.UnreadableRecordWarning, match="record.json") as caught:
        loaded = frame.load_results(run.folder)
    assert list(loaded["model"]) == ["kept"]
    assert str(broken) in str(caught[0].message)


def test_a_record_of_a_newer_format_is_passed_over_with_the_remedy(make_run):
    run = make_run()
    path = run.cell() / "record.json"
    replace_text(path, '"format": 1', '"format": 99')
    (warning,) = frame.read_results([run.folder]).warnings
    assert "99" in warning
    assert "upgrade" in warning


@pytest.mark.parametrize("damage", [b"", b"not numpy", None])
def test_damaged_samples_leave_the_latency_unknown_and_say_which_file(make_run, damage):
    run = make_run()
    samples = run.cell() / "process-1.npy"
    samples.unlink() if damage is None else samples.write_bytes(damage)
    (row,) = frame.to_rows(frame.read_results([run.folder]).records)
    assert row["latency_median_ms"] is None
    assert row["map"] == 0.8
    assert any("process-1.npy" in reason for reason in row["reasons"])


def test_a_cell_that_was_interrupted_says_so(make_run):
    run = make_run()
    run.cell(complete=False)
    (row,) = frame.to_rows(frame.read_results([run.folder]).records)
    assert "interrupted" in row["reasons"][0]


def test_processes_that_failed_do_not_count_for_the_latency(make_run):
    run = make_run()
    path = run.cell(n_processes=4, n_samples=50) / "record.json"
    replace_text(path, '"index": 0,', '"index": 0, "x": 1,')
    assert [row["n_samples"] for row in frame.to_rows(frame.read_results([run.folder]).records)] == [200]
    text = path.read_bytes()
    at = text.index(b'"status": "ok"', text.index(b'"index": 0'))
    path.write_bytes(text[:at] + b'"status": "timeout"' + text[at + len(b'"status": "ok"') :])
    assert [row["n_samples"] for row in frame.to_rows(frame.read_results([run.folder]).records)] == [150]


def test_rows_of_no_known_column_are_refused():
    with pytest.raises(UnknownNameError, match="unknown column"):
        frame.rows_to_frame([], ["nonsense"])
