"""A dataset is found in any of its usual layouts, and what is wrong with one is said by name."""

import copy
import hashlib
import json
from dataclasses import FrozenInstanceError

import pytest

from harness.accuracy.dataset import find_dataset
from harness.errors import DatasetError, SchemaError, UsageError

DOCUMENT = {
    "info": {},
    "images": [
        {"id": 9, "file_name": "b.jpg", "width": 640, "height": 480},
        {"id": 2, "file_name": "a.jpg"},
        {"id": 5, "file_name": "deep/c.jpg", "width": 10, "height": None},
    ],
    "annotations": [
        {"id": 1, "image_id": 9, "category_id": 3, "bbox": [0, 0, 5, 5], "area": 25, "iscrowd": 0},
        {"id": 2, "image_id": 9, "category_id": 1, "bbox": [1, 1, 2, 2], "area": 4, "iscrowd": 1},
        {"id": 4, "image_id": 2, "category_id": 1, "bbox": [1, 1, 2.5, 2], "area": 5, "iscrowd": 0},
    ],
    "categories": [{"id": 3, "name": "cat"}, {"id": 1, "name": "person"}],
}


def make(folder, images=".", annotations="instances.json", document=DOCUMENT):
    """Write a dataset; the images need to be there, not to be images."""
    for entry in document["images"]:
        file = folder / images / str(entry.get("file_name", "none"))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"")
    path = folder / annotations
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document))
    return folder


@pytest.fixture
def document():
    """A copy to spoil."""
    return copy.deepcopy(DOCUMENT)


def error_of(folder, kind=DatasetError):
    with pytest.raises(kind) as caught:
        find_dataset(folder)
    assert caught.value.exit_status == 2
    return str(caught.value)


# -- where things are --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("images", "annotations"),
    [
        (".", "instances.json"),
        ("images", "instances.json"),
        ("val2017", "instances_val2017.json"),
        ("images/val2017", "annotations/instances_val2017.json"),
        ("val2017", "annotations/instances_val2017.json"),
        ("images", "annotations/instances_train.json"),
        (".", "annotations/instances-test.json"),
    ],
)
def test_the_usual_layouts_are_found(tmp_path, images, annotations):
    dataset = find_dataset(make(tmp_path / "kitchen", images, annotations))
    assert dataset.name == "kitchen"
    assert dataset.annotations == tmp_path / "kitchen" / annotations
    assert dataset.image_folder == tmp_path / "kitchen" / images
    assert all(image.path.is_file() for image in dataset.images)


def test_the_folder_named_in_info_comes_first(tmp_path, document):
    document["info"]["image_folder"] = "photos"
    make(tmp_path, "images", document=document)
    make(tmp_path, "photos", document=document)
    assert find_dataset(tmp_path).image_folder == tmp_path / "photos"


def test_info_may_be_anything(tmp_path, document):
    document["info"] = ["made by hand"]
    assert len(find_dataset(make(tmp_path, document=document)).images) == 3


def test_a_card_says_where_things_are(tmp_path):
    make(tmp_path, "pictures", "labels/truth.json")
    card = tmp_path / "set.toml"
    card.write_text('name = "street"\nannotations = "labels/truth.json"\nimages = "pictures"\n')
    dataset = find_dataset(card)
    assert (dataset.name, dataset.image_folder) == ("street", tmp_path / "pictures")


def test_real_coco_is_found(shared_data):
    dataset = find_dataset(shared_data / "coco50")
    assert (dataset.name, len(dataset.images), dataset.n_annotations) == ("coco50", 50, 382)
    assert dataset.image_folder.name == "val2017"
    assert len(dataset.categories) == 80
    assert dataset.categories[90] == "toothbrush"


# -- what it says ------------------------------------------------------------------------------------------------


def test_images_stand_in_the_order_of_their_ids_with_sizes_where_known(tmp_path):
    dataset = find_dataset(make(tmp_path))
    assert dataset.image_ids == (2, 5, 9)
    assert [(i.width, i.height, i.n_annotations) for i in dataset.images] == [
        (None, None, 1),
        (10, None, 0),
        (640, 480, 2),
    ]
    assert dataset.images[1].path == tmp_path / "deep" / "c.jpg"


def test_categories_stand_in_the_order_of_their_ids(tmp_path):
    assert list(find_dataset(make(tmp_path)).categories.items()) == [(1, "person"), (3, "cat")]


def test_the_hash_is_the_annotation_files(tmp_path):
    dataset = find_dataset(make(tmp_path))
    expected = hashlib.sha256((tmp_path / "instances.json").read_bytes()).hexdigest()
    assert dataset.annotations_sha256 == expected


def test_a_dataset_cannot_be_changed(tmp_path):
    with pytest.raises(FrozenInstanceError):
        find_dataset(make(tmp_path)).name = "other"


def test_a_limit_takes_the_first_images_and_counts_their_annotations(tmp_path):
    dataset = find_dataset(make(tmp_path))
    assert (dataset.limited(2).image_ids, dataset.limited(2).n_annotations) == ((2, 5), 1)
    assert dataset.limited(99) == dataset
    assert dataset.limited(None) is dataset
    assert dataset.limited(2).annotations_sha256 == dataset.annotations_sha256


@pytest.mark.parametrize("n", [0, -1])
def test_a_limit_of_nothing_is_wrong_use(tmp_path, n):
    with pytest.raises(UsageError, match=f"limit of {n} images"):
        find_dataset(make(tmp_path)).limited(n)


# -- what can be wrong -------------------------------------------------------------------------------------------


def test_no_such_folder(tmp_path):
    assert error_of(tmp_path / "none").endswith("none: no such dataset folder")


def test_a_file_that_is_not_a_dataset(tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"")
    assert "not a dataset; expected a folder" in error_of(tmp_path / "x.jpg")


@pytest.mark.parametrize("annotations", ["instances.json", "annotations/instances_val.json"])
def test_the_annotations_given_in_the_place_of_the_folder_are_read_with_its_images(tmp_path, annotations):
    make(tmp_path, annotations=annotations)
    assert find_dataset(tmp_path / annotations).images == find_dataset(tmp_path).images


def test_no_annotations_file(tmp_path):
    assert "no annotations; expected one instances*.json" in error_of(tmp_path)


def test_several_annotation_files_are_listed(tmp_path):
    make(tmp_path)
    make(tmp_path, annotations="annotations/instances_val.json")
    message = error_of(tmp_path)
    assert "several annotation files (instances.json, annotations/instances_val.json)" in message
    assert "TOML card" in message


@pytest.mark.parametrize("text", ["", "{", "not json", '{"images": [}', "\x00"])
def test_annotations_that_are_not_json(tmp_path, text):
    make(tmp_path)
    (tmp_path / "instances.json").write_text(text)
    assert "instances.json: not valid JSON" in error_of(tmp_path)


def test_annotations_with_a_byte_order_mark_are_read(tmp_path):
    make(tmp_path)
    (tmp_path / "instances.json").write_text(json.dumps(DOCUMENT), encoding="utf-8-sig")
    assert find_dataset(tmp_path).n_annotations == 3


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_a_missing_list(tmp_path, document, key):
    make(tmp_path)
    del document[key]
    (tmp_path / "instances.json").write_text(json.dumps(document))
    assert f"the file: the key '{key}' is missing" in error_of(tmp_path)


@pytest.mark.parametrize(
    ("where", "key", "name"),
    [
        ("images", "id", "image at index 1"),
        ("annotations", "image_id", "annotation 2"),
        ("annotations", "bbox", "annotation 2"),
        ("categories", "name", "category 1"),
    ],
)
def test_a_missing_key(tmp_path, document, where, key, name):
    del document[where][1][key]
    assert f"{name}: the key '{key}' is missing" in error_of(make(tmp_path, document=document))


@pytest.mark.parametrize(
    ("box", "shown"),
    [
        ([1, 2, 3], "[1, 2, 3]"),
        ([1, 2, 3, 4, 5], "[1, 2, 3, 4, 5]"),
        ([1, 2, 3, None], "[1, 2, 3, null]"),
        ([1, 2, 3, "four"], '[1, 2, 3, "four"]'),
        ([1, 2, 3, float("nan")], "[1, 2, 3, NaN]"),
        ([1, 2, float("-inf"), 4], "[1, 2, -Infinity, 4]"),
        (None, "null"),
        ({"x": 1}, '{"x": 1}'),
    ],
)
def test_a_box_that_is_not_four_finite_numbers(tmp_path, document, box, shown):
    document["annotations"][2]["bbox"] = box
    message = error_of(make(tmp_path, document=document))
    assert f"annotation 4: 'bbox' is {shown}, expected four finite numbers: x, y, width, height" in message


def test_an_id_that_is_not_a_whole_number(tmp_path, document):
    document["annotations"][0]["image_id"] = "nine"
    assert "annotation 1: 'image_id' is \"nine\", expected a whole number" in error_of(
        make(tmp_path, document=document)
    )


@pytest.mark.parametrize(
    ("where", "name", "first"),
    [("images", "image", 9), ("annotations", "annotation", 1), ("categories", "category", 3)],
)
def test_an_id_that_stands_twice(tmp_path, document, where, name, first):
    document[where].append({**document[where][0]})
    assert f"1 {name} id(s) stand more than once: {first}" in error_of(make(tmp_path, document=document))


@pytest.mark.parametrize(("key", "name"), [("image_id", "image"), ("category_id", "category")])
def test_an_annotation_that_points_nowhere(tmp_path, document, key, name):
    document["annotations"][1][key] = 77
    message = error_of(make(tmp_path, document=document))
    assert (
        f"1 annotation(s) point to a {name} id that is not in the file: annotation 2 has {key} 77" in message
    )


def test_no_images(tmp_path, document):
    document["images"] = []
    assert "no images in the file" in error_of(make(tmp_path, document=document))


def test_no_annotations(tmp_path, document):
    document["annotations"] = []
    assert "no annotations in the file" in error_of(make(tmp_path, document=document))


def test_missing_images_are_counted_and_the_first_three_named(tmp_path, document):
    document["images"] += [{"id": 100 + k, "file_name": f"{k}.jpg"} for k in range(4)]
    make(tmp_path, document=document)
    for k in range(4):
        (tmp_path / f"{k}.jpg").unlink()
    message = error_of(tmp_path)
    assert message.endswith("4 of 7 images of instances.json are missing: 0.jpg, 1.jpg, 2.jpg, …")


@pytest.mark.parametrize(
    "name",
    [
        "../absent.jpg",
        "x/../../absent.jpg",
        "/etc/passwd",
        "..",
        "C:\\absent.jpg",
        "C:a.jpg",
        "\\\\host\\absent.jpg",
        "x\\..\\..\\absent.jpg",
        "a\0b",
    ],
)
def test_a_file_name_that_leads_out_of_the_folder(tmp_path, document, name):
    make(tmp_path)
    document["images"][0]["file_name"] = name
    (tmp_path / "instances.json").write_text(json.dumps(document))
    assert "image 9: file_name" in error_of(tmp_path)
    assert "leads out of the image folder" in error_of(tmp_path)


@pytest.mark.parametrize("name", ["../photos", "/etc"])
def test_an_image_folder_in_info_that_leads_out_of_the_dataset(tmp_path, document, name):
    document["info"]["image_folder"] = name
    assert f"info.image_folder is {name!r}" in error_of(make(tmp_path, document=document))


def test_an_image_without_a_file_name(tmp_path, document):
    make(tmp_path)
    del document["images"][1]["file_name"]
    (tmp_path / "instances.json").write_text(json.dumps(document))
    assert "image 2: the key 'file_name' is missing or empty" in error_of(tmp_path)


def test_a_card_with_an_unknown_key(tmp_path):
    (tmp_path / "set.toml").write_text('name = "x"\nannotations = "a"\nimage = "b"\nimages = "c"\n')
    assert "unknown key 'image'" in error_of(tmp_path / "set.toml", SchemaError)


def test_a_card_whose_image_folder_is_absent(tmp_path):
    make(tmp_path)
    (tmp_path / "set.toml").write_text('name = "x"\nannotations = "instances.json"\nimages = "none"\n')
    assert "key 'images'" in error_of(tmp_path / "set.toml")


def test_a_card_whose_annotations_are_absent(tmp_path):
    (tmp_path / "set.toml").write_text('name = "x"\nannotations = "none.json"\nimages = "."\n')
    assert "none.json: the annotations cannot be read" in error_of(tmp_path / "set.toml")
