"""A run's accuracies held against each other at its end; it can be done again."""

import json

import pytest
from msgspec.structs import replace

from harness.accuracy.dataset_accuracy import evaluate_on
from harness.bench.observer import Silent
from harness.bench.request import Request
from harness.bench.review import review
from harness.records import records
from harness.records.store import RunStore
from harness.session import carry_out, prepare
from harness.settings import Settings

pytest.importorskip("ai_edge_litert.interpreter", reason="ai-edge-litert is not installed")


@pytest.fixture(scope="module")
def run(tmp_path_factory, repository):
    """The bundled model on 40 images with three kinds of kernels, and the plan."""
    request = Request(
        models=("shapes-full-integer",),
        delegates=("cpu:1", "cpu:2", "cpu-reference:1"),
        settings=Settings(latency=False, limit=40),
        workspace=str(repository),
        output=str(tmp_path_factory.mktemp("results")),
    )
    prepared = prepare(request)
    return prepared.plan, carry_out(prepared, Silent()).folder


@pytest.fixture
def spoiled(run):
    """Let one cell find nothing in most images, and put the cells back afterwards."""
    plan, folder = run
    files = {path: path.read_bytes() for path in folder.glob("cells/*/*.json")}

    def spoil(place, at_most):
        cell = plan.cells[place]
        path = folder / "cells" / cell.id / "detections.json"
        rows = [row for row in json.loads(path.read_text()) if row["image_id"] <= at_most]
        path.write_text(json.dumps(rows))
        record = records.load(path.with_name("record.json"), records.Record)
        figures = evaluate_on(cell.dataset, path).evaluation.figures
        records.save(
            path.with_name("record.json"),
            replace(record, accuracy=replace(record.accuracy, figures=figures)),
        )

    yield spoil
    for path, data in files.items():
        path.write_bytes(data)


def found(folder):
    return [(str(one.record.status), one.record.accuracy.checks) for one in records.load_records(folder)]


def test_kernels_that_round_differently_raise_no_doubt(run):
    assert found(run[1]) == [("ok", ())] * 3


def test_the_cell_that_disagrees_is_incorrect_and_says_so(run, spoiled):
    spoiled(0, 15)
    review(run[0], RunStore(run[1]))
    (status, (check,)), *others = found(run[1])
    assert status == "incorrect" and others == [("ok", ())] * 2
    (record, *_) = (one.record for one in records.load_records(run[1]))
    assert record.reasons == (check.reason,)
    assert check.command.startswith("harness diagnose shapes-full-integer --dataset shapes --device local")


def test_a_second_review_replaces_the_first(run, spoiled):
    spoiled(0, 15)
    for _ in range(2):
        review(run[0], RunStore(run[1]))
    assert [len(checks) for _, checks in found(run[1])] == [1, 0, 0]
    first, second = (run[1] / "cells" / cell.id for cell in run[0].cells[:2])
    (first / "detections.json").write_bytes((second / "detections.json").read_bytes())
    one, other = (records.load(path / "record.json", records.Record) for path in (first, second))
    same = replace(one, accuracy=replace(one.accuracy, figures=other.accuracy.figures))
    records.save(first / "record.json", same)
    review(run[0], RunStore(run[1]))
    assert found(run[1]) == [("ok", ())] * 3
