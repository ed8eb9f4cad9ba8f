"""The output of a command on a board, however it is cut."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.drivers.ssh.session import EndFinder, MarkerFinder, Session


@given(st.binary(), st.binary(), st.lists(st.integers(0, 400), max_size=8))
def test_output_begins_at_the_marker_however_it_is_cut(noise, output, cuts):
    marker = "computer:12:abc"
    data = noise + f"{marker} 77\n".encode() + output
    begin, given_on, at = MarkerFinder(marker), b"", 0
    for cut in [*sorted(cuts), len(data)]:
        given_on += begin.add(data[at:cut])
        at = max(at, cut)
    expected = data[data.index(f"{marker} ".encode()) :]
    assert begin.found and given_on == expected


@given(st.binary(max_size=300))
def test_output_without_the_marker_is_not_given_on(noise):
    begin = MarkerFinder("computer:12:abc")
    assert begin.add(noise) == b"" and not begin.found


@given(st.binary(), st.binary(), st.lists(st.integers(0, 400), max_size=8))
def test_output_ends_at_the_marker_however_it_is_cut(output, later, cuts):
    marker = "computer:12:abc"
    data = output + f"{marker}:0\n".encode() + later
    end, given_on, at = EndFinder(marker), b"", 0
    for cut in [*sorted(cuts), len(data)]:
        given_on += end.add(data[at:cut])
        at = max(at, cut)
    assert end.found and given_on == output


@given(st.lists(st.binary(max_size=40), max_size=8))
def test_of_output_without_an_end_only_what_may_be_its_beginning_is_held_back(parts):
    end = EndFinder("computer:12:abc")
    whole = b"".join(parts) + b"\n"
    assert b"".join(map(end.add, [*parts, b"\n"])) == whole and not end.found


@given(st.binary(), st.integers(0, 12), st.binary(), st.lists(st.integers(0, 400), max_size=8))
def test_who_answers_before_more_is_said_waits_for_no_few_bytes_that_may_be_the_end(output, n, later, cuts):
    sign = b"abcdef0123456789:"
    data, end = output + sign[:n] + later + sign + b"0\n", EndFinder("abcdef0123456789", least_held=8)
    given_on, at = b"", 0
    for cut in [*sorted(cuts), len(data)]:
        given_on += end.add(data[at:cut])
        at = max(at, cut)
        so_far = data[:at]
        if not end.found:
            held = so_far[len(given_on) :]
            assert so_far.startswith(given_on) and (held == b"" or (len(held) >= 8 and sign.startswith(held)))
    whole = data[: data.index(sign)]
    assert end.found and given_on.startswith(whole)
    assert len(given_on) - len(whole) < 8 and sign.startswith(given_on[len(whole) :])


SSH_THAT_LOSES = """#!/bin/sh
out=$(/bin/sh -s)
printf '%s' "$out" | {lose}
"""
"""The board's shell runs the script; its errors come whole, its output maybe not."""


@pytest.mark.parametrize("kept", [True, False], ids=["whole", "cut short"])
def test_an_output_that_is_cut_short_is_a_lost_connection_whatever_the_errors_say(
    kept, tmp_path, monkeypatch
):
    client = tmp_path / "ssh"
    client.write_text(SSH_THAT_LOSES.format(lose="cat" if kept else "head -c 60"))
    client.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with (tmp_path / "target").open("w+b") as target:
        session = Session("socket", ["printf", "%01000d", "7"], None, "MARK", target=target)
        if not kept:
            with pytest.raises(ConnectionError, match="before the exit code came"):
                session.wait(time.monotonic() + 60)
            return
        assert session.wait(time.monotonic() + 60) and session.exit_code == 0
        target.seek(0)
        assert target.read() == b"7".rjust(1000, b"0")
