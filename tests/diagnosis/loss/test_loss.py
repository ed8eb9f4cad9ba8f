"""How bad it is, and what puts the figures in doubt."""

from dataclasses import replace

import numpy as np
import pytest

from harness.accuracy.annotations import read_annotations
from harness.accuracy.bootstrap import contrasts, paired_difference
from harness.accuracy.dataset import find_dataset
from harness.accuracy.detections import DetectionTable
from harness.diagnosis.loss import loss
from harness.diagnosis.runs.model_pair import ModelPair, Place, load_model
from harness.diagnosis.runs.runs import Runs
from harness.recognize.find import find_model
from harness.workspace import find_workspace


@pytest.fixture(scope="module")
def runs(repository):
    dataset = find_dataset(repository / "models/shapes/dataset").limited(10)
    return Runs(dataset, read_annotations(dataset.annotations))


@pytest.fixture(scope="module")
def measured(repository, runs):
    workspace = find_workspace(str(repository))
    names = (("float", "shapes-float32"), ("quantized", "shapes-full-integer"))
    return loss.measure_loss(
        ModelPair(*(load_model(role, find_model(name, workspace)) for role, name in names)), runs
    )


def test_the_difference_is_the_paired_one_of_both_detections(measured, runs):
    tables = [model.detections.table for model in (measured.float, measured.quantized)]
    expected = paired_difference(runs.truth, *tables, runs.dataset.image_ids)
    assert measured.difference == expected and measured.n_images == 10 and measured.remarks == ()
    assert measured.float.figures.map == pytest.approx(expected.first, abs=1e-12)


def with_ran(accuracy, actual, delegate):
    ran = replace_struct(accuracy.detections.delegate, actual=actual)
    model = replace(accuracy.model, place=Place("phone", delegate))
    return replace(accuracy, detections=replace(accuracy.detections, delegate=ran), model=model)


def replace_struct(facts, **changes):
    from msgspec.structs import replace as new

    return new(facts, **changes)


@pytest.mark.parametrize(
    ("delegate", "actual", "words"),
    [
        ("gpu", "xnnpack", "xnnpack ran: the figures are not that delegate's"),
        ("gpu:fp16", "unknown", "not proven"),
        ("cpu:4", "cpu-reference", "cpu-reference ran"),
        ("gpu:fp16", "gpu", None),
        ("cpu:4", "xnnpack", None),
        ("nnapi", "nnapi", None),
    ],
)
def test_another_delegate_than_was_asked_for_is_told(measured, runs, delegate, actual, words):
    found = loss.remarks_on(with_ran(measured.quantized, actual, delegate), runs)
    assert (words is None and found == []) or words in found[0]


def test_a_side_that_detects_nothing_or_unknown_classes_is_told(measured, runs):
    model = measured.quantized
    nothing = replace(model, detections=replace(model.detections, table=DetectionTable(np.empty((0, 7)))))
    assert "detects nothing at all" in loss.remarks_on(nothing, runs)[0]
    rows = model.detections.table.rows.copy()
    rows[:, 6] += 900
    strange = replace(model, detections=replace(model.detections, table=DetectionTable(rows)))
    assert "category id(s) that the annotations do not have" in loss.remarks_on(strange, runs)[0]


def test_a_sum_of_maps_has_the_interval_of_their_difference(measured, runs):
    """One less the other is what `paired_difference` computes."""
    tables = [model.detections.table for model in (measured.float, measured.quantized)]
    values, (found,) = contrasts(runs.truth, tables, np.array([[-1.0, 1.0]]), runs.dataset.image_ids)
    expected = measured.difference
    assert values == pytest.approx([expected.first, expected.second])
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.difference, expected.low, expected.high)
    )
