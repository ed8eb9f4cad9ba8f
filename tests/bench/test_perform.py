"""What is no longer attempted once something else than the delegate ran in every process of a cell."""

from types import SimpleNamespace

import msgspec
import pytest

from harness.bench.perform import Performer
from harness.delegates import parse_delegate
from harness.records import records
from harness.records.records import DelegateFacts


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
    dataset = SimpleNamespace(name="d", annotations_sha256="0", images=())
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
