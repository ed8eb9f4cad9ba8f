"""What is no longer attempted, or computed again: where something else ran, and where the same was found before."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from harness.accuracy.dataset_accuracy import evaluate_on
from harness.bench import perform
from harness.bench.engines.base import DatasetInference
from harness.bench.observer import Silent
from harness.bench.perform import Performer
from harness.bench.request import Request
from harness.delegates import parse_delegate
from harness.records import records
from harness.records.records import DelegateFacts
from harness.session import carry_out, prepare
from harness.settings import Settings
from tests.support.steady_engine import Steady


class AttemptedError(Exception):
    """The engine was asked."""


class Engine:
    """An engine that must not be asked."""

    def operators(self, cell, scratch, on_progress=None):
        raise AttemptedError

    infer = operators


@pytest.fixture
def attempt(make_run, ok_process):
    """Perform a task on a cell whose processes ended with these statuses."""
    run = make_run()
    run.cell()
    stored = records.load(run.cells[0] / "record.json", records.Record)
    dataset = SimpleNamespace(name="d", annotations_sha256="0", annotations=Path("d.json"), images=())
    store = SimpleNamespace(make_scratch=lambda name: name)
    fell_back = DelegateFacts(requested="gpu", actual="xnnpack", delegated_nodes=0, total_nodes=4)

    def perform(kind, *statuses, delegate="gpu"):
        processes = tuple(ok_process(at, status=s, delegate=fell_back) for at, s in enumerate(statuses))
        record = msgspec.structs.replace(stored, processes=processes, delegate=fell_back)
        cell = SimpleNamespace(id="0", delegate=parse_delegate(delegate), dataset=dataset)
        return Performer(Engine(), store, None).perform(SimpleNamespace(kind=kind, cell=cell), record)

    return perform


@pytest.mark.parametrize("kind", ["operators", "accuracy"])
def test_a_cell_that_fell_back_in_every_process_gets_no_profile_and_no_accuracy(kind, attempt):
    part = getattr(attempt(kind, "fallback", "fallback"), kind)
    assert part.status == "fallback"
    assert part.reasons == ("gpu ran in no process of this cell (what ran: xnnpack)",)


@pytest.mark.parametrize("kind", ["operators", "accuracy"])
@pytest.mark.parametrize("statuses", [(), ("fallback", "ok"), ("partial",)], ids=str)
def test_every_other_cell_is_still_tried(kind, statuses, attempt):
    with pytest.raises(AttemptedError):
        attempt(kind, *statuses)


def test_a_cell_on_the_cpu_that_ran_on_other_kernels_is_no_exception(attempt):
    """Its accuracy would stand in no row either."""
    assert attempt("accuracy", "fallback", delegate="cpu-reference").accuracy.status == "fallback"


class Alike(Steady):
    """An engine that finds the same on one thread and on two, and something else in the model's second version."""

    def infer(self, cell, scratch, on_progress):
        score = 0.5 if "float32" in cell.model.name else 0.6
        (scratch / "detections.json").write_text(
            f'[{{"image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "score": {score}}}]'
        )
        facts = DelegateFacts(requested="cpu:1", actual="xnnpack", delegated_nodes=3, total_nodes=4)
        return DatasetInference(scratch / "detections.json", len(cell.dataset.images), (), 1.0, facts, "none")


def test_the_same_detections_are_evaluated_once_and_stand_in_both_records(tmp_path, repository, monkeypatch):
    evaluated = []

    def counted(*arguments):
        evaluated.append(arguments)
        return evaluate_on(*arguments)

    monkeypatch.setattr(perform, "evaluate_on", counted)
    request = Request(
        models=("shapes-float32", "shapes-float16"),
        delegates=("cpu:1", "cpu:2"),
        settings=Settings(latency=False, limit=3),
        workspace=str(repository),
        output=str(tmp_path),
    )
    outcome = carry_out(replace(prepare(request), engines=(Alike(),)), Silent())
    assert len(evaluated) == 2
    figures = [record.accuracy.figures for record in outcome.records]
    assert figures[0] == figures[1]
    assert all(record.accuracy.status for record in outcome.records)
    assert all(one.map is not None for one in figures)
