"""The figures of detections on a dataset are those of its images alone."""

import json
from dataclasses import replace

import pytest

from harness.accuracy.coco import evaluate
from harness.accuracy.dataset import find_dataset
from harness.accuracy.dataset_accuracy import evaluate_on
from harness.errors import DatasetError


@pytest.fixture
def dataset(repository):
    return find_dataset(repository / "models" / "shapes" / "dataset").limited(20)


@pytest.fixture
def detections(dataset, tmp_path):
    """Every annotation of the dataset is found, each box a little to the right."""
    truth = json.loads(dataset.annotations.read_text())
    rows = [
        {
            "image_id": a["image_id"],
            "category_id": a["category_id"],
            "bbox": [a["bbox"][0] + 2, *a["bbox"][1:]],
            "score": 0.9,
        }
        for a in truth["annotations"]
        if a["image_id"] in dataset.image_ids
    ]
    path = tmp_path / "detections.json"
    path.write_text(json.dumps(rows))
    return path


def test_the_figures_are_those_of_its_images_with_an_interval_around_the_map(dataset, detections):
    found = evaluate_on(dataset, detections)
    plain = evaluate(dataset.annotations, detections, dataset.image_ids)
    assert replace(found.evaluation, warnings=plain.warnings) == plain
    assert found.evaluation.n_images == 20
    assert found.interval.low <= found.evaluation.figures.map <= found.interval.high


def test_both_engines_give_the_same(dataset, detections):
    first, second = (evaluate_on(dataset, detections, engine) for engine in ("harness", "pycocotools"))
    assert first.evaluation.figures.map == pytest.approx(second.evaluation.figures.map, abs=1e-9)
    assert second.evaluation.engine.startswith("pycocotools")


def test_detections_that_cannot_be_read_are_refused(dataset, tmp_path):
    (tmp_path / "broken.json").write_text("[{")
    with pytest.raises(DatasetError, match=r"broken\.json"):
        evaluate_on(dataset, tmp_path / "broken.json")
