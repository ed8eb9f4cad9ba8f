"""Data goes to stdout or a file, everything else to stderr."""

import io
import json

import pytest

from harness.cli import printing
from harness.errors import OutputError, UsageError
from harness.report.content import FORMATS

ROWS = [{"name": "[red]x[/]\x1b[31m", "n": 3, "delegates": ["cpu", "gpu"], "soc": None, "hidden": 1}]
COLUMNS = ("name", "n", "delegates", "soc")


def test_emit_prints_json_with_exactly_the_columns(capsys):
    printing.emit(ROWS, COLUMNS, "json")
    assert json.loads(capsys.readouterr().out) == [{key: ROWS[0][key] for key in COLUMNS}]


def test_emit_prints_a_table_without_markup_controls_or_empty_columns(capsys):
    printing.emit(ROWS, COLUMNS, "table")
    text = capsys.readouterr().out
    assert "[red]x[/]" in text
    assert "cpu, gpu" in text
    assert "\x1b" not in text
    assert "soc" not in text


def test_emit_prints_the_header_when_there_are_no_rows(capsys):
    printing.emit([], COLUMNS, "table")
    text = capsys.readouterr().out
    assert all(column in text for column in COLUMNS)


def test_emit_writes_a_file_and_nothing_to_stdout(tmp_path, capsys):
    for format_ in FORMATS:
        printing.emit(ROWS, COLUMNS, format_, tmp_path / "new" / format_)
        assert "name" in (tmp_path / "new" / format_).read_text(encoding="utf-8")
    assert capsys.readouterr().out == ""


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OutputError, match="is a folder"):
        printing.emit(ROWS, COLUMNS, "json", tmp_path)
    with pytest.raises(UsageError, match="-o FILE"):
        printing.emit_bytes(b"", None)


def test_warnings_and_notes_go_to_stderr_as_they_are(capsys):
    printing.warn("[bold]x[/] :smile:\x1b[31m")
    printing.note("two\nlines")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == "warning: [bold]x[/] :smile:\ntwo lines\n"


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_terminal_gets_remarks_broken_between_words_and_a_pipe_gets_them_whole(monkeypatch):
    text = f"  - input.method: {'averylongword ' * 6}/a/path/that/is/longer/than/a/line/of/this/terminal"
    for kind, n_lines in ((Terminal, 5), (io.StringIO, 1)):
        stream = kind()
        monkeypatch.setattr(printing.sys, "stderr", stream)
        monkeypatch.setenv("COLUMNS", "40")
        printing.note(text)
        lines = stream.getvalue().splitlines()
        assert len(lines) == n_lines and " ".join(" ".join(lines).split()) == " ".join(text.split())
        assert all(line.startswith("    ") for line in lines[1:])


def test_a_command_to_copy_stays_on_its_line(monkeypatch):
    stream = Terminal()
    monkeypatch.setattr(printing.sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "40")
    printing.tell(f"  harness run --resume {'x' * 40}")
    assert stream.getvalue() == f"  harness run --resume {'x' * 40}\n"
