"""Scripts and lines of a device's shell, without a device."""

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.drivers.shell import OutputLines, command_script
from harness.errors import UsageError
from tests.support.pieces import cut

MARKER = "host:1:0123456789abcdef"


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=80),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=5),
)
def test_lines_are_told_once_and_everything_is_kept(text, sizes):
    told: list[str] = []
    lines = OutputLines(MARKER, told.append)
    for piece in cut(f"{MARKER} 4711\n{text}".encode(), sizes):
        lines.add(piece)
    assert lines.end().decode() == text
    assert lines.pid == 4711
    expected = text.split("\n")
    assert told == (expected if expected[-1] else expected[:-1])


@pytest.mark.parametrize("text", ["no marker at all\nx", "", "host:1:012", f"{MARKER} x\ny", f"{MARKER}\n"])
def test_output_without_a_pid_is_kept_as_it_is(text):
    lines = OutputLines(MARKER, None)
    lines.add(text.encode())
    assert lines.end().decode() == text
    assert lines.pid is None


@given(
    arguments=st.lists(
        st.text(
            st.characters(codec="utf-8", exclude_characters="\0", exclude_categories=["Cs"]), max_size=20
        ),
        max_size=5,
    )
)
def test_no_argument_is_interpreted_by_the_shell(arguments):
    script = command_script(["printf", "<%s>", *arguments], None, MARKER)
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    first, _, rest = done.stdout.partition(b"\n")
    assert first.startswith(f"{MARKER} ".encode())
    assert rest.decode() == ("".join(f"<{argument}>" for argument in arguments) or "<>")


def test_the_shell_is_replaced_by_the_command_so_that_its_pid_is_the_command_s():
    script = command_script(["sh", "-c", "echo $$"], None, MARKER)
    marker, pid = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True
    ).stdout.split("\n")[:2]
    assert marker == f"{MARKER} {pid}"


@pytest.mark.parametrize("key", ["", "A B", "1A", "A;rm", "È"])
def test_a_variable_whose_name_the_shell_cannot_take_is_refused(key):
    with pytest.raises(UsageError, match="environment variable"):
        command_script(["true"], {key: "x"}, MARKER)
