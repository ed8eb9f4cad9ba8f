"""What people did by hand with TFLite detectors: the appendix of results/README.md, row by row.

Each command is held against the command line here, and each test against the tests that there are; those run it with
real parts (TensorFlow's in an environment of their own).
"""

import importlib
import re
import shlex
from collections import Counter

import pytest
import rich_click as click

from harness.cli.main import COMMANDS
from tests.support.paths import REPOSITORY

TEXT = (REPOSITORY / "results" / "README.md").read_text(encoding="utf-8")
LINES = [
    line
    for line in TEXT.partition("<!-- documents -->")[2].partition("<!-- /documents -->")[0].splitlines()[3:]
    if line
]
ROWS = re.findall(
    r"^\| (.+?) \| (.+) \| `harness (.+)` \| `(\S+\.py)::(\w+)` \|$", "\n".join(LINES), re.MULTILINE
)
"""Document, what was done by hand, the command without `harness`, and the test: its file and name."""
COMMAND_LINES = sorted({command for _, _, command, _, _ in ROWS})


def test_every_line_of_the_appendix_is_a_row_and_every_document_has_some():
    assert len(ROWS) == len(LINES) >= 65
    assert len({document for document, *_ in ROWS}) == 5
    assert max(Counter(row[:2] for row in ROWS).values()) == 1


@pytest.mark.parametrize("line", COMMAND_LINES)
def test_a_command_of_the_appendix_is_one_with_the_options_that_it_has(line):
    name, *words = shlex.split(line)
    command = importlib.import_module(COMMANDS[name].module).command
    while isinstance(command, click.Group) and words and words[0] in command.commands:
        command = command.commands[words.pop(0)]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    assert {word for word in words if re.match("--?[a-z]", word)} <= known


@pytest.mark.parametrize(("file", "name"), sorted({row[3:] for row in ROWS}))
def test_the_test_that_runs_a_row_is_there(file, name):
    assert f"def {name}(" in (REPOSITORY / "tests" / file).read_text(encoding="utf-8")


def test_the_cards_and_plans_that_rows_name_are_there():
    for word in shlex.split(" ".join(COMMAND_LINES)):
        if word.startswith("results/"):
            assert (REPOSITORY / word).is_file()
        elif re.match(r"(mobiledet|ssd-mobilenet|ssdlite-mobilenet)-", word):
            assert (REPOSITORY / "models" / f"{word}.toml").is_file()
