"""Progress is a bar on a terminal and a line now and then elsewhere."""

import io
from types import SimpleNamespace

import pytest

from harness.cli import progress
from harness.report.progress import where_seen
from harness.report.run_progress import Shown


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_plain_progress_is_at_most_one_line_in_an_interval(capsys):
    now = [0.0]
    shown = progress.PlainProgress(interval_s=5, clock=lambda: now[0])
    for second in range(12):
        now[0] = float(second)
        shown.update(second, 12, f"cell {second}")
    assert capsys.readouterr().err.splitlines() == ["[0/12] cell 0", "[5/12] cell 5", "[10/12] cell 10"]


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys):
    with progress.progress() as shown:
        shown.update(1, 3, "a\x1b[2J")
        shown.say("failed: [x]")
    assert capsys.readouterr().err == "[1/3] a\nfailed: [x]\n"


@pytest.mark.parametrize("no_color", [True, False])
def test_progress_on_a_terminal_is_a_bar_that_shows_text_as_it_is(monkeypatch, no_color):
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    with progress.progress() as shown:
        shown.update(1, 4, "[red]cell[/]")
        shown.say("[x] failed")
    text = terminal.getvalue()
    assert "[red]cell[/]" in text
    assert "[x] failed" in text
    assert "25%" in text
    assert ("\x1b[38;5;" in text or "\x1b[35m" in text) != no_color


def test_several_devices_have_a_bar_each_and_a_total_that_is_known_from_the_start():
    told = []
    shown = Shown(SimpleNamespace(update=lambda *what: told.append(what)), {"pixel": 6, "local": 2})
    cell = SimpleNamespace(
        device="pixel",
        delegate="gpu",
        model=SimpleNamespace(name="ssd"),
        settings=SimpleNamespace(processes=5),
    )
    shown.begin(6)
    shown.task(SimpleNamespace(kind="latency", repetition=1, cell=cell))
    assert told == [
        (0.0, 6, "pixel: ssd gpu latency 2/5", "pixel"),
        (0.0, 8, "2 devices, pixel: ssd gpu latency 2/5"),
    ]


def test_python_shows_no_progress_where_nobody_sees_it_or_none_is_wanted(monkeypatch):
    for wanted in (None, False):
        with where_seen(wanted) as shown:
            assert shown is None
    monkeypatch.setattr("sys.stderr", Terminal())
    with where_seen(None) as shown:
        shown.update(1, 4, "cell")
    with where_seen(False) as none:
        assert none is None


def test_a_device_that_went_away_is_said_to_be_waited_for(capsys):
    cell = SimpleNamespace(
        device="pixel",
        delegate="gpu",
        model=SimpleNamespace(name="ssd"),
        settings=SimpleNamespace(processes=5),
    )
    task = SimpleNamespace(kind="latency", repetition=1, cell=cell)
    shown = Shown(progress.PlainProgress(interval_s=0))
    shown.begin(5)
    shown.task(task)
    shown.waiting(task, 12.3, 60.0)
    assert capsys.readouterr().err.splitlines() == [
        "[0/5] pixel: ssd gpu latency 2/5",
        "[0/5] waiting for pixel (12 s of 60)",
    ]
