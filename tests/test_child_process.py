"""A process of our own is heard line by line, and nothing of it outlives its time."""

import os
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from harness import child_process
from harness.child_process import ask, parse_event, run
from harness.errors import JobError


@pytest.fixture
def module(tmp_path: Path, monkeypatch):
    """Makes a module that a child can run, from its source."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))

    def write(source: str) -> str:
        (tmp_path / "told.py").write_text(f"import sys\nfrom harness.child_process import emit\n{source}")
        return "told"

    return write


def test_events_are_heard_among_whatever_else_is_printed(module):
    name = module(
        "print('noise', {'event': 'no'})\nemit('step', text='one')\n"
        "sys.stdout = sys.stderr\nprint('more noise')\nemit('step', text=sys.argv[1])\nemit('done')\n"
    )
    heard = []
    answer = ask(name, "two", timeout_s=60, on_event=heard.append)
    assert [event.get("text") for event in heard] == ["one", "two", None]
    assert answer.last == {"event": "done"} and answer.events["step"]["text"] == "two"
    assert (answer.ended.exit_code, answer.ended.signal, answer.ended.stderr) == (0, None, "more noise\n")


def test_a_child_that_dies_is_told_from_one_that_ends(module):
    answer = ask(module("import os\nemit('step')\nos.abort()\n"), timeout_s=60)
    assert answer.last == {"event": "step"} and answer.ended.signal == signal.SIGABRT


def test_a_child_imports_this_package_whatever_the_working_folder_holds(module, tmp_path, monkeypatch):
    (tmp_path / "here" / "harness").mkdir(parents=True)
    (tmp_path / "here" / "harness" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    monkeypatch.chdir(tmp_path / "here")
    answer = ask(module("import harness\nemit('file', path=harness.__file__)\n"), timeout_s=60)
    if sys.version_info >= (3, 11):
        assert Path(answer.last["path"]).parent == Path(child_process.__file__).parent


def test_the_whole_group_is_killed_when_the_time_is_up(tmp_path):
    script = f"sleep 60 & echo $! > {tmp_path}/grandchild; echo started; wait"
    ended = run(["sh", "-c", script], timeout_s=2.0)
    assert ended.timed_out and ended.stdout == "started\n" and ended.signal == signal.SIGKILL
    pid = int((tmp_path / "grandchild").read_text())
    for _ in range(1000):
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the grandchild runs on")


def test_a_line_without_the_mark_is_no_event():
    assert parse_event('{"event": "step"}') is None
    assert parse_event('\x1e{"event": "step"') is None
    assert parse_event('\x1e["event"]') is None and parse_event('\x1e{"step": 1}') is None


def test_a_python_that_cannot_be_started_is_named(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(JobError, match="cannot start '/nowhere/python'"):
        ask("told", timeout_s=1)


class Reading:
    """A reader of a stream that is through after so many waits, and has a line more after each of the first."""

    def __init__(self, lines, n_waits, n_lines):
        self.lines, self.left, self.n_lines, self.n_waited = lines, n_waits, n_lines, 0

    def join(self, timeout):
        self.n_waited += 1
        self.left -= 1
        if self.n_waited <= self.n_lines:
            self.lines.append("a line")

    def is_alive(self):
        return self.left > 0


def test_a_process_that_ended_is_heard_out_however_slowly():
    lines = []
    child_process.hear_out(Reading(lines, n_waits=7, n_lines=7), lines)
    assert len(lines) == 7


def test_a_stream_that_somebody_holds_open_is_waited_for_while_something_is_said_and_not_for_ever():
    silent, talkative = Reading([], 99, 3), Reading([], 99, 99)
    for reader in (silent, talkative):
        child_process.hear_out(reader, reader.lines)
    assert silent.n_waited == 4
    assert talkative.n_waited == child_process.MOST_WAITS
