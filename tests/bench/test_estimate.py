"""How long a plan takes, told before it is carried out."""

from dataclasses import replace

import pytest

from harness.bench import tryout
from harness.bench.estimate import START_S, WARM_UP_SHARE, estimate_seconds
from harness.bench.request import Request
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


def test_a_model_that_was_never_measured_is_tried_and_a_failure_leaves_a_guess(cell, tmp_path):
    engine = Counting()
    assert tryout.time_of_inferences([cell], {"local": engine}, tmp_path) == {}
    assert engine.asked == [(cell.id, 1, tryout.RUNS)]
    assert estimate_seconds(cell, None) > 0


def test_a_device_that_is_not_this_computer_is_not_tried(cell, tmp_path):
    assert tryout.time_of_inferences([cell], {}, tmp_path) == {}
