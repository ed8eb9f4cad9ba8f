"""The frames, the marker and the script of a command, without a device."""

import struct
import subprocess

from hypothesis import given
from hypothesis import strategies as st

from harness.drivers.adb.shell_protocol import FrameParser, MarkerParser, marked_script
from tests.support.pieces import cut

MARKER = "host:1:0123456789abcdef"


def frame(kind, data):
    return struct.pack("<BI", kind, len(data)) + data


@given(
    frames=st.lists(st.tuples(st.sampled_from([0, 1, 2, 5, 9]), st.binary(max_size=40)), max_size=12),
    code=st.integers(0, 255),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
)
def test_frames_are_the_same_however_they_arrive(frames, code, sizes):
    out: list[bytes] = []
    parser = FrameParser(out.append)
    data = b"".join(frame(kind, content) for kind, content in frames) + frame(3, bytes([code]))
    for piece in cut(data, sizes):
        assert parser.exit_code is None
        parser.add(piece)
    assert b"".join(out) == b"".join(content for kind, content in frames if kind == 1)
    assert parser.stderr() == b"".join(content for kind, content in frames if kind == 2)
    assert parser.exit_code == code


@given(data=st.binary(max_size=200), length=st.integers(0, 300))
def test_a_cut_connection_never_looks_like_success(data, length):
    parser = FrameParser(lambda _: None)
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
    parser = MarkerParser(out.append, MARKER)
    data = output + f"{MARKER}:{code}\n".encode() + errors + f"{MARKER}:end\n".encode()
    for piece in cut(data, sizes):
        assert parser.exit_code is None
        parser.add(piece)
    parser.finish()
    assert (b"".join(out), parser.stderr(), parser.exit_code) == (output, errors, code)


def test_a_whole_line_is_not_held_back_until_the_next_one():
    out: list[bytes] = []
    parser = MarkerParser(out.append, MARKER)
    for text in (b"one\n", b"two\nho", b"me\n"):
        parser.add(text)
    assert out == [b"one\n", b"two\n", b"home\n"]


@given(output=st.binary(max_size=120), length=st.integers(0, 200))
def test_without_the_whole_marker_there_is_no_exit_code_and_no_output_is_lost(output, length):
    out: list[bytes] = []
    parser = MarkerParser(out.append, MARKER)
    whole = output + f"{MARKER}:0\n{MARKER}:end\n".encode()
    parser.add(whole[: min(length, len(whole) - 1)])
    parser.finish()
    assert parser.exit_code is None
    assert b"".join(out).startswith(output[:length])


def test_the_script_for_old_phones_keeps_stderr_apart(tmp_path):
    script = marked_script(
        ["sh", "-c", "printf out; echo err >&2; exit 7"], {"A": "b"}, MARKER, str(tmp_path)
    )
    done = subprocess.run(["sh", "-c", script], capture_output=True, check=True)
    out: list[bytes] = []
    parser = MarkerParser(out.append, MARKER)
    parser.add(done.stdout)
    assert (b"".join(out).partition(b"\n")[2], parser.stderr(), parser.exit_code) == (b"out", b"err\n", 7)
    assert not list(tmp_path.iterdir())
