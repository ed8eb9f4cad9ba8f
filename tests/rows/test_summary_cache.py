"""The cache of summaries: figures are the same with and without it."""

import os

import pytest

from harness.rows import frame, summary, summary_cache


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A cache of its own that keeps the summaries of small and of young runs too; counts what is computed."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(summary_cache, "LEAST_CELLS", 1)
    monkeypatch.setattr(summary_cache, "SETTLED_S", -1e9)
    computed = []
    real = summary.summarize_record
    monkeypatch.setattr(
        summary, "summarize_record", lambda one: (computed.append(one.folder.name), real(one))[1]
    )
    return computed


def rows_of(*runs):
    return frame.to_rows(frame.read_results([run.folder for run in runs]).records)


def test_what_was_computed_once_is_not_computed_again_and_is_the_same(cache, make_run):
    first, second = make_run("20261101-000000-aaaa"), make_run("20261102-000000-bbbb")
    first.example()
    second.cell()
    second.cell(median_ms=None)
    rows = rows_of(first, second)
    assert len(cache) == 14
    assert rows_of(first, second) == rows and len(cache) == 14


def test_a_cell_whose_samples_changed_is_computed_again(cache, make_run):
    run = make_run()
    folder, other = run.cell(), run.cell(median_ms=9.0)
    before = rows_of(run)[0]["latency_mean_ms"]
    (folder / "process-0.npy").write_bytes((other / "process-1.npy").read_bytes())
    os.utime(folder / "process-0.npy", ns=(1, 1))
    after = rows_of(run)
    assert cache == ["000", "001", "000"] and after[0]["latency_mean_ms"] != before
    assert rows_of(run) == after


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\x82\xa4code\x90\xa5cells\x80"])
def test_a_cache_that_is_damaged_or_of_other_code_is_passed_over(cache, make_run, damage, tmp_path):
    run = make_run()
    run.cell()
    rows = rows_of(run)
    (file,) = (tmp_path / "cache" / "summaries").iterdir()
    file.write_bytes(damage)
    assert rows_of(run) == rows and len(cache) == 2


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(cache, make_run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    run = make_run()
    run.cell()
    assert rows_of(run) == rows_of(run) and len(cache) == 2


def test_files_that_may_still_change_are_not_kept(cache, make_run, monkeypatch):
    monkeypatch.setattr(summary_cache, "SETTLED_S", 1e9)
    run = make_run()
    run.cell()
    assert rows_of(run) == rows_of(run) and len(cache) == 2


def test_samples_that_cannot_be_read_are_said_each_time(cache, make_run):
    run = make_run()
    (run.cell() / "process-0.npy").unlink()
    assert rows_of(run) == rows_of(run)
    assert "cannot be read" in " ".join(rows_of(run)[0]["reasons"])


def test_a_small_report_leaves_no_cache(make_run, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    run = make_run()
    run.cell()
    rows_of(run)
    assert not (tmp_path / "cache").exists()
