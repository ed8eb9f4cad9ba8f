"""The difference of two mAPs on the same images."""

import pytest

from harness.comparison.compare import compare_results
from harness.comparison.expression import parse
from harness.comparison.gate import judge
from tests.support.changed_runs import read_unsealed


@pytest.fixture
def sides(make_run, detect):
    runs = make_run("base"), make_run("new")
    for run, shift in zip(runs, (1.0, 6.0), strict=True):
        detect(run.cell(), shift)
    return runs


def compared(sides, *datasets):
    return compare_results([sides[0].folder], [sides[1].folder], datasets)


def test_a_real_loss_is_worse_with_an_interval_that_excludes_0(sides, dataset):
    found = compared(sides, dataset).comparisons[0]
    assert found.accuracy.decision == "worse"
    assert found.accuracy.change == pytest.approx(found.new["map"] - found.base["map"], abs=1e-9)
    assert found.accuracy.low < found.accuracy.change < found.accuracy.high < 0


def test_the_gate_fails_for_it_and_passes_for_the_same_detections(sides, dataset, make_run, detect):
    conditions = [parse("map < -0.01"), parse("map < -1%")]
    assert judge(compared(sides, dataset), conditions).outcome == "fail"
    same = make_run("same")
    detect(same.cell(), 1.0)
    verdict = judge(compared((sides[0], same)), conditions)
    assert verdict.outcome == "pass", "equal detections need no annotations"


def test_annotations_that_are_gone_leave_the_difference_without_chance_and_say_what_to_do(sides):
    found = compared(sides).comparisons[0].accuracy
    assert found.change < 0
    assert (found.low, found.high, found.p, found.decision) == (None, None, None, "~")
    assert "--dataset" in found.reason
    assert judge(compared(sides), [parse("map < -0.01")]).outcome == "undecided"


def test_annotations_of_another_hash_are_not_used(sides, tmp_path, dataset):
    text = next(dataset.rglob("instances*.json")).read_text(encoding="utf-8")
    (tmp_path / "instances.json").write_text(text + " ", encoding="utf-8")
    assert compared(sides, tmp_path / "instances.json").comparisons[0].accuracy.low is None


def test_the_workspaces_model_card_leads_to_the_annotations(sides, edit, repository):
    from harness.workspace import Workspace

    for side in sides:
        edit(side.cells[0], model={"card": {"dataset": {"path": "shapes/dataset"}}})
    found = compare_results([sides[0].folder], [sides[1].folder], workspace=Workspace(repository))
    assert found.comparisons[0].accuracy.low is not None


def test_the_runs_own_request_leads_to_the_annotations(sides, edit, dataset):
    import json

    run = sides[1].folder / "run.json"
    run.write_text(json.dumps({**read_unsealed(run), "request": {"dataset": str(dataset)}}))
    assert compared(sides).comparisons[0].accuracy.low is not None


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"map_": None}, "new has no mAP: it was not measured"),
        ({"status": "fallback"}, "its status is fallback"),
        ({}, "the detections of the base were not kept"),
    ],
)
def test_what_is_missing_is_said(make_run, part, said):
    base, new = make_run("one"), make_run("two")
    base.cell(), new.cell(**part)
    assert said in compared((base, new)).comparisons[0].accuracy.reason


def test_the_difference_is_over_the_categories_that_both_are_an_average_over(sides, edit, dataset):
    from harness.accuracy.annotations import read_annotations
    from harness.accuracy.bootstrap import paired_difference
    from harness.accuracy.detections import load_detections

    for side in sides:
        edit(side.cells[0], accuracy={"ap_per_category": {"circle": 0.5, "star": 0.5}})
    truth = read_annotations(next(dataset.rglob("instances*.json")))
    ids = [number for number, name in truth.categories.items() if name in {"circle", "star"}]
    tables = [load_detections(side.cells[0] / "detections.json") for side in sides]
    images = sorted(image.id for image in truth.images)[:60]
    expected = paired_difference(truth.of_categories(ids), *tables, images)
    found = compared(sides, dataset).comparisons[0].accuracy
    assert (found.change, found.low, found.high) == (expected.difference, expected.low, expected.high)
    assert found.change != paired_difference(truth, *tables, images).difference


def test_averages_over_other_categories_are_not_compared(sides, edit, dataset):
    edit(sides[0].cells[0], accuracy={"ap_per_category": {"circle": 0.5}})
    found = compared(sides, dataset).comparisons[0].accuracy
    assert (found.low, found.decision) == (None, "~") and "--classes" in found.reason
