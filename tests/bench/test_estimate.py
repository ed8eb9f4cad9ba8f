"""How long a plan takes, told before it is carried out."""

from dataclasses import replace

import numpy as np
import pytest

from harness.bench import kept_tries, tryout
from harness.bench.engines.base import TimedProcess
from harness.bench.estimate import START_S, WARM_UP_SHARE, estimate_seconds
from harness.bench.request import Request
from harness.delegates import parse_delegate
from harness.session import let_go, prepare
from harness.settings import Settings


@pytest.fixture
def cell(repository, tmp_path):
    request = Request(
        models=("shapes-float32",), delegates=("cpu:1",), workspace=str(repository), output=str(tmp_path)
    )
    run = prepare(request)
    let_go(run)
    (one,) = run.plan.cells
    return one


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


def test_a_slow_model_takes_no_longer_than_a_process_is_given(cell):
    only = replace(cell, dataset=None, settings=Settings(repetitions=5, min_runs=50))
    assert estimate_seconds(only, 0.1) == pytest.approx(5 * (START_S + WARM_UP_SHARE))
    assert estimate_seconds(only, 10.0) == pytest.approx(5 * (START_S + 5.0))


def test_each_image_costs_an_inference_shared_by_the_cores(cell):
    scored = replace(cell, settings=Settings(latency=False, cores=2))
    assert estimate_seconds(scored, 1.1) - estimate_seconds(scored, 0.1) == pytest.approx(220 / 2)


class Counting:
    """An engine that counts what it is asked, and cannot do it."""

    def __init__(self):
        self.asked = []

    def time(self, cell, repetition, scratch):
        self.asked.append((cell.id, cell.settings.repetitions, cell.settings.min_runs))
        raise OSError("not here")


def test_a_model_that_was_never_measured_is_tried_and_a_failure_leaves_a_guess(cell, tmp_path, own_cache):
    engine = Counting()
    assert tryout.time_of_inferences([cell], {"local": lambda: engine}, tmp_path) == {}
    assert engine.asked == [(cell.id, 1, tryout.RUNS)]
    assert estimate_seconds(cell, None) > 0


def test_a_device_that_is_not_this_computer_is_not_tried(cell, tmp_path):
    assert tryout.time_of_inferences([cell], {}, tmp_path) == {}


class Timing(Counting):
    """An engine whose inferences take 2 ms."""

    def time(self, cell, repetition, scratch):
        self.asked.append(cell.id)
        return TimedProcess(facts=None, samples=np.array([(2_000_000,)], [("duration_ns", "i8")]))


def test_what_a_try_took_is_known_when_the_plan_is_looked_at_again(cell, tmp_path, own_cache):
    engine = Timing()
    for _ in range(2):
        assert tryout.time_of_inferences([cell], {"local": lambda: engine}, tmp_path) == {cell.id: 0.002}
    assert len(engine.asked) == 1


def test_another_file_and_another_runtime_are_tried_anew(cell, tmp_path, own_cache, monkeypatch):
    engine = Timing()
    other = replace(cell, facts=replace(cell.facts, sha256="0" * 64))
    for one in (cell, other):
        tryout.time_of_inferences([one], {"local": lambda: engine}, tmp_path)
    assert len(engine.asked) == 2
    monkeypatch.setattr(kept_tries, "libraries", lambda: (("libLiteRt.so", 1, 2),))
    tryout.time_of_inferences([cell], {"local": lambda: engine}, tmp_path)
    assert len(engine.asked) == 3


def test_a_delegate_with_a_library_of_its_own_is_tried_each_time(cell, tmp_path, own_cache):
    engine, npu = Timing(), replace(cell, delegate=parse_delegate("npu"))
    for _ in range(2):
        tryout.time_of_inferences([npu], {"local": lambda: engine}, tmp_path)
    assert len(engine.asked) == 2


def test_a_damaged_or_unwritable_cache_costs_a_try_and_no_more(cell, tmp_path, own_cache):
    engine = Timing()
    (tmp_path / "cache").write_text("no folder")
    tryout.time_of_inferences([cell], {"local": lambda: engine}, tmp_path)
    (tmp_path / "cache").unlink()
    tryout.time_of_inferences([cell], {"local": lambda: engine}, tmp_path)
    (kept,) = (tmp_path / "cache/tries").iterdir()
    kept.write_text('{"seconds": "soon"}')
    tryout.time_of_inferences([cell], {"local": lambda: engine}, tmp_path)
    assert len(engine.asked) == 3
