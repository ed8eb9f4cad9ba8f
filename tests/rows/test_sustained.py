"""Latency over a long run."""

from datetime import datetime, timedelta, timezone

import numpy as np
import pytest

from harness.records.records import ProcessFacts, SummaryFacts
from harness.records.samples import make_samples
from harness.rows.sustained import analyze, analyze_processes, bursts_of, find_knee


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


def burst(at_s, median_ms, **changes):
    """One process of a load: it began at a second and took ten."""
    started = datetime(2026, 11, 28, 9, tzinfo=timezone.utc) + timedelta(seconds=at_s)
    median = round(median_ms * 1e6)
    facts = {
        "index": int(at_s // 11),
        "started_at": started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "status": "ok",
        "duration_s": 10.0,
        "summary": SummaryFacts(count=9, mean_ns=median, median_ns=median, p5_ns=median // 2),
    }
    return ProcessFacts(**{**facts, **changes})


def test_a_load_of_processes_has_ends_and_a_knee_by_their_medians():
    """Minute 1 against minute 30: 11 s from one to the next, 10 ms, and twice that from minute 10 on."""
    processes = [burst(at, 10.0 if at < 600 else 10.0 + (at - 600) / 60) for at in range(0, 1800, 11)]
    found = analyze_processes(processes)
    assert (found.n_processes, found.basis) == (len(processes), "process medians")
    assert found.seconds == pytest.approx(1792 + 10, abs=6)
    assert found.window_s == 60.0
    assert found.first_ms == 10.0
    assert found.last_ms == pytest.approx(29.5, abs=0.6)
    assert found.knee_s == pytest.approx(600, abs=30)


def test_a_pause_between_processes_is_a_part_of_the_time():
    even = [burst(at, 10.0) for at in (*range(0, 60, 11), *range(600, 660, 11))]
    found = analyze_processes(even)
    assert found.seconds == 665.0
    assert found.knee_s is None


@pytest.mark.parametrize("n", [0, 1, 7])
def test_few_processes_have_no_ends(n):
    assert analyze_processes([burst(at, 10.0) for at in range(n)]) is None


def test_a_process_without_a_median_or_a_time_is_no_point():
    whole = [burst(at, 10.0) for at in range(8)]
    lacking = [burst(8, 99.0, duration_s=None), burst(9, 99.0, summary=None)]
    assert analyze_processes([*whole, *lacking]) == analyze_processes(whole)
    assert bursts_of(whole).low_ms.tolist() == [5.0] * 8
    assert bursts_of(whole).high_ms.tolist() == [10.0] * 8
