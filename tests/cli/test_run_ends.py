"""How `harness run` ends before its time, and how it goes on: real processes, signals and locks."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest

from harness.records.ownership import LOCK
from tests.support.paths import REPOSITORY

LONG = ("shapes-float32", "--no-accuracy", "--repetitions", "3", "--min-runs", "2", "--min-seconds", "2")
GENEROUS_S = 120.0


@pytest.fixture
def start(tmp_path):
    """Starts `harness run` in a folder of its own; what it started is killed at the end."""
    started = []

    def begin(*args, **settings):
        command = [sys.executable, "-m", "harness", "--workspace", str(REPOSITORY), "run", *map(str, args)]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        child = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=-1, stderr=-1, text=True, **settings
        )
        started.append(child)
        return child

    yield begin
    for child in started:
        child.kill()
        child.communicate()


def wait_for(condition, child):
    """Wait until something is so, or the process ended."""
    deadline = time.monotonic() + GENEROUS_S
    while not condition():
        assert child.poll() is None, child.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def begun(child, results):
    """Wait until a run has its first record, and return its folder."""
    wait_for(lambda: list(results.glob("*/cells/*/record.json")), child)
    (run,) = (path.parent for path in results.glob("*/run.json"))
    return run


def command_in(err):
    """The command that a run printed for going on, as the shell splits it."""
    (line,) = (line for line in err.splitlines() if line.startswith("  harness run --resume"))
    return line.strip()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_asks_for_an_end_gets_the_command_that_goes_on_which_works(start, tmp_path, number):
    results = tmp_path / "out of 'the' way"
    # also where `nohup` runs the tests
    usual = {"preexec_fn": lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL)}
    child = start(*LONG, "--delegate", "cpu:1", "--output", results.name, **usual)
    run = begun(child, results)
    child.send_signal(number)
    _, err = child.communicate(timeout=GENEROUS_S)
    assert child.returncode == 130 and "Traceback" not in err, err
    assert {path.name for path in run.iterdir()} == {"run.json", "cells"}
    before = sum(len(json.loads(path.read_text())["processes"]) for path in run.glob("cells/*/record.json"))
    assert before >= 1
    again = f"{sys.executable} -m {command_in(err)} --format json"
    ended = subprocess.run(
        ["sh", "-c", again],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    (row,) = json.loads(ended.stdout)
    assert row["run_id"] == run.name and row["status"] == "ok"


def test_a_second_ctrl_c_does_not_take_the_command_away(start, tmp_path):
    child = start(*LONG, "--output", "r")
    run = begun(child, tmp_path / "r")
    while child.poll() is None:
        child.send_signal(signal.SIGINT)
        time.sleep(0.01)
    _, err = child.communicate(timeout=GENEROUS_S)
    assert shlex.split(command_in(err)) == ["harness", "run", "--resume", str(run)], err
    assert "Traceback" not in err


def test_a_run_that_is_being_measured_is_refused_by_its_name_and_passed_over_as_the_latest(start, tmp_path):
    child = start(*LONG[:-1], "30", "--max-seconds", "60", "--repetitions", "20", "--output", "r")
    run = begun(child, tmp_path / "r")
    named = start("--resume", run.name, "--output", "r")
    latest = start("--resume", "--output", "r")
    for other in (named, latest):
        _, err = other.communicate(timeout=GENEROUS_S)
        assert other.returncode == 2 and f"run {run.name} is being measured by process {child.pid}" in err, (
            err
        )
    assert "nothing to resume" in err
    assert child.poll() is None


def test_two_resumes_at_once_never_share_a_run(start, tmp_path):
    child = start(*LONG, "--delegate", "cpu:1", "--output", "r")
    run = begun(child, tmp_path / "r")
    child.kill()
    child.communicate()
    assert (run / LOCK).exists()
    both = [start("--resume", "--output", "r") for _ in range(2)]
    ended = [(one.communicate(timeout=240), one.returncode) for one in both]
    assert sorted(code for _, code in ended) in ([0, 2], [0, 0]), ended
    records = [json.loads(path.read_text()) for path in run.glob("cells/*/record.json")]
    assert [len(record["processes"]) for record in records] == [3]
    assert {record["status"] for record in records} == {"ok"} and not (run / LOCK).exists()
    assert not list(run.glob(".scratch*"))


def test_a_worker_ends_with_the_run_that_was_killed(start, tmp_path):
    import psutil

    child = start(*LONG[:-1], "30", "--delegate", "cpu:1", "--output", "r")
    workers = []

    def measuring():
        workers[:] = psutil.Process(child.pid).children(recursive=True)
        return any({"harness.worker", "harness.worker.prepared"} & set(one.cmdline()) for one in workers[1:])

    wait_for(measuring, child)
    child.kill()
    child.communicate()
    _, alive = psutil.wait_procs(workers, timeout=GENEROUS_S)
    assert not alive


def test_nohup_is_respected(start, tmp_path):
    child = start(*LONG, "--output", "r", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    run = begun(child, tmp_path / "r")
    child.send_signal(signal.SIGHUP)
    n_records = len(list(run.glob("cells/*/*.npy")))
    wait_for(lambda: len(list(run.glob("cells/*/*.npy"))) > n_records, child)
