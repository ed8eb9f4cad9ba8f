"""Shell completion: the scripts that click makes work with commands that are imported late, and complete names."""

import os
import shutil
import subprocess
import sys

import pytest

from harness.cli.main import COMMANDS, main

RUN = "20261121-090000-abcd"


@pytest.fixture
def workspace(tmp_path, repository):
    """A folder with models, devices and one run, as the working folder of the shell."""
    for name in ("models", "devices"):
        (tmp_path / name).symlink_to(repository / name)
    (tmp_path / "results" / RUN).mkdir(parents=True)
    (tmp_path / "results" / RUN / "run.json").write_text("{}")
    (tmp_path / "mine.tflite").write_bytes(b"")
    return tmp_path


def ask(folder, shell, **told):
    """Ask the program what a shell asks it."""
    variables = {"_HARNESS_COMPLETE": shell, **told}
    script = "from harness.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=folder,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def completions(folder, line):
    """What bash is told for a line that ends where the cursor is."""
    words = line.split(" ")
    found = ask(folder, "bash_complete", COMP_WORDS="\n".join(words), COMP_CWORD=str(len(words) - 1))
    return found.split()


@pytest.fixture
def completed(workspace, monkeypatch, capsys):
    """Do the same in this process, which saves its start."""
    monkeypatch.chdir(workspace)
    monkeypatch.setenv("_HARNESS_COMPLETE", "bash_complete")

    def ask(line):
        words = line.split(" ")
        monkeypatch.setenv("COMP_WORDS", "\n".join(words))
        monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
        with pytest.raises(SystemExit) as ended:
            main([])
        assert ended.value.code == 0
        return capsys.readouterr().out.split()

    return ask


def test_every_command_is_completed(workspace):
    assert completions(workspace, "harness ") == [f"plain,{name}" for name in COMMANDS]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("harness rep", ["plain,report"]),
        ("harness report --op", ["plain,--operators"]),
        ("harness report --format mark", ["plain,markdown"]),
        ("harness models fe", ["plain,fetch"]),
        ("harness report 2026", ["file,", f"plain,{RUN}"]),
        ("harness compare lat", ["file,", "plain,latest"]),
        ("harness report --sort map_l", ["plain,map_low"]),
        ("harness run shapes-fl", ["file,", "plain,shapes-float16", "plain,shapes-float32"]),
        ("harness run --device loc", ["plain,local"]),
        ("harness --workspace /no/such/folder report 2026", ["file,"]),
    ],
)
def test_commands_options_and_names_are_completed(completed, line, expected):
    assert completed(line) == expected


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_there_is_a_script_for_other_shells(workspace, shell):
    assert "_HARNESS_COMPLETE" in ask(workspace, f"{shell}_source")


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is absent")
def test_bash_completes_with_the_script(workspace):
    (workspace / "harness").write_text(
        f'#!/bin/sh\nexec {sys.executable} -c "from harness.cli.main import main; main()" "$@"\n'
    )
    (workspace / "harness").chmod(0o755)
    script = """eval "$(_HARNESS_COMPLETE=bash_source harness)" || exit
        COMP_WORDS=(harness report 2026) COMP_CWORD=2
        _harness_completion harness 2>/dev/null
        echo "${COMPREPLY[@]}" """
    path = f"{workspace}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-c", script], cwd=workspace, env={**os.environ, "PATH": path}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert ended.stdout.split() == [RUN]
