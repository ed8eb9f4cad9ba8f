"""One model on several delegates: what rounding explains is no contradiction, and what it does not is."""

import json

import numpy as np
import pytest

from harness.accuracy.across import Execution, disagreements
from harness.accuracy.annotations import read_annotations
from harness.accuracy.coco import evaluate
from harness.accuracy.detections import DetectionTable

N_IMAGES = 40
IDS = list(range(1, N_IMAGES + 1))


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """Two objects in each of 40 images."""
    images = [{"id": n, "file_name": f"{n}.png", "width": 100, "height": 100} for n in IDS]
    boxes = [(n, side) for n in IDS for side in (0, 50)]
    annotations = [
        {
            "id": at,
            "image_id": n,
            "category_id": 1 + at % 2,
            "bbox": [x, 10, 40, 40],
            "area": 1600,
            "iscrowd": 0,
        }
        for at, (n, x) in enumerate(boxes, 1)
    ]
    data = {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}],
    }
    path = tmp_path_factory.mktemp("truth") / "instances.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    return read_annotations(path)


@pytest.fixture
def execution(truth, tmp_path):
    """An execution whose boxes scatter by so many pixels, and that misses the objects of so many images."""

    def make(name, kernels="xnnpack", *, scatter=1.0, missed=0, seed=0):
        random = np.random.default_rng(seed)
        rows = [
            [number, *(box + random.normal(0, scatter, 4)), random.uniform(0.5, 1), category]
            for number, box, category in zip(truth.image_ids, truth.boxes, truth.category_ids, strict=True)
            if number > missed
        ]
        path = tmp_path / f"{name}-{kernels}.json"
        keys = [
            dict(zip(("image_id", "score", "category_id"), (int(r[0]), r[5], int(r[6])), strict=True))
            for r in rows
        ]
        path.write_text(
            json.dumps([{**k, "bbox": r[1:5]} for k, r in zip(keys, rows, strict=True)]), encoding="utf-8"
        )
        found = evaluate(truth, DetectionTable(np.array(rows)), IDS).figures.map
        on_cpu = name.startswith("cpu")
        return Execution(name, "local", kernels, on_cpu, name.startswith("cpu-reference"), found, path)

    return make


def names(executions, truth):
    found = list(disagreements(executions, truth, IDS))
    assert all(
        check.figures["difference"] and str(round(check.figures["map"], 3)) in check.words
        for _, check in found
    )
    return {executions[place].delegate: check.certain for place, check in found}


def test_rounding_is_no_contradiction(execution, truth):
    rows = [
        execution("cpu:1"),
        execution("gpu", "gpu", scatter=1.01),
        execution("cpu-reference:1", "builtin"),
    ]
    assert rows[0].map != rows[1].map
    assert names(rows, truth) == {}


def test_a_delegate_that_finds_half_is_wrong_for_certain(execution, truth):
    rows = [execution("gpu", "gpu", missed=20), execution("cpu:1"), execution("cpu:4")]
    assert names(rows, truth) == {"gpu": True}


def test_a_delegate_that_is_a_little_worse_is_a_reason(execution, truth):
    rows = [execution("cpu:1"), execution("gpu", "gpu", scatter=1.35)]
    assert 0.01 < rows[0].map - rows[1].map < 0.12
    assert names(rows, truth) == {"gpu": False}


def test_a_delegate_that_is_better_than_the_reference_contradicts_it_too(execution, truth):
    rows = [execution("cpu-reference:1", "builtin", missed=15), execution("npu", "npu")]
    assert names(rows, truth) == {"npu": True}


def test_most_kernels_outvote_the_reference_and_threads_have_one_vote(execution, truth):
    odd = execution("cpu-reference:1", "builtin", missed=20)
    assert names([odd, execution("cpu:1"), execution("gpu", "gpu")], truth) == {"cpu-reference:1": True}
    assert names([odd, execution("cpu:1"), execution("cpu:4")], truth) == {"cpu:1": True, "cpu:4": True}


def test_two_accelerators_alone_are_both_in_doubt(execution, truth):
    rows = [execution("gpu", "gpu"), execution("nnapi", "nnapi", missed=20)]
    assert names(rows, truth) == {"gpu": False, "nnapi": False}


def test_the_command_runs_the_model_here_and_there(execution, truth):
    ((_, check),) = disagreements([execution("cpu:1"), execution("gpu", "gpu", missed=20)], truth, IDS)
    assert check.command == "harness diagnose MODEL --dataset DATASET --device local --delegate gpu"
