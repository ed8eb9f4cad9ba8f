"""How quiet this computer is."""

import pytest

from harness.drivers.checkup import quiet
from harness.drivers.checkup.check import State


@pytest.mark.parametrize(("busy", "state"), [(0.0, State.OK), (1.6, State.WARNING)])
def test_other_programs_are_a_warning_that_says_what_they_do_to_figures(busy, state):
    # private: what each looks at is this computer's own, and here a file or a number stands in for it
    check = quiet._load("here", busy, 2)
    assert check.state == state and check.found == f"other programs use {busy:.1f} of 2 cores"
    assert ("noisy" in check.reason) == (state == State.WARNING)


def test_a_clock_that_follows_the_load_is_a_warning(tmp_path):
    # private: what each looks at is this computer's own, and here a file or a number stands in for it
    file = tmp_path / "scaling_governor"
    assert quiet._clock("here", file).state == State.OK
    file.write_text("powersave\n")
    check = quiet._clock("here", file)
    assert (check.state, check.found) == (State.WARNING, "powersave") and "performance" in check.reason
    file.write_text("performance\n")
    # private: as above
    assert quiet._clock("here", file).state == State.OK


def test_heat_is_a_warning_and_no_sensor_is_none():
    # private: what each looks at is this computer's own, and here a file or a number stands in for it
    assert quiet._heat("here", None).state == quiet._heat("here", 50.0).state == State.OK
    assert quiet._heat("here", 91.0).state == State.WARNING
