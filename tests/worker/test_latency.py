"""How long a process is watched, on a clock that is simulated: nothing here depends on the machine's speed."""

from types import SimpleNamespace

import numpy as np
import pytest

from harness.worker import latency
from harness.worker.jobs import LatencyJob


@pytest.fixture
def measure(monkeypatch):
    """A function that measures a model whose inference at a given second takes so long, in ms."""

    def measured(takes_ms, **changes):
        clock = SimpleNamespace(now=0)
        rng = np.random.default_rng(0)
        monkeypatch.setattr(latency, "time", SimpleNamespace(perf_counter_ns=lambda: clock.now))

        def invoke():
            clock.now += round(1e6 * takes_ms(clock.now / 1e9) * np.exp(rng.normal(0, 0.01)))

        interpreter = SimpleNamespace(invoke=invoke, set_tensor=lambda index, value: None)
        given = {"min_runs": 10, "min_seconds": 0.2, "max_seconds": 5.0, "watch_seconds": 12.0, **changes}
        job = LatencyJob("m.tflite", "cpu", 1, None, seed=0, output="", **given)
        # private: how long it measures shows on a clock that is simulated only
        starts, durations, steady_from = latency._measure(interpreter, [(0, np.zeros(1))], job)
        return (starts[-1] + durations[-1]) / 1e9, None if steady_from is None else starts[steady_from] / 1e9

    return measured


def after(seconds, slow_ms, fast_ms=2.0):
    return lambda at: slow_ms if at < seconds else fast_ms


def test_a_process_without_a_warm_up_is_not_watched_longer_than_was_asked_for(measure):
    watched, begins = measure(lambda at: 2.0)
    assert 0.2 <= watched < 0.25 and begins < 0.05


def test_a_process_is_watched_three_times_as_long_as_it_took_to_settle(measure):
    watched, begins = measure(after(0.12, 4.0))
    assert begins == pytest.approx(0.12, abs=0.03)
    assert 3 * begins <= watched < 3 * begins + 0.15


def test_a_level_that_ends_after_the_first_look_is_seen_where_there_was_a_warm_up(measure):
    """The first look finds 0.1 s of warm-up and a level that ends before three times as long."""

    def takes(at):
        return 6.0 if at < 0.1 else 3.0 if at < 0.25 else 2.0

    watched, begins = measure(takes)
    assert begins == pytest.approx(0.25, abs=0.05)
    assert watched >= 3 * begins


def test_nobody_watches_longer_than_the_longest_time(measure):
    watched, begins = measure(after(0.7, 4.0), min_seconds=1.0, watch_seconds=1.9)
    assert begins == pytest.approx(0.7, abs=0.1)
    assert 1.85 <= watched < 2.05


def test_a_process_that_never_settles_ends_as_soon_as_before(measure):
    watched, begins = measure(lambda at: 10.0 * (1 + at))
    assert begins is None and 4.9 <= watched < 5.3
