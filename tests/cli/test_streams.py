"""Streams that are closed, full, or read by nobody: data that is lost is an error, a remark that is lost is none."""

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from harness.cli import main as front
from harness.cli import streams
from tests.support.paths import REPOSITORY

FULL = Path("/dev/full")
LINES = {
    "--help": 0,
    "--version": 0,
    "run --help": 0,
    "models list": 0,
    "models list --format json": 0,
    "models show shapes-float16": 0,
    "inspect shapes-float16": 0,
    "inspect shapes-float16 shapes-float32 --format csv": 0,
    "run shapes-float16 --dry-run": 0,
    "no-such-command": 2,
    "report no-such-run": 2,
    "inspect no-such-model.tflite": 2,
}


def leave(line):
    with pytest.raises(SystemExit) as left:
        front.main(["--workspace", str(REPOSITORY), *line.split()] if line[0] != "-" else line.split())
    return left.value.code


@pytest.fixture
def full():
    """A text stream on a disk without room."""
    if not FULL.exists():
        pytest.skip("this system has no device that is always full")
    with FULL.open("w", encoding="utf-8") as stream:
        yield stream
        streams.discard(stream)


@pytest.fixture
def unread():
    """A text stream on a pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stream:
        yield stream
        streams.discard(stream)


@pytest.mark.parametrize(("line", "status"), LINES.items())
def test_data_that_cannot_be_written_is_an_error_without_a_traceback(line, status, full, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    told = sys.stderr
    monkeypatch.setattr(sys, "stdout", full)
    assert leave(line) == 2
    assert "Traceback" not in told.getvalue()
    if status == 0:
        assert "the standard output cannot be written (No space left on device)" in told.getvalue()


@pytest.mark.parametrize(("line", "status"), LINES.items())
@pytest.mark.parametrize("kind", ["full", "unread", "closed", "absent"])
def test_remarks_that_cannot_be_written_change_nothing(line, status, kind, request, monkeypatch):
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    printed = sys.stdout
    lost = io.StringIO()
    lost.close()
    streams_of = {"closed": lambda: lost, "absent": lambda: None}
    stream = streams_of.get(kind, lambda: request.getfixturevalue(kind))()
    monkeypatch.setattr(sys, "stderr", stream)
    assert leave(line) == status
    assert bool(printed.getvalue()) == (status == 0)


@pytest.mark.parametrize(("line", "status"), LINES.items())
def test_a_reader_that_has_gone_ends_a_command_quietly(line, status, unread, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    told = sys.stderr
    monkeypatch.setattr(sys, "stdout", unread)
    assert leave(line) == front.PIPE_CLOSED
    assert "Traceback" not in told.getvalue()


def shell(line, redirection):
    command = f"{sys.executable} -m harness {line} {redirection}"
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False, cwd=REPOSITORY)


@pytest.mark.parametrize("redirection", [">&-", "2>&-", "<&- >&- 2>&-", f">{FULL} 2>{FULL}"])
def test_a_process_whose_streams_are_closed_or_full_ends_as_it_should(redirection):
    done = shell("models list", redirection)
    assert done.returncode == (2 if str(FULL) in redirection else 0)
    assert "Traceback" not in done.stderr


def test_no_file_takes_the_place_of_a_stream_that_is_closed(tmp_path):
    done = shell(f"models list --format json > {tmp_path}/out.json", "2>&- <&-")
    assert done.returncode == 0
    assert (tmp_path / "out.json").read_text(encoding="utf-8").rstrip().endswith("]")


def test_a_run_is_measured_and_kept_although_nobody_listens(tmp_path):
    line = "run shapes-float16 --delegate cpu:1 --no-accuracy --min-runs 3 --min-seconds 0 --repetitions 1"
    done = shell(f"{line} --output {tmp_path}", "<&- >&- 2>&-")
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("*/cells/*/record.json"))) == 1


def test_an_output_on_a_pipe_is_read_whole_by_whoever_reads_it(tmp_path):
    fifo = tmp_path / "rows.json"
    os.mkfifo(fifo)
    read = []
    reader = threading.Thread(target=lambda: read.append(fifo.read_text(encoding="utf-8")))
    reader.start()
    done = shell("inspect shapes-float16 --format json", f"> {fifo}")
    reader.join(timeout=60)
    assert done.returncode == 0 and read[0].startswith("[")
