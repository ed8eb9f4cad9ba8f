"""A damaged cell is named, the rest is shown, and the exit status says it."""

import contextlib
import json
import os
import shutil

import pytest

from harness.cli.main import main
from harness.errors import RecordError
from harness.records import records
from harness.records.files import checksum
from harness.records.records import OperatorProfile, OperatorTime
from harness.records.samples import load_samples, make_samples, to_bytes
from harness.records.store import RunStore
from harness.rows.selection import find_folders
from tests.support.changed_runs import change_record, give_detections, read_unsealed


@pytest.fixture
def run(make_run):
    """A run of two cells whose samples have checksums."""
    made = make_run()
    for model in ("good", "bad"):
        made.cell(model, n_processes=2, n_samples=20)
    return made


@pytest.fixture
def report(capsys):
    """Call `harness report`; returns (exit status, stdout, stderr)."""

    def call(*args):
        with pytest.raises(SystemExit) as left:
            main(["report", *map(str, args)])
        out, err = capsys.readouterr()
        assert "Traceback" not in err, err
        return left.value.code, out, err

    return call


def replaced_by_fifo(path):
    path.unlink()
    os.mkfifo(path)


def replaced_by_folder(path):
    path.unlink()
    path.mkdir()


def replaced_by_device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


def with_a_bit_flipped(path):
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(bytes(data))


DAMAGE = {
    "a pipe in its place": replaced_by_fifo,
    "a folder in its place": replaced_by_folder,
    "a device in its place": replaced_by_device,
    "empty": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "deep": lambda path: path.write_bytes(b'{"settings": ' + b"[" * 100_000),
    "a dangling link": lambda path: (path.unlink(), path.symlink_to("nowhere")),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("name", ["record.json", "process-0.npy"])
def test_a_damaged_file_is_named_and_the_other_cells_are_shown(run, report, damage, name):
    damage(run.cells[1] / name)
    status, out, err = report(run.folder, "--format", "json")
    rows = {row["model"]: row for row in json.loads(out)}
    assert status == 1 and name in err
    assert rows["good"]["status"] == "ok" and rows["good"]["latency_median_ms"] > 0
    assert "bad" not in rows or (
        rows["bad"]["status"] == "failed" and rows["bad"]["latency_median_ms"] is None
    )


def test_one_flipped_bit_in_the_samples_is_noticed(run, report):
    with_a_bit_flipped(run.cells[1] / "process-1.npy")
    status, out, err = report(run.folder, "--format", "json")
    good, bad = json.loads(out)
    assert status == 1 and "process-1.npy: damaged since it was written" in err
    assert good["status"] == "ok" and bad["status"] == "failed" and "damaged" in bad["reasons"][0]


@pytest.mark.parametrize(
    ("place", "old", "new"),
    [
        ("settings", b'"threads": 1', b'"threads": 3'),
        ("a summary figure", b'"map": 0.8', b'"map": 0.9'),
        ("the time of a load", b'"init_ns": 8000000', b'"init_ns": 8000004'),
        ("a model's size", b'"size_bytes": 1234567', b'"size_bytes": 1234565'),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_changed_value_of_a_record_is_noticed(run, report, place, old, new):
    path = run.cells[1] / "record.json"
    data = path.read_bytes()
    assert old in data, place
    path.write_bytes(data.replace(old, new, 1))
    status, out, err = report(run.folder, "--format", "json")
    assert status == 1 and "record.json: damaged since it was written" in err
    assert [row["model"] for row in json.loads(out)] == ["good"]


def test_one_flipped_bit_in_detections_is_noticed_and_removed_detections_are_no_damage(run, report):
    for cell in run.cells:
        give_detections(cell, 1.0, 5)
        crc32 = checksum((cell / "detections.json").read_bytes())
        change_record(cell, accuracy={"detections_crc32": crc32})
    assert report(run.folder)[0] == 0
    with_a_bit_flipped(run.cells[1] / "detections.json")
    status, out, err = report(run.folder, "--format", "json")
    good, bad = json.loads(out)
    assert status == 1 and "detections.json: damaged since it was written" in err
    assert good["status"] == "ok" and bad["status"] == "failed"
    (run.cells[1] / "detections.json").unlink()
    assert report(run.folder)[0] == 0


def test_one_flipped_bit_in_operators_is_noticed_in_every_report(run, report):
    times = (OperatorTime(kind="CONV_2D", name="a", delegated=False, time_ns=512),)
    records.save(run.cells[1] / "operators.json", OperatorProfile(operators=times))
    change_record(run.cells[1], operators={"status": "ok", "operators": "operators.json"})
    path = run.cells[1] / "operators.json"
    path.write_bytes(path.read_bytes().replace(b"512", b"513"))
    status, out, err = report(run.folder, "--format", "json")
    assert status == 1 and "operators.json: damaged since it was written" in err
    assert [row["status"] for row in json.loads(out)] == ["ok", "failed"]


def test_every_flipped_bit_of_a_header_without_a_checksum_is_a_record_error_or_none(tmp_path):
    path = tmp_path / "process-0.npy"
    whole = to_bytes(make_samples([1, 2, 3], [4, 5, 6], 1))
    for at in range(8 * 128):
        data = bytearray(whole)
        data[at // 8] ^= 1 << at % 8
        path.write_bytes(bytes(data))
        with contextlib.suppress(RecordError):
            load_samples(path)


def test_the_samples_that_failed_once_are_a_record_error(shared_cases, tmp_path):
    path = tmp_path / "process-0.npy"
    shutil.copy(shared_cases / "robustness" / "process-0-one-bit.npy", path)
    with pytest.raises(RecordError, match="cannot be read"):
        load_samples(path)


def test_a_record_without_checksums_is_read_as_before(run, report):
    for cell in run.cells:
        path = cell / "record.json"
        data = read_unsealed(path)
        for process in data["processes"]:
            del process["samples_crc32"]
        path.write_text(json.dumps(data))
    status, out, err = report(run.folder, "--format", "json")
    assert status == 0 and "damaged" not in err and all(row["latency_median_ms"] for row in json.loads(out))


def test_a_store_gives_the_checksum_of_what_it_writes(tmp_path):
    data = to_bytes(make_samples([1, 2], [3, 4], 0))
    name, crc32 = RunStore(tmp_path).save_samples("000", 0, data)
    assert crc32 == checksum((tmp_path / "cells" / "000" / name).read_bytes())


@pytest.mark.parametrize(
    "parts",
    [
        {"settings": {"precision": "a little"}},
        {"settings": {"repetitions": [5]}},
        {"model": {"size_bytes": 10**30}},
        {"processes": [{"index": 0, "started_at": "", "status": "ok", "telemetry": {"other_load": "much"}}]},
    ],
    ids=str,
)
def test_a_value_of_another_type_makes_its_cell_a_damaged_one(run, report, parts):
    change_record(run.cells[1], **parts)
    status, out, err = report(run.folder, "--format", "json")
    assert status == 1 and "record.json: not a Record of this program" in err
    assert [row["model"] for row in json.loads(out)] == ["good"]


def test_a_damaged_run_file_is_named_and_its_cells_are_shown(run, report):
    replaced_by_fifo(run.folder / "run.json")
    status, out, err = report(run.folder, "--format", "json")
    assert status == 1 and "run.json" in err and len(json.loads(out)) == 2


def test_damaged_operators_are_named_and_the_others_are_shown(run, report):
    for cell in run.cells:
        profile = {"operators": [{"kind": "CONV_2D", "name": "a", "delegated": False, "time_ns": 5}]}
        (cell / "operators.json").write_text(json.dumps(profile))
        change_record(cell, operators={"status": "ok", "operators": "operators.json"})
    replaced_by_fifo(run.cells[1] / "operators.json")
    status, out, err = report(run.folder, "--operators", "--format", "json")
    assert status == 1 and "operators.json" in err
    assert {row["model"] for row in json.loads(out)} == {"good"}


def test_a_comparison_with_damaged_samples_does_not_end_with_0(run, make_run, capsys):
    other = make_run("20261121-100000-abcd")
    for model in ("good", "bad"):
        other.cell(model, n_processes=2, n_samples=20)
    with_a_bit_flipped(run.cells[1] / "process-0.npy")
    with pytest.raises(SystemExit) as left:
        main(["compare", str(other.folder), str(run.folder)])
    assert left.value.code == 1 and "damaged" in capsys.readouterr().err


def test_the_latest_run_is_the_newest_that_measured_something(make_run):
    first = make_run("20261121-090000-0001")
    first.cell()
    skipped = make_run("20261121-090000-0002")
    skipped.cell(status="skipped", median_ms=None, map_=None)
    results = first.folder.parent
    assert find_folders(["latest"], results) == find_folders([], results) == [first.folder]
    shutil.rmtree(first.folder)
    assert find_folders(["latest"], results) == [skipped.folder]
    skipped.cell()
    assert not records.measured_nothing(skipped.folder)
