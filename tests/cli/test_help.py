"""The help of every command: groups, defaults, examples, widths, and the options that all have."""

import importlib

import pytest
import rich_click as click

from harness.cli import main as front
from harness.cli.common import examples
from harness.cli.loudness import add_loudness
from harness.cli.options import shown
from harness.cli.printing import Loudness, set_loudness
from harness.option import GROUPS, declared
from harness.settings import Settings


def walk(name, command):
    """A command and those below it, by what is typed."""
    yield name, command
    for below, one in getattr(command, "commands", {}).items():
        yield from walk(f"{name} {below}", one)


def commands():
    for name, entry in front.COMMANDS.items():
        command = importlib.import_module(entry.module).command
        add_loudness(command)
        yield from walk(name, command)


COMMANDS = dict(commands())
OPTIONS = {
    f"{name} {one.opts[-1]}": one
    for name, command in COMMANDS.items()
    for one in command.params
    if isinstance(one, click.Option)
}


@pytest.fixture
def help_page(monkeypatch, capsys):
    """The help of a command, as lines, on a terminal so wide."""

    def show(name, width=80):
        monkeypatch.setenv("COLUMNS", str(width))
        monkeypatch.setenv("NO_COLOR", "1")
        with pytest.raises(SystemExit) as left:
            front.main([*name.split(), "--help"])
        assert left.value.code == 0
        return [line.rstrip() for line in capsys.readouterr().out.splitlines()]

    return show


@pytest.fixture(autouse=True)
def normal_loudness():
    yield
    set_loudness(Loudness.NORMAL)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_good_at_80_columns_and_has_what_all_have(name, help_page):
    """No line is longer, no example and no word is broken, and every command can be quiet and verbose."""
    lines = help_page(name)
    assert max(map(len, lines)) <= 80
    written = [line for line in COMMANDS[name].epilog.split("\n\n") if line]
    assert written == [line for line in lines[lines.index("Examples:") :] if line]
    words = " ".join(lines).split()
    for parameter in COMMANDS[name].params:
        broken = set((getattr(parameter, "help", None) or "").split()) - set(words)
        assert not {word for word in broken if "-" not in word}
    for option in ("-q, --quiet", "-v, --verbose", "-h, --help"):
        assert any(option in line for line in lines)


def test_an_option_that_takes_a_value_says_what_holds_where_none_is_given():
    for name, one in OPTIONS.items():
        goes_on = one.name == "resume"  # the option itself asks for something
        says = "[default:" in one.help or "[needed" in one.help or one.show_default or one.required
        assert one.is_flag or goes_on or says, name


def test_the_options_of_run_stand_in_groups_in_their_order(help_page):
    lines = help_page("run")
    headings = [line[:-1] for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert headings == [*GROUPS, "Examples"]
    assert {one.panel for one in COMMANDS["run"].params if isinstance(one, click.Option)} == set(GROUPS)
    assert next(line for line in reversed(lines) if line.startswith("  -")).startswith("  -h, --help")


def test_what_the_options_of_run_mean_stands_in_one_column(help_page):
    lines = [line for line in help_page("run", 100) if line.startswith("  -") and "  " in line[2:].strip()]
    assert len(lines) > 30
    assert len({len(line) - len(line[2:].lstrip().partition("  ")[2].lstrip()) for line in lines}) == 1


def test_a_wide_terminal_is_used(help_page):
    assert max(map(len, help_page("run", 160))) > 140
    assert len(help_page("run", 160)) < len(help_page("run", 100)) < len(help_page("run", 80))


def test_an_example_has_its_remark_above_it_and_a_long_one_goes_on_as_a_shell_reads_it():
    long = f"harness run {'a' * 40} --delegate cpu:1 --dataset coco"
    assert examples("harness run  all", long).split("\n\n") == [
        *("Examples:", "", "# all", "harness run"),
        *("", f"harness run {'a' * 40} --delegate cpu:1 \\", "--dataset coco"),
    ]


def test_a_default_is_shown_as_it_is_written():
    shown_by_name = {one.name: shown(one) for one in declared(Settings)}
    assert shown_by_name["min_seconds"] == "1" and shown_by_name["min_runs"] == "50"
    assert shown_by_name["limit"] == "" and shown_by_name["coco_engine"] == "harness"


@pytest.mark.parametrize("order", [["--quiet", "runs"], ["runs", "--quiet"], ["runs", "-q"]])
def test_a_quiet_command_makes_no_remarks(order, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as left:
        front.main([*order, "--results", str(tmp_path), "--format", "json"])
    assert (left.value.code, *capsys.readouterr()) == (0, "[]\n", "")


def test_the_next_command_line_is_as_loud_as_ever(tmp_path, capsys):
    for loudness, remarks in (["--quiet"], False), ([], True):
        with pytest.raises(SystemExit):
            front.main(["runs", *loudness, "--results", str(tmp_path)])
        assert bool(capsys.readouterr().err) == remarks


def test_a_verbose_command_says_where_an_error_arose(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        front.main(["report", "--verbose", str(tmp_path / "none")])
    said = capsys.readouterr().err
    assert left.value.code == 2 and "Traceback" in said and "\nerror: " in said
