"""What the runtime tells of itself stays off the terminal, and nothing else does."""

import os

import pytest

from harness.runtime import without_chatter


def test_lines_of_information_are_left_out_and_all_others_written(capfd):
    with without_chatter():
        os.write(2, b"INFO: Created a delegate.\nWARNING: it is slow\nERROR: no operator\n")
        os.write(2, b"VERBOSE: Replacing 3 nodes\nno newline")
    os.write(2, b", and on")
    assert capfd.readouterr().err == "WARNING: it is slow\nERROR: no operator\nno newline, and on"


def test_what_is_said_before_a_fault_is_written(capfd):
    def fail():
        os.write(2, b"ERROR: unresolved operator\n")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), without_chatter():
        fail()
    assert capfd.readouterr().err == "ERROR: unresolved operator\n"
