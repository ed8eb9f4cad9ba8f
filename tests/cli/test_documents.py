"""Every row of the appendix of results/README.md names a command that there is, with options that it has."""

import importlib
import re
import shlex

import pytest

from harness.cli.main import COMMANDS
from tests.support.paths import REPOSITORY

TEXT = (REPOSITORY / "results" / "README.md").read_text(encoding="utf-8")
ROWS = re.findall(
    r"^\| (.+?) \| (.+) \| `(harness .+)` \|$", TEXT.partition("<!-- documents -->")[2], re.MULTILINE
)


def test_the_appendix_has_rows_of_every_document():
    documents = {document for document, _, _ in ROWS}
    assert len(ROWS) >= 33 and len(documents) == 5


@pytest.mark.parametrize("line", [line for _, _, line in ROWS])
def test_a_command_of_the_appendix_is_one_with_the_options_that_it_has(line):
    _, name, *words = shlex.split(line)
    command = importlib.import_module(COMMANDS[name].module).command
    if words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    known = {name for option in command.params for name in (*option.opts, *option.secondary_opts)}
    assert {word for word in words if re.match("--?[a-z]", word)} <= known
