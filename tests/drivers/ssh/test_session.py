"""The output of a command on a board, however it is cut."""

from hypothesis import given
from hypothesis import strategies as st

from harness.drivers.ssh.session import MarkerFinder


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
