"""A run's folder is one process's, for as long as that lives."""

import os
import subprocess
import sys
import threading

import pytest

from harness.errors import OutputError, RunInUseError
from harness.records import ownership
from harness.records.ownership import LOCK, clear_dead_runs, own, why_unlocked
from harness.records.store import RunStore, new_run
from tests.support.paths import REPOSITORY

OWNER = """
import sys, pathlib
from harness.records.ownership import own
held = own(pathlib.Path(sys.argv[1]))
print("mine", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def run(make_run):
    made = make_run()
    made.cell()
    return made.folder


@pytest.fixture
def owner():
    """Starts a process that owns a folder until it is killed."""
    started = []

    def start(folder):
        child = subprocess.Popen(
            [sys.executable, "-c", OWNER, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            text=True,
        )
        assert child.stdout.readline() == "mine\n"
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.communicate()


def test_a_run_that_another_process_owns_is_refused_and_the_process_is_named(run, owner):
    child = owner(run)
    with pytest.raises(
        RunInUseError, match=rf"being measured by process {child.pid} on .*: wait for its end"
    ):
        own(run)


def test_a_killed_owner_owns_nothing(run, owner):
    child = owner(run)
    child.kill()
    child.communicate()
    mine = own(run)
    assert mine.held and not mine.remark
    mine.release()
    assert not (run / LOCK).exists() and not mine.held
    mine.release()


def test_two_owners_in_one_process_exclude_each_other(run):
    mine = own(run)
    with pytest.raises(RunInUseError):
        own(run)
    mine.release()
    own(run).release()


def test_of_many_that_want_a_run_at_once_one_at_a_time_has_it(run):
    inside, most, turns = [], [], []

    def want():
        while len(turns) < 40:
            try:
                mine = own(run)
            except RunInUseError:
                continue
            inside.append(1)
            most.append(len(inside))
            turns.append(1)
            inside.pop()
            mine.release()

    threads = [threading.Thread(target=want) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(most) == {1}


def test_what_a_dead_process_left_is_cleared_and_nothing_else(run):
    cell = run / "cells" / "000"
    kept = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    (run / ".scratch-123-abcdef01" / "a").mkdir(parents=True)
    (run / ".scratch").mkdir()
    (run / ".partial").mkdir()
    (run / "cells" / "001").mkdir()
    (run / ".run.json.123-abcdef01.tmp").write_text("half")
    (cell / ".record.json.123-abcdef01.tmp").write_text("half")
    (cell / ".mine").write_text("not ours")
    own(run).release()
    assert {path: path.read_bytes() for path in kept} == kept
    assert {path.name for path in run.iterdir()} == {"run.json", "cells", ".partial"}
    assert (cell / ".mine").exists() and not (cell / ".record.json.123-abcdef01.tmp").exists()
    assert not (run / "cells" / "001").exists()


def test_links_out_of_a_run_are_not_followed_when_it_is_cleared(run, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / ".record.json.123-abcdef01.tmp").write_text("somebody's")
    (run / "cells" / "linked").symlink_to(outside)
    (run / ".scratch-1").symlink_to(outside)
    (run / LOCK).symlink_to(outside / "lock")
    with pytest.raises(OutputError):
        own(run)
    (run / LOCK).unlink()
    own(run).release()
    assert [path.name for path in outside.iterdir()] == [".record.json.123-abcdef01.tmp"]


def test_a_run_that_never_began_goes_and_one_that_lives_stays(tmp_path, owner):
    dead, living, begun, other = (
        tmp_path / name
        for name in ("20261121-090000-0001", "20261121-090000-0002", "20261121-090000-0003", "mine")
    )
    for folder in (dead, living, begun, other):
        folder.mkdir()
    (begun / "run.json").write_text("{}")
    (begun / ".scratch-1-2").mkdir()
    (begun / LOCK).touch()
    owner(living)
    clear_dead_runs(tmp_path)
    assert {folder.name for folder in tmp_path.iterdir()} == {living.name, begun.name, "mine"}
    assert [path.name for path in begun.iterdir()] == ["run.json"]


def test_runs_that_begin_at_once_own_folders_of_their_own(tmp_path):
    owners = []

    def begin():
        for _ in range(10):
            clear_dead_runs(tmp_path)
            owners.append(new_run(tmp_path))

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one.folder for one in owners}) == 40 and all((one.folder / LOCK).exists() for one in owners)
    for one in owners:
        one.release()


def test_a_file_system_without_locks_is_named_and_nothing_is_cleared_there(run, monkeypatch):
    import errno
    import fcntl

    def refuse(handle, how):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    (run / ".scratch-1-2").mkdir()
    mine = own(run)
    assert "has no locks (No locks available); do not resume" in mine.remark
    assert (run / ".scratch-1-2").exists()
    mine.release()
    assert "has no locks" in why_unlocked(run.parent)


def test_a_place_with_locks_needs_no_remark_and_keeps_no_trace(tmp_path):
    assert why_unlocked(tmp_path) == "" and not list(tmp_path.iterdir())


def test_nothing_is_written_into_a_run_that_was_given_up(run):
    mine = own(run)
    store = RunStore(run, mine)
    mine.release()
    before = sorted(path for path in run.rglob("*"))
    with pytest.raises(OutputError, match="the run has ended"):
        store.save_samples("000", 7, b"")
    assert sorted(path for path in run.rglob("*")) == before


def test_every_process_has_a_scratch_folder_of_its_own(run):
    code = "import sys, pathlib; from harness.records.store import RunStore; print(RunStore(pathlib.Path('r')).scratch)"
    named = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert named.strip() != str(RunStore(run).scratch.name) and named.startswith(f"r/{ownership.SCRATCH}-")
