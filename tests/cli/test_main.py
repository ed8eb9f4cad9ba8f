"""The front door: what is listed, what is imported, and what the exit status says."""

import importlib
import os
import subprocess
import sys

import pytest
import rich_click as click

from harness.cli import main as front
from harness.errors import DeviceError, FetchError, UnknownNameError, UsageError

HEAVY = (
    "numpy",
    "pandas",
    "pyarrow",
    "msgspec",
    "ai_edge_litert",
    "tflite_runtime",
    "tensorflow",
    "PIL",
    "pycocotools",
)


def harness(*args, **settings):
    command = [sys.executable, "-m", "harness", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **settings)


def leave(args):
    with pytest.raises(SystemExit) as left:
        front.main(args)
    return left.value.code


@pytest.fixture
def failing(monkeypatch):
    """Adds a command `boom` that raises what it is told."""

    def add(error):
        def callback():
            raise error

        monkeypatch.setitem(front.cli.commands, "boom", click.RichCommand("boom", callback=callback))

    return add


def test_help_and_version_import_nothing_heavy():
    code = (
        "import sys\n"
        "from harness.cli.main import main\n"
        "try:\n    main([sys.argv[1]])\n"
        "except SystemExit as left:\n    assert left.code == 0\n"
        "print('\\nIMPORTED', *sys.modules)"
    )
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", code, option], capture_output=True, text=True, timeout=60, check=False
        )
        imported = done.stdout.rpartition("IMPORTED")[2].split()
        assert "harness.cli.main" in imported, done.stderr
        assert not {name for name in imported if name.partition(".")[0] in HEAVY}
        assert not {name for name in imported if name in {entry.module for entry in front.COMMANDS.values()}}


def test_help_lists_every_command_with_its_line_of_the_table():
    text = " ".join(harness("-h").stdout.replace("│", " ").split())
    for name, entry in front.COMMANDS.items():
        assert f"{name} {entry.help}" in text


@pytest.mark.parametrize("name", front.COMMANDS)
def test_every_listed_command_has_help_with_examples(name, capsys):
    command = importlib.import_module(front.COMMANDS[name].module).command
    assert leave([name, "-h"]) == 0
    text = capsys.readouterr().out
    assert command.name == name
    assert "Examples:" in text
    assert f"harness {name}" in text
    assert "\u00a0" not in text, "an example that is copied must be typed in plain blanks"


def test_version_names_the_program_and_its_version(capsys):
    assert leave(["--version"]) == 0
    assert capsys.readouterr().out == "harness 0.1.0\n"


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (UsageError("no such thing: give another"), 2, "error: no such thing: give another\n"),
        (UnknownNameError("device", "pixle", ["pixel"]), 2, "Did you mean pixel?"),
        (FetchError("https://x: hash differs"), 1, "error: https://x: hash differs\n"),
        (
            DeviceError("pixel", "push failed", exit_code=1, stderr="no space"),
            1,
            "error: pixel: push failed: no space",
        ),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (click.BadParameter("7 is too much"), 2, "7 is too much"),
    ],
)
def test_an_error_raised_on_purpose_is_one_line_and_a_status(failing, capsys, error, status, said):
    failing(error)
    assert leave(["boom"]) == status
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    "error", [RuntimeError("oops"), EOFError("oops"), OSError("oops"), BrokenPipeError("oops")]
)
def test_a_fault_shows_its_traceback_and_asks_to_be_reported(failing, capsys, error):
    failing(error)
    assert leave(["boom"]) == 1
    said = capsys.readouterr().err
    assert "Traceback" in said
    assert "oops" in said
    assert "report" in said


def test_a_message_cannot_steer_the_terminal(failing, capsys):
    failing(UsageError("device \x1b[2J\x1b]0;owned\x07 said \x9b31m\x08no"))
    assert leave(["boom"]) == 2
    said = capsys.readouterr().err
    assert not [c for c in said if (ord(c) < 32 and c != "\n") or 127 <= ord(c) < 160]


def test_a_command_ends_with_the_status_that_it_asks_for(monkeypatch):
    @click.command("gate")
    @click.pass_context
    def gate(ctx):
        ctx.exit(3)

    monkeypatch.setitem(front.cli.commands, "gate", gate)
    assert leave(["gate"]) == 3


def test_the_workspace_option_reaches_the_command(monkeypatch):
    seen = []

    @click.command("look")
    @click.pass_context
    def look(ctx):
        seen.append(ctx.obj)

    monkeypatch.setitem(front.cli.commands, "look", look)
    assert leave(["--workspace", "there", "look"]) == 0
    assert leave(["look"]) == 0
    assert seen == ["there", None]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["reprot"], "unknown command 'reprot'. Did you mean report?"),
        (["zzzzz"], "Commands: run, report"),
        (["--wrokspace", "x", "report"], "No such option"),
    ],
)
def test_wrong_use_names_what_is_near_and_where_help_is(capsys, args, said):
    assert leave(args) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Try 'harness --help'." in captured.err


def test_a_closed_pipe_ends_the_command_quietly():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "harness", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (front.PIPE_CLOSED, b"")


def test_a_terminal_without_unicode_gets_escapes_instead_of_a_failure():
    done = harness("--help", env={**os.environ, "PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert "report" in done.stdout
