"""The front page of help that is kept in the package is what rich-click draws, on a pipe and on terminals.

A change that is meant is written with

    HARNESS_WRITE_GOLDEN=1 pytest tests/golden
"""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from harness.cli import start
from tests.support.paths import REPOSITORY

FULL = Path("/dev/full")
WRITE = os.environ.get("HARNESS_WRITE_GOLDEN") == "1"
DRAWN = [sys.executable, "-c", "from harness.cli.main import main; main()", "--help"]
NO_RICH = "import sys; sys.modules['rich_click'] = None; from harness.cli.start import main; main()"
KEPT = [sys.executable, "-c", NO_RICH, "--help"]
"""Fails where it does not find the page: rich-click cannot be imported."""
NEITHER = {*start.DRAW_OTHERWISE, "NO_COLOR", "TTY_INTERACTIVE", "COLORTERM"}


def environment(**more):
    known = {name: value for name, value in os.environ.items() if name not in NEITHER}
    return {**known, "TERM": "xterm-256color", "PYTHONPATH": str(REPOSITORY), **more}


def on_a_pipe(command, **variables):
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(**variables),
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.decode()


def on_a_terminal(command, columns, **variables):
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(**variables)
    ) as child:
        os.close(theirs)
        page = b"".join(iter(lambda: _read(ours), b""))
    os.close(ours)
    assert child.returncode == 0, page
    return page.decode().replace("\r\n", "\n")


def _read(terminal):
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: nobody is left at the other end
        return b""


def unpadded(page):
    """Without blanks, dim or not, behind the last word of a line: versions of rich-click differ there."""
    return [re.sub(r"(\x1b\[[02]?m|\s)+$", "", line) for line in page.splitlines()]


@pytest.mark.parametrize(("columns", "width"), [(start.WIDTH, start.WIDTH), (203, start.WIDEST)])
def test_a_terminal_gets_the_kept_page_and_it_is_what_rich_click_draws(columns, width):
    drawn = on_a_terminal(DRAWN, columns)
    assert "\x1b[" in drawn
    if WRITE:
        (REPOSITORY / "harness" / "cli" / f"help-{width}.txt").write_text(drawn, encoding="ascii")
    assert unpadded(on_a_terminal(KEPT, columns)) == unpadded(drawn)


def test_a_pipe_gets_the_kept_page_without_colours():
    page = on_a_pipe(KEPT)
    assert "\x1b" not in page and "Commands:" in page
    assert unpadded(page) == unpadded(on_a_pipe(DRAWN))


@pytest.mark.parametrize(
    "variables", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, *({name: "81"} for name in start.DRAW_OTHERWISE)]
)
def test_where_a_page_may_look_otherwise_it_is_drawn(variables, monkeypatch):
    for name in NEITHER:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "isatty", lambda number: True)
    monkeypatch.setattr(start, "width_here", lambda: 80)
    monkeypatch.setenv("TERM", "xterm")
    assert start.page_here()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert start.page_here() is None


@pytest.mark.parametrize("width", [40, 79, 81, 159])
def test_no_page_is_kept_of_other_widths(width, monkeypatch):
    monkeypatch.setattr(start, "width_here", lambda: width)
    assert start.page_here() is None


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
def test_a_full_disk_is_told_by_the_command_line():
    with FULL.open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "harness", "--help"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=60,
            check=False,
        )
    assert (done.returncode, b"No space left on device" in done.stderr) == (2, True)
