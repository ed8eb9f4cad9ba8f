"""The cache of rows: they are the same with and without it, and what is damaged is named all the same."""

import os

import pytest

from harness.rows import frame, reading, row_cache


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """A cache of its own that keeps the rows of small and of young runs too; counts those that are made."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(reading, "LEAST_CELLS", 1)
    monkeypatch.setattr(row_cache, "SETTLED_S", -1e9)
    made = []
    real = frame.to_row
    monkeypatch.setattr(frame, "to_row", lambda *of: (made.append(of[0].cell), real(*of))[1])
    return made


def read(*runs):
    return reading.read_rows([run.folder for run in runs])


def rows_of(*runs):
    return list(read(*runs).rows)


def test_what_was_made_once_is_not_made_again_and_is_the_same(cache, make_run):
    first, second = make_run("20261101-000000-aaaa"), make_run("20261102-000000-bbbb")
    first.example()
    second.cell()
    second.cell(median_ms=None)
    rows = rows_of(first, second)
    assert len(cache) == 14
    assert rows_of(first, second) == rows and len(cache) == 14
    assert frame.to_rows(frame.read_results([first.folder, second.folder]).records) == rows


def test_records_are_made_into_rows_in_their_order_however_many_are_read_at_once(
    cache, make_run, monkeypatch
):
    monkeypatch.setattr(reading, "AT_ONCE", 2)
    run = make_run()
    for name in ("a", "b", "c", "d", "e"):
        run.cell(name)
    (run.folder / "cells" / "001" / "record.json").write_bytes(b"{")
    for _ in range(2):
        found = read(run)
        assert [row["model"] for row in found.rows] == ["a", "c", "d", "e"]
        assert [one.record.model.name for one in found.records] == ["a", "c", "d", "e"]
        assert [one.record.model.name for one in found.records[1:3]] == ["c", "d"]
        assert len(found.warnings) == 1 and "001" in found.warnings[0]


def test_what_a_table_takes_beside_the_rows_is_kept_with_them(cache, make_run):
    run = make_run()
    run.example()
    results = frame.read_results([run.folder])
    for _ in range(2):
        found = read(run)
        assert list(found.origins) == list(results.origins)
        assert [one.record for one in found.sustained] == [one.record for one in results.sustained]
        key = tuple(found.rows[3][name] for name in frame.KEY)
        assert found.find(key).record == results.find(key).record == results.records[3].record


def test_a_cell_whose_samples_changed_is_made_again(cache, make_run):
    run = make_run()
    folder, other = run.cell(), run.cell(median_ms=9.0)
    before = rows_of(run)[0]["latency_mean_ms"]
    (folder / "process-0.npy").write_bytes((other / "process-1.npy").read_bytes())
    os.utime(folder / "process-0.npy", ns=(1, 1))
    after = rows_of(run)
    assert cache == ["000", "001", "000"] and after[0]["latency_mean_ms"] != before
    assert rows_of(run) == after


def test_a_record_that_changed_is_noticed_though_its_time_and_size_did_not(cache, make_run):
    run = make_run()
    path = run.cell("before") / "record.json"
    rows_of(run)
    known = path.stat()
    path.write_bytes(path.read_bytes().replace(b'"before"', b'"BEFORE"'))
    os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))
    found = read(run)
    if found.rows:
        assert found.rows[0]["model"] == "BEFORE"
    else:
        assert "damaged" in found.warnings[0]


@pytest.mark.parametrize("damage", [b"", b"nonsense", b"\x82\xa4code\x90\xa5cells\x80"])
def test_a_cache_that_is_damaged_or_of_other_code_is_passed_over(cache, make_run, damage, tmp_path):
    run = make_run()
    run.cell()
    rows = rows_of(run)
    (file,) = (tmp_path / "cache" / "rows").iterdir()
    file.write_bytes(damage)
    assert rows_of(run) == rows and len(cache) == 2


def test_a_bit_that_flips_in_the_cache_changes_no_figure(cache, make_run, tmp_path):
    run = make_run()
    run.cell()
    rows = rows_of(run)
    (file,) = (tmp_path / "cache" / "rows").iterdir()
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    assert rows_of(run) == rows and len(cache) == 2


def test_rows_of_other_code_are_made_again(cache, make_run, monkeypatch):
    run = make_run()
    run.cell()
    rows = rows_of(run)
    monkeypatch.setattr(reading, "code_stamp", lambda: (("columns.py", 1, 1),))
    assert rows_of(run) == rows and len(cache) == 2


def test_the_stamp_of_the_code_names_every_room_that_a_row_depends_on():
    names = {name for name, _, _ in row_cache.code_stamp()}
    assert {"units.py", "verdict.py", "samples.py", "latency.py"} <= names


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(cache, make_run, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "file"))
    run = make_run()
    run.cell()
    assert rows_of(run) == rows_of(run) and len(cache) == 2


def test_files_that_may_still_change_are_not_kept(cache, make_run, monkeypatch):
    monkeypatch.setattr(row_cache, "SETTLED_S", 1e9)
    run = make_run()
    run.cell()
    assert rows_of(run) == rows_of(run) and len(cache) == 2


def test_samples_that_cannot_be_read_are_said_each_time(cache, make_run):
    run = make_run()
    (run.cell() / "process-0.npy").unlink()
    assert rows_of(run) == rows_of(run)
    assert "cannot be read" in " ".join(rows_of(run)[0]["reasons"])
    assert len(read(run).damaged) == 1


def test_a_small_report_leaves_no_cache(make_run, monkeypatch, tmp_path):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    run = make_run()
    run.cell()
    rows_of(run)
    assert not (tmp_path / "cache").exists()
