"""The frames, the marker and the script of a command, without a device."""

import struct
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.drivers.adb.shell_protocol import Frames, Marked, marked_script
from harness.drivers.shell import Lines, command_script
from harness.errors import UsageError

MARKER = "host:1:0123456789abcdef"


def cut(data, sizes):
    """Cut bytes into pieces of the sizes, over and over."""
    begin, n = 0, 0
    while begin < len(data):
        size = sizes[n % len(sizes)]
        yield data[begin : begin + size]
        begin, n = begin + size, n + 1


def frame(kind, data):
    return struct.pack("<BI", kind, len(data)) + data


@given(
    frames=st.lists(st.tuples(st.sampled_from([0, 1, 2, 5, 9]), st.binary(max_size=40)), max_size=12),
    code=st.integers(0, 255),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
)
def test_frames_are_the_same_however_they_arrive(frames, code, sizes):
    out: list[bytes] = []
    parser = Frames(out.append)
    data = b"".join(frame(kind, content) for kind, content in frames) + frame(3, bytes([code]))
    for piece in cut(data, sizes):
        assert parser.exit_code is None
        parser.add(piece)
    assert b"".join(out) == b"".join(content for kind, content in frames if kind == 1)
    assert parser.stderr() == b"".join(content for kind, content in frames if kind == 2)
    assert parser.exit_code == code


@given(data=st.binary(max_size=200), length=st.integers(0, 300))
def test_a_cut_connection_never_looks_like_success(data, length):
    parser = Frames(lambda _: None)
    whole = frame(1, data) + frame(3, b"\0")
    parser.add(whole[: min(length, len(whole) - 1)])
    assert parser.exit_code is None


@given(
    output=st.binary(max_size=120),
    errors=st.binary(max_size=60),
    code=st.integers(0, 255),
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=5),
)
def test_the_marker_is_found_however_it_arrives(output, errors, code, sizes):
    out: list[bytes] = []
    parser = Marked(out.append, MARKER)
    data = output + f"{MARKER}:{code}\n".encode() + errors + f"{MARKER}:end\n".encode()
    for piece in cut(data, sizes):
        assert parser.exit_code is None
        parser.add(piece)
    parser.finish()
    assert (b"".join(out), parser.stderr(), parser.exit_code) == (output, errors, code)


def test_a_whole_line_is_not_held_back_until_the_next_one():
    out: list[bytes] = []
    parser = Marked(out.append, MARKER)
    for text in (b"one\n", b"two\nho", b"me\n"):
        parser.add(text)
    assert out == [b"one\n", b"two\n", b"home\n"]


@given(output=st.binary(max_size=120), length=st.integers(0, 200))
def test_without_the_whole_marker_there_is_no_exit_code_and_no_output_is_lost(output, length):
    out: list[bytes] = []
    parser = Marked(out.append, MARKER)
    whole = output + f"{MARKER}:0\n{MARKER}:end\n".encode()
    parser.add(whole[: min(length, len(whole) - 1)])
    parser.finish()
    assert parser.exit_code is None
    assert b"".join(out).startswith(output[:length])


@given(
    text=st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=80),
    sizes=st.lists(st.integers(1, 20), min_size=1, max_size=5),
)
def test_lines_are_told_once_and_everything_is_kept(text, sizes):
    told: list[str] = []
    lines = Lines(MARKER, told.append)
    for piece in cut(f"{MARKER} 4711\n{text}".encode(), sizes):
        lines.add(piece)
    assert lines.end().decode() == text
    assert lines.pid == 4711
    expected = text.split("\n")
    assert told == (expected if expected[-1] else expected[:-1])


@pytest.mark.parametrize("text", ["no marker at all\nx", "", "host:1:012", f"{MARKER} x\ny", f"{MARKER}\n"])
def test_output_without_a_pid_is_kept_as_it_is(text):
    lines = Lines(MARKER, None)
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


def test_the_script_for_old_phones_keeps_stderr_apart(tmp_path):
    script = marked_script(
        ["sh", "-c", "printf out; echo err >&2; exit 7"], {"A": "b"}, MARKER, str(tmp_path)
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    out: list[bytes] = []
    parser = Marked(out.append, MARKER)
    parser.add(done.stdout)
    assert (b"".join(out).partition(b"\n")[2], parser.stderr(), parser.exit_code) == (b"out", b"err\n", 7)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("key", ["", "A B", "1A", "A;rm", "È"])
def test_a_variable_whose_name_the_shell_cannot_take_is_refused(key):
    with pytest.raises(UsageError, match="environment variable"):
        command_script(["true"], {key: "x"}, MARKER)
