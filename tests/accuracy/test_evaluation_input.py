"""What a user names as annotations, detections and images is read and held against each other."""

import json

import pytest

from harness.accuracy.evaluation_input import load
from harness.errors import DatasetError, UsageError


@pytest.fixture
def detections(repository, tmp_path):
    truth = json.loads((repository / "models/shapes/dataset/instances_val.json").read_text())
    image = truth["images"][0]["id"]
    row = {
        "image_id": image,
        "category_id": truth["categories"][0]["id"],
        "bbox": [1, 2, 30, 40],
        "score": 0.5,
    }

    def write(**changes):
        path = tmp_path / "detections.json"
        path.write_text(json.dumps([{**row, **changes}]))
        return path

    return write


def test_a_dataset_may_be_named_as_well_as_its_annotations(repository, detections):
    folder = repository / "models" / "shapes" / "dataset"
    one, two = (load(place, detections()) for place in (folder, folder / "instances_val.json"))
    assert one.truth.images == two.truth.images and len(one.table) == len(two.table) == 1
    assert one.chosen is None


def test_the_images_to_evaluate_are_named_in_a_file(repository, detections, tmp_path):
    folder = repository / "models" / "shapes" / "dataset"
    everything = [row.id for row in load(folder, detections()).truth.images]
    ids = tmp_path / "ids.txt"
    ids.write_text(f"{everything[3]}\n{everything[1]}\n")
    assert load(folder, detections(), ids).chosen == sorted([everything[1], everything[3]])
    ids.write_text("987654\n")
    with pytest.raises(UsageError, match="987654"):
        load(folder, detections(), ids)


def test_detections_of_something_else_are_refused(repository, detections):
    folder = repository / "models" / "shapes" / "dataset"
    with pytest.raises(DatasetError, match="987654"):
        load(folder, detections(image_id=987654))
    with pytest.raises(DatasetError, match="category id"):
        load(folder, detections(category_id=77))
