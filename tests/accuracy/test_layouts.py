"""The exports of label tools are read where it is clear what is meant, else refused with the file that is there."""

import json
import subprocess
import sys

import pytest
from PIL import Image

from harness.accuracy.dataset import find_dataset
from harness.errors import DatasetError


def export(folder, annotations, images, names=None):
    """Write an export: its annotations file, its images, and what the file calls them."""
    rows = [{"id": k, "file_name": name, "width": 8, "height": 6} for k, name in enumerate(names or images)]
    box = {"id": 0, "image_id": 0, "category_id": 0, "bbox": [1, 1, 2, 2]}
    document = {"images": rows, "annotations": [box], "categories": [{"id": 0, "name": "car"}]}
    for path in (folder / annotations, *(folder / image for image in images)):
        path.parent.mkdir(parents=True, exist_ok=True)
    (folder / annotations).write_text(json.dumps(document))
    for image in images:
        Image.new("RGB", (8, 6)).save(folder / image)
    return folder


def images_of(path):
    return [image.path for image in find_dataset(path).images]


@pytest.mark.parametrize(
    ("annotations", "image", "name"),
    [
        ("labels.json", "data/1.jpg", "1.jpg"),
        ("instances.json", "data/1.jpg", "1.jpg"),
        ("_annotations.coco.json", "a_jpg.rf.1.jpg", "a_jpg.rf.1.jpg"),
        ("valid/_annotations.coco.json", "valid/a.jpg", "a.jpg"),
        ("result.json", "images/a.jpg", "images/a.jpg"),
        ("result.json", "images/a.jpg", "images\\a.jpg"),
        ("result.json", "images/a.jpg", "images\\1/a.jpg"),
        ("result.json", "images/a.jpg", "../../label-studio/data/media/upload/3/a.jpg"),
        ("result.json", "images/a.jpg", "..\\..\\label-studio\\media\\upload\\4\\a.jpg"),
        ("result.json", "images/a.jpg", "/data/local-files/?d=pics/a.jpg"),
        ("result.json", "images/a.jpg", "/data/local-files/?d=a.jpg"),
        ("annotations/instances_default.json", "images/a.jpg", "a.jpg"),
        ("annotations/instances_default.json", "images/default/a.jpg", "a.jpg"),
        ("annotations/instances_Train.json", "images/Train/a.jpg", "a.jpg"),
    ],
)
def test_an_export_is_found_with_its_images(tmp_path, annotations, image, name):
    export(tmp_path, annotations, [image], [name])
    assert images_of(tmp_path) == [tmp_path / image]


def test_of_several_files_the_one_whose_images_are_there_is_meant(tmp_path):
    export(tmp_path, "annotations/instances_val2017.json", ["val2017/1.jpg"], ["1.jpg"])
    export(tmp_path, "annotations/instances_train2017.json", [], ["1.jpg"])
    assert images_of(tmp_path) == [tmp_path / "val2017/1.jpg"]


@pytest.mark.parametrize("annotations", ["{}/_annotations.coco.json", "annotations/instances_{}.json"])
def test_a_split_is_named_after_a_colon(tmp_path, annotations):
    for split in ("train", "valid"):
        image = f"{split}/a.jpg" if annotations.startswith("{") else f"images/{split}/a.jpg"
        export(tmp_path, annotations.format(split), [image], ["a.jpg"])
    assert "valid/a.jpg" in str(images_of(tmp_path.with_name(f"{tmp_path.name}:valid"))[0])
    with pytest.raises(
        DatasetError, match=r"several annotation files \(.*train.*valid.*name one of them as .*:train"
    ):
        find_dataset(tmp_path)
    with pytest.raises(DatasetError, match=r"no split 'test'; it has train, valid"):
        find_dataset(tmp_path.with_name(f"{tmp_path.name}:test"))


def test_what_is_no_export_is_named(tmp_path):
    (tmp_path / "annotations.xml").write_text("<annotations/>")
    with pytest.raises(
        DatasetError, match=r"no annotations; .*; there is annotations\.xml, which is none of these"
    ):
        find_dataset(tmp_path)


def test_two_images_that_are_one_file_are_refused(tmp_path):
    export(tmp_path, "result.json", ["images/a.jpg"], ["x/a.jpg", "y/a.jpg"])
    with pytest.raises(DatasetError, match=r"several images are one file in .*: a\.jpg"):
        find_dataset(tmp_path)


def test_a_yolo_split_is_named_after_a_colon(tmp_path):
    for split in ("val", "train"):
        for place in (tmp_path / "images" / split, tmp_path / "labels" / split):
            place.mkdir(parents=True)
        Image.new("RGB", (8, 6)).save(tmp_path / "images" / split / "a.jpg")
        (tmp_path / "labels" / split / "a.txt").write_text("0 0.5 0.5 0.5 0.5\n")
    (tmp_path / "data.yaml").write_text("val: images/val\ntrain: images/train\nnames: [car]\n")
    assert find_dataset(tmp_path / "data.yaml").name.endswith("-val")
    assert find_dataset(tmp_path / "data.yaml:train").name.endswith("-train")
    with pytest.raises(DatasetError, match="expected one of the keys test to name"):
        find_dataset(tmp_path / "data.yaml:test")


def test_cases_of_real_exports_are_found(shared_cases, tmp_path):
    subprocess.run([sys.executable, shared_cases / "exports" / "make.py"], cwd=tmp_path, check=True)
    refused = {"roboflow", "cvat_subsets"}
    for folder in sorted(path for path in tmp_path.iterdir() if path.is_dir() and path.name not in refused):
        assert len(images_of(folder)) == 2, folder.name
    assert (
        len(images_of(tmp_path / "roboflow:valid"))
        == len(images_of(tmp_path / "cvat_subsets:Validation"))
        == 2
    )
