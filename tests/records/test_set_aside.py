"""A resumed run sets damaged cells aside, names them, and measures them again; the others stay as they are."""

import errno
import os
import shutil
from dataclasses import replace

import pytest

from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.errors import RecordError
from harness.records import samples
from harness.records.damaged import find_damaged
from harness.records.records import is_finished, load_records
from harness.session import carry_out, prepare, prepare_resume
from harness.settings import Settings
from tests.support.changed_runs import replace_text
from tests.support.paths import REPOSITORY
from tests.support.steady_engine import Steady


@pytest.fixture
def run(tmp_path):
    """The folder of a finished run of two cells."""
    request = Request(
        models=("shapes-float32", "shapes-full-integer"),
        delegates=("cpu:1",),
        workspace=str(REPOSITORY),
        output=str(tmp_path / "results"),
        settings=Settings(accuracy=False, repetitions=2, min_runs=2, min_seconds=0.01),
        repetitions=2,
    )
    return carry_out(replace(prepare(request), engines=(Steady(),)), Silent()).folder


def flip(path):
    data = bytearray(path.read_bytes())
    data[-20] ^= 1
    path.write_bytes(data)


def to_link(path):
    path.unlink()
    path.symlink_to("nowhere")


def to_file(path):
    shutil.rmtree(path.parent)
    path.parent.write_text("no folder")


@pytest.mark.parametrize(
    ("name", "damage"),
    [("record.json", flip), ("process-1.npy", flip), ("record.json", to_link), ("record.json", to_file)],
)
def test_a_damaged_cell_is_named_kept_and_measured_again(run, name, damage):
    good, bad = (stored.folder for stored in load_records(run))
    kept = (good / "record.json").read_bytes()
    damage(bad / name)
    again = prepare_resume(run)
    (remark,) = (text for text in again.remarks if "set aside" in text)
    assert bad.name in remark and str(run / "damaged") in remark
    assert not (run / "damaged").exists()  # nothing is touched before the run goes on
    carry_out(replace(again, engines=(Steady(),)), Silent())
    assert is_finished(run) and (good / "record.json").read_bytes() == kept
    assert [len(stored.samples()) for stored in load_records(run)] == [2, 2]
    assert [path.name for path in (run / "damaged").iterdir()] == [bad.name]


def test_a_cell_that_is_damaged_twice_is_kept_twice(run):
    bad = load_records(run)[1].folder
    for _ in range(2):
        flip(bad / "record.json")
        carry_out(replace(prepare_resume(run), engines=(Steady(),)), Silent())
    assert sorted(path.name for path in (run / "damaged").iterdir()) == [bad.name, f"{bad.name}-2"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE])
def test_what_this_computer_cannot_read_is_not_called_damaged(run, number, monkeypatch):
    def refuse(path):
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(samples, "read_whole", refuse)
    with pytest.raises(RecordError, match=os.strerror(number)):
        find_damaged(run)


def test_a_run_of_a_newer_version_is_left_alone(run):
    replace_text(run / "run.json", '"format": 1', '"format": 99')
    with pytest.raises(RecordError, match="newer version"):
        prepare_resume(run)
