"""VOC labels as people have them; every figure is worked out by hand."""

import json
import shutil

import pytest
from PIL import Image

from harness.accuracy.annotations import read_annotations
from harness.accuracy.dataset import find_dataset
from harness.errors import DatasetError

CORNERS = "<xmin>{}</xmin><ymin>{}</ymin><xmax>{}</xmax><ymax>{}</ymax>"
OBJECT = f"<object><name>{{}}</name>{{}}<bndbox>{CORNERS}</bndbox></object>"
DIFFICULT = "<difficult>1</difficult>"


def label(*objects, size="<size><width>60</width><height>40</height><depth>3</depth></size>"):
    return f"<annotation>\n{size}\n{''.join(OBJECT.format(*o) for o in objects)}\n</annotation>"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """Two labelled images of 60 × 40 px."""
    root = tmp_path / "mine"
    for name in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (root / name).mkdir(parents=True)
    for name in ("b", "a"):
        Image.new("RGB", (60, 40)).save(root / "JPEGImages" / f"{name}.jpg")
    (root / "Annotations" / "a.xml").write_text(
        label(("dog", "", 1, 1, 10, 20), ("person", DIFFICULT, 5, 6, 7, 8))
    )
    (root / "Annotations" / "b.xml").write_text(label(("cat", "", 11, 12.5, 60, 40)))
    return root


def test_corners_counted_from_one_become_corner_and_size(folder):
    dataset = find_dataset(folder)
    truth = read_annotations(dataset.annotations)
    assert truth.boxes.tolist() == [[0, 0, 10, 20], [4, 5, 3, 3], [10, 11.5, 50, 28.5]]
    assert truth.areas.tolist() == [200, 9, 1425]
    assert [row.file_name for row in truth.images] == ["a.jpg", "b.jpg"]
    assert (dataset.images[0].width, dataset.images[0].height) == (60, 40)
    assert (dataset.name, len(dataset.images), dataset.n_annotations) == ("mine", 2, 3)


def test_difficult_objects_are_ignored_as_crowds_are(folder):
    assert read_annotations(find_dataset(folder).annotations).crowd.tolist() == [False, True, False]


def test_vocs_own_classes_have_vocs_numbers(folder):
    dataset = find_dataset(folder)
    assert len(dataset.categories) == 20
    assert (dataset.categories[1], dataset.categories[20]) == ("aeroplane", "tvmonitor")
    assert read_annotations(dataset.annotations).category_ids.tolist() == [12, 15, 8]


def test_other_classes_are_numbered_by_the_alphabet(folder):
    (folder / "Annotations" / "b.xml").write_text(label(("apple", "", 1, 1, 2, 2)))
    assert find_dataset(folder).categories == {1: "apple", 2: "dog", 3: "person"}


def test_the_first_image_set_of_val_test_and_train_is_read(folder):
    (folder / "ImageSets" / "Main" / "train.txt").write_text("a\n")
    assert find_dataset(folder).name == "mine-train"
    (folder / "ImageSets" / "Main" / "val.txt").write_text("\nb  1\n")
    dataset = find_dataset(folder)
    assert (dataset.name, [image.path.name for image in dataset.images]) == ("mine-val", ["b.jpg"])


def test_the_size_is_read_from_the_image_where_the_label_has_none(folder):
    (folder / "Annotations" / "a.xml").write_text(label(("dog", "", 1, 1, 10, 20), size=""))
    assert find_dataset(folder).images[0].width == 60


def test_the_same_labels_give_the_same_file_and_other_labels_another(folder, cache):
    first, again = find_dataset(folder), find_dataset(folder)
    assert first.annotations == again.annotations
    assert first.annotations_sha256 == again.annotations_sha256
    assert first.annotations.is_relative_to(cache)
    (folder / "Annotations" / "b.xml").write_text(label(("cat", "", 11, 12, 60, 40)))
    assert find_dataset(folder).annotations != first.annotations


def test_cocos_own_annotations_win(folder):
    document = {
        "images": [{"id": 7, "file_name": "a.jpg"}],
        "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "bbox": [0, 0, 1, 1]}],
        "categories": [{"id": 1, "name": "x"}],
    }
    (folder / "instances.json").write_text(json.dumps(document))
    shutil.copytree(folder / "JPEGImages", folder / "images")
    assert find_dataset(folder).image_ids == (7,)


LAUGHS = (
    '<?xml version="1.0"?>\n<!DOCTYPE lolz [<!ENTITY lol "lol">\n<!ENTITY lol2 "&lol;&lol;&lol;&lol;&lol;">]>\n'
    "<annotation>&lol2;</annotation>"
)
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><annotation><object><name>&x;</name></object></annotation>'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (LAUGHS, "a.xml, line 2: found a DOCTYPE, expected plain XML"),
        (OUTSIDE, "a.xml, line 1: found a DOCTYPE"),
        (LAUGHS.encode("utf-16"), "a.xml, line 2: found a DOCTYPE"),
        ("<annotation>\n<object>", "a.xml, line 2: not valid XML: no element found"),
        ("", "a.xml, line 1: not valid XML"),
        ("<a>" * 60 + "</a>" * 60, "a.xml, line 1: nested too deeply"),
        (label(("dog", "", 9, 1, 3, 2)), "a.xml, line 3: found the corners 9, 1 and 3, 2, expected xmin ≤ xmax"),
        (label(("dog", "", "x1", 1, 3, 2)), "a.xml, line 3: <xmin> is 'x1', expected a number of pixels"),
        (label(("dog", "", "nan", 1, 3, 2)), "<xmin> is 'nan', expected a number"),
        (label((" ", "", 1, 1, 3, 2)), "a.xml, line 3: this object has no <name>"),
        ("<annotation><object><name>dog</name></object></annotation>", "line 1: this object has no <bndbox>"),
        (label(("dog", "", 1, 1, 3, 2)).replace("ymax", "zmax"), "<bndbox> has no <ymax>"),
        (b"<annotation>\xff</annotation>", "a.xml, line 1: not valid XML"),
    ],
)  # fmt: skip
def test_a_wrong_label_is_named_with_its_line_and_what_is_expected(folder, text, message):
    path = folder / "Annotations" / "a.xml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError) as error:
        find_dataset(folder)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\nc\n", "val.txt, line 2: found 'c', but there is no Annotations/c.xml"),
        ("../../x\n", "val.txt, line 1: found '../../x'"),
        ("\n", "val.txt: empty, expected the name of one image a line"),
    ],
)
def test_a_wrong_image_set_is_named(folder, text, message):
    (folder / "ImageSets" / "Main" / "val.txt").write_text(text)
    with pytest.raises(DatasetError) as error:
        find_dataset(folder)
    assert message in str(error.value)


def test_missing_images_are_counted(folder):
    (folder / "JPEGImages" / "a.jpg").unlink()
    with pytest.raises(DatasetError, match="1 of 2 images are missing: a"):
        find_dataset(folder)
    shutil.rmtree(folder / "JPEGImages")
    with pytest.raises(DatasetError, match="no folder JPEGImages/"):
        find_dataset(folder)
