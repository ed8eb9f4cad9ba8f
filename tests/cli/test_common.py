"""What all commands share."""

import io
import json

import pytest

from harness.cli import common
from harness.errors import OutputError, UsageError

ROWS = [{"name": "[red]x[/]\x1b[31m", "n": 3, "delegates": ["cpu", "gpu"], "soc": None, "hidden": 1}]
COLUMNS = ("name", "n", "delegates", "soc")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_emit_prints_json_with_exactly_the_columns(capsys):
    common.emit(ROWS, COLUMNS, "json")
    assert json.loads(capsys.readouterr().out) == [{key: ROWS[0][key] for key in COLUMNS}]


def test_emit_prints_a_table_without_markup_controls_or_empty_columns(capsys):
    common.emit(ROWS, COLUMNS, "table")
    text = capsys.readouterr().out
    assert "[red]x[/]" in text
    assert "cpu, gpu" in text
    assert "\x1b" not in text
    assert "soc" not in text


def test_emit_prints_the_header_when_there_are_no_rows(capsys):
    common.emit([], COLUMNS, "table")
    text = capsys.readouterr().out
    assert all(column in text for column in COLUMNS)


def test_emit_writes_a_file_and_nothing_to_stdout(tmp_path, capsys):
    for format_ in common.FORMATS:
        common.emit(ROWS, COLUMNS, format_, tmp_path / "new" / format_)
        assert "name" in (tmp_path / "new" / format_).read_text(encoding="utf-8")
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        common.emit(ROWS, COLUMNS, "json", tmp_path)
    with pytest.raises(UsageError, match="-o FILE"):
        common.emit_bytes(b"", None)


def test_warnings_and_notes_go_to_stderr_as_they_are(capsys):
    common.warn("[bold]x[/] :smile:\x1b[31m")
    common.note("two\nlines")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "warning: [bold]x[/] :smile:\ntwo lines\n"


def test_plain_progress_is_at_most_one_line_in_an_interval(capsys):
    now = [0.0]
    shown = common.PlainProgress(interval_s=5, clock=lambda: now[0])
    for second in range(12):
        now[0] = float(second)
        shown.update(second, 12, f"cell {second}")
    assert capsys.readouterr().err.splitlines() == ["[0/12] cell 0", "[5/12] cell 5", "[10/12] cell 10"]


def test_progress_is_plain_lines_where_there_is_no_terminal(capsys):
    with common.progress() as shown:
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
    with common.progress() as shown:
        shown.update(1, 4, "[red]cell[/]")
        shown.say("[x] failed")
    text = terminal.getvalue()
    assert "[red]cell[/]" in text
    assert "[x] failed" in text
    assert "25%" in text
    assert ("\x1b[38;5;" in text or "\x1b[35m" in text) != no_color
