"""YOLO labels as people have them; every figure is worked out by hand."""

import time

import pytest
from PIL import Image

from harness.accuracy.annotations import read_annotations
from harness.accuracy.dataset import find_dataset
from harness.accuracy.foreign.data_yaml import read_yaml
from harness.errors import DatasetError

YAML = "path: .  # here\ntrain: images/train\nval: images/val\nnames:\n  0: apple\n  1: 'pear: green'\n"


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    """Two images of 200 × 100 px; the second has no label file."""
    root = tmp_path / "fruit"
    (root / "labels" / "val").mkdir(parents=True)
    (root / "images" / "val").mkdir(parents=True)
    for name in ("a.jpg", "b.png"):
        Image.new("RGB", (200, 100)).save(root / "images" / "val" / name)
    (root / "labels" / "val" / "a.txt").write_text("1 0.5 0.5 0.25 0.5\n\n0 0.1 0.2 0.2 0.4\n")
    (root / "data.yaml").write_text(YAML)
    return root


def test_normalized_centres_become_corners_and_sizes_in_pixels(folder):
    dataset = find_dataset(folder)
    truth = read_annotations(dataset.annotations)
    assert truth.boxes.tolist() == [pytest.approx([75, 25, 50, 50]), pytest.approx([0, 0, 40, 40])]
    assert truth.category_ids.tolist() == [1, 0]
    assert dataset.categories == {0: "apple", 1: "pear: green"}
    assert (dataset.name, [image.n_annotations for image in dataset.images]) == ("fruit-val", [2, 0])
    assert (dataset.images[0].width, dataset.images[0].height) == (200, 100)


def test_the_file_itself_names_the_dataset_as_well_as_its_folder(folder):
    assert find_dataset(folder / "data.yaml").annotations == find_dataset(folder).annotations


def test_an_outline_becomes_its_frame(folder):
    (folder / "labels" / "val" / "a.txt").write_text("0 0.1 0.1 0.3 0.2 0.2 0.6\n")
    truth = read_annotations(find_dataset(folder).annotations)
    assert truth.boxes[0].tolist() == pytest.approx([20, 10, 40, 50])


def test_a_line_that_stands_twice_is_one_object(folder):
    (folder / "labels" / "val" / "a.txt").write_text("0 0.5 0.5 0.1 0.1\n" * 2)
    assert find_dataset(folder).n_annotations == 1


@pytest.mark.parametrize(
    "text",
    [
        "val: ../valid/images\nnames: ['apple', 'pear']\nnc: 2\n",
        "path: /somewhere/else\nval:\n  - valid/images\nnames: {0: apple, 1: pear}\n",
        'val: ["valid/images"]\ntrain: absent\nnames:\n- apple\n- pear\n',
    ],
)
def test_files_as_other_tools_export_them_are_read(tmp_path, text):
    for name in ("images", "labels"):
        (tmp_path / "valid" / name).mkdir(parents=True)
    Image.new("RGB", (10, 10)).save(tmp_path / "valid" / "images" / "x.png")
    (tmp_path / "valid" / "labels" / "x.txt").write_text("1 .5 .5 1 1")
    (tmp_path / "data.yaml").write_text(text)
    dataset = find_dataset(tmp_path)
    assert (dataset.categories, dataset.n_annotations) == ({0: "apple", 1: "pear"}, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 0.5 0.5 0.1\n", "a.txt, line 1: found '0 0.5 0.5 0.1', expected 'class x_center y_center width height'"),
        ("\n0 a b c d\n", "a.txt, line 2: found '0 a b c d'"),
        ("2 0.5 0.5 0.1 0.1\n", "a.txt, line 1: the class is 2, expected one of the 2 of data.yaml, 0…1"),
        ("0.5 0.5 0.5 0.1 0.1\n", "the class is 0.5"),
        ("0 50 50 10 10\n", "a.txt, line 1: found '0 50 50 10 10', expected coordinates from 0 to 1"),
        ("0 nan 0.5 0.1 0.1\n", "expected coordinates from 0 to 1"),
        (b"\xff\xfe0", "a.txt: not UTF-8 text"),
    ],
)  # fmt: skip
def test_a_wrong_label_is_named_with_its_line_and_what_is_expected(folder, text, message):
    (folder / "labels" / "val" / "a.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(DatasetError) as error:
        find_dataset(folder)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("val: images/val\n", "key 'names' is None, expected the classes' names"),
        ("val: images/val\nnames: 3\n", "key 'names' is '3'"),
        ("names: [a]\n", "no images; expected one of the keys val, test, train"),
        ("val: ../../..\nnames: &a [x]\n", "data.yaml, line 2: found '&a [x]', expected KEY: VALUE"),
        ("names:\n  - a\n  b: c\n", "data.yaml, line 3: found 'b: c'"),
        ("just text\n", "data.yaml, line 1: found 'just text'"),
    ],
)
def test_a_wrong_data_yaml_is_named_with_its_key_or_line(folder, text, message):
    (folder / "data.yaml").write_text(text)
    with pytest.raises(DatasetError) as error:
        find_dataset(folder)
    assert message in str(error.value)


def test_a_split_may_be_a_list_of_images(folder):
    (folder / "data.yaml").write_text("val: some.txt\nnames: [apple, pear]\n")
    (folder / "some.txt").write_text("./images/val/a.jpg\n\n")
    assert [image.path.name for image in find_dataset(folder).images] == ["a.jpg"]
    (folder / "some.txt").write_text("./images/val/a.jpg\n/images/val/c.jpg\n")
    with pytest.raises(
        DatasetError, match=r"some\.txt, line 2: found '/images/val/c\.jpg', but there is no such"
    ):
        find_dataset(folder)


def test_images_outside_the_folder_are_not_read(folder, tmp_path):
    (tmp_path / "other").mkdir()
    Image.new("RGB", (10, 10)).save(tmp_path / "other" / "x.png")
    (folder / "data.yaml").write_text("val: ../other\nnames: [a]\n")
    with pytest.raises(DatasetError, match="no images"):
        find_dataset(folder)


def test_labels_that_are_all_missing_are_an_error(folder):
    (folder / "labels" / "val" / "a.txt").unlink()
    with pytest.raises(DatasetError, match=r"no label file; none of 2 images has one"):
        find_dataset(folder)


def test_a_broken_image_is_named(folder):
    (folder / "images" / "val" / "b.png").write_bytes(b"not an image")
    with pytest.raises(DatasetError, match=r"b\.png: its size cannot be read"):
        find_dataset(folder)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: b", "b"),
        ("a: 'it''s' # note", "it's"),
        ('a: "x # y"', "x # y"),
        ("a: x#y", "x#y"),
        ("a: it's", "it's"),
        ("a: [one, 'two, three', \"four\"]", ["one", "two, three", "four"]),
        ("a: []", []),
        ("a: [it's, b, 'c, d # e'] # f", ["it's", "b", "c, d # e"]),
        ("a: 'it''s # b' # c", "it's # b"),
        ('a: "b \\" # c"', 'b " # c'),
        ("a: {0: x, 1: 'y'}", {"0": "x", "1": "y"}),
        ("a:\n- x\n- 'y z'", ["x", "y z"]),
        ("a:\n  0: x\n\n  # note\n  1: y # note", {"0": "x", "1": "y"}),
        ("---\na: http://host/x", "http://host/x"),
    ],
)
def test_the_yaml_of_such_files_is_read(tmp_path, text, value):
    (tmp_path / "data.yaml").write_text(text)
    assert read_yaml(tmp_path / "data.yaml") == {"a": value}


def test_long_lines_of_quotes_are_read_in_no_time(tmp_path):
    n = 100_000  # in the square of it, minutes
    (tmp_path / "data.yaml").write_text("a: " + "a'" * n + '"\nb: [' + "','" * n + "]\n")
    start = time.process_time()
    assert set(read_yaml(tmp_path / "data.yaml")) == {"a", "b"}
    assert time.process_time() - start < 20
