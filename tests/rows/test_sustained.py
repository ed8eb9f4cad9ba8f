"""Latency over a long run."""

import numpy as np
import pytest

from harness.records.samples import make_samples
from harness.rows.sustained import analyze, find_knee


def trace(levels_ms):
    durations = (np.asarray(levels_ms) * 1e6).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(durations)[:-1]])
    return make_samples(starts, durations, 0)


def test_a_run_that_throttles_shows_both_ends_and_the_knee():
    """200 ms for 300 s, then rising by 1 ms a second to 400 ms, as the Tensor G3 of the field did."""
    levels, now = [], 0.0
    while now < 600:
        level = 200.0 if now < 300 else min(400.0, 200.0 + (now - 300))
        levels.append(level)
        now += level / 1e3
    found = analyze(trace(levels))
    assert found.first_ms == pytest.approx(200, abs=1)
    assert found.last_ms == pytest.approx(400, abs=1)
    assert found.change_percent == pytest.approx(100, abs=1)
    assert found.knee_s is not None and 270 < found.knee_s < 420
    assert found.window_s == 60


def test_an_even_run_has_no_knee():
    chance = np.random.default_rng(3)
    found = analyze(trace(10 * (1 + 0.02 * chance.standard_normal(20_000))))
    assert found.knee_s is None and abs(found.change_percent) < 1


def test_a_short_run_compares_its_quarters():
    found = analyze(trace([100.0] * 20 + [200.0] * 20))
    assert found.window_s == pytest.approx(1.5, abs=0.1)
    assert (found.first_ms, found.last_ms) == (100.0, 200.0)


def test_a_handful_of_inferences_has_no_course():
    assert analyze(trace([1.0] * 7)) is None


@pytest.mark.parametrize("joint", [20.0, 50.0, 80.0])
def test_the_joint_of_two_exact_lines_is_found(joint):
    times = np.arange(0.0, 100.0)
    assert find_knee(times, 5 + np.maximum(times - joint, 0)) == pytest.approx(joint, abs=1)


def test_one_exact_line_has_no_knee():
    times = np.arange(0.0, 100.0)
    assert find_knee(times, 3 + 0.5 * times) is None
