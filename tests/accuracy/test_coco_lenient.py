"""Ids and numbers of other types are read by what they mean, and give pycocotools' figures."""

import contextlib
import copy
import io
import json

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from harness.accuracy.coco import evaluate
from harness.accuracy.coco_lenient import by_stem, key
from harness.accuracy.evaluation_input import load
from harness.errors import DatasetError

TRUTH = {
    "images": [
        {"id": 1, "file_name": "a.jpg", "width": 640, "height": 480},
        {"id": 2, "file_name": "sub/b.jpg", "width": 640, "height": 480},
    ],
    "categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "person"}],
    "annotations": [
        {"id": 1, "image_id": 1, "category_id": 1, "bbox": [100, 100, 200, 200], "area": 40000, "iscrowd": 0},
        {"id": 2, "image_id": 1, "category_id": 2, "bbox": [10, 10, 30, 30], "area": 900, "iscrowd": 0},
        {"id": 3, "image_id": 2, "category_id": 1, "bbox": [50, 60, 80, 90], "area": 7200, "iscrowd": 0},
    ],
}
FOUND = [
    {"image_id": 1, "category_id": 1, "bbox": [100, 110, 200, 200], "score": 0.9},
    {"image_id": 1, "category_id": 2, "bbox": [10, 10, 30, 30], "score": 0.8},
    {"image_id": 2, "category_id": 1, "bbox": [55, 60, 80, 90], "score": 0.7},
]


def map_of(folder, truth, found, encoding="utf-8"):
    (folder / "truth.json").write_bytes(json.dumps(truth).encode(encoding))
    (folder / "found.json").write_bytes(json.dumps(found).encode(encoding))
    loaded = load(folder / "truth.json", folder / "found.json")
    return evaluate(loaded.truth, loaded.table).figures.map


@pytest.fixture
def reference(tmp_path):
    (tmp_path / "reference.json").write_text(json.dumps(TRUTH))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO(str(tmp_path / "reference.json"))
        judged = COCOeval(truth, truth.loadRes(copy.deepcopy(FOUND)), "bbox")
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return pytest.approx(judged.stats[0], abs=1e-9)


def changed(rows, **how):
    return [{**row, **{name: change(row[name]) for name, change in how.items()}} for row in rows]


@pytest.mark.parametrize("write", [float, str, "{:012d}".format, lambda n: n + 10**20, "image {}".format])
def test_ids_of_images_may_be_written_in_any_way(tmp_path, reference, write):
    truth = {**TRUTH, "images": changed(TRUTH["images"], id=write)}
    truth["annotations"] = changed(TRUTH["annotations"], image_id=write)
    assert map_of(tmp_path, truth, changed(FOUND, image_id=write)) == reference


@pytest.mark.parametrize("write", [float, str])
def test_one_side_may_write_ids_otherwise(tmp_path, reference, write):
    assert map_of(tmp_path, TRUTH, changed(FOUND, image_id=write, category_id=write)) == reference
    truth = {
        **TRUTH,
        "annotations": changed(TRUTH["annotations"], id=write, image_id=write, category_id=write),
    }
    assert map_of(tmp_path, truth, FOUND) == reference


@pytest.mark.parametrize("names", [("a", "b"), ("a.jpg", "b.jpg"), ("a", "sub/b")])
def test_detections_may_name_images_by_file_or_stem(tmp_path, reference, names):
    assert map_of(tmp_path, TRUTH, changed(FOUND, image_id=lambda n: names[n - 1])) == reference


def test_numbers_in_quotes_and_nothing_for_what_is_not_known(tmp_path, reference):
    truth = copy.deepcopy(TRUTH)
    truth["annotations"] = changed(
        TRUTH["annotations"], bbox=lambda box: [str(v) for v in box], area=str, iscrowd=lambda _: None
    )
    truth["images"] = changed(TRUTH["images"], width=str, file_name=lambda _: None)
    truth["categories"][0]["name"] = 7
    assert map_of(tmp_path, truth, changed(FOUND, score=str)) == reference


def test_text_in_utf_16_is_read(tmp_path, reference):
    assert map_of(tmp_path, TRUTH, FOUND, "utf-16") == reference


def test_ids_that_mean_two_things_are_refused(tmp_path):
    truth = copy.deepcopy(TRUTH)
    truth["images"] = changed(TRUTH["images"], file_name=lambda _: "", id=int)
    truth["images"][0]["file_name"], truth["images"][1]["file_name"] = "2.jpg", "1.jpg"
    with pytest.raises(
        DatasetError, match=r"both ids of truth\.json and names of its files, of different images"
    ):
        map_of(tmp_path, truth, changed(FOUND, image_id=str))


def test_an_unknown_name_of_an_image_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="'image_id' is \"zebra\", expected a whole number"):
        map_of(tmp_path, TRUTH, changed(FOUND, image_id=lambda _: "zebra"))


def test_a_plain_number_is_no_id_of_images_that_are_named(tmp_path):
    truth = {**TRUTH, "images": changed(TRUTH["images"], id="image {}".format)}
    truth["annotations"] = changed(TRUTH["annotations"], image_id="image {}".format)
    with pytest.raises(DatasetError):
        map_of(tmp_path, truth, FOUND)


def test_keys_are_one_for_all_ways_to_write_an_id():
    assert [key(value) for value in (7, 7.0, "7", "0007", " 7 ", "-7", "x7", 7.5, None, True)] == [
        *["7"] * 5, "-7", "x7", None, None, None,
    ]  # fmt: skip


def test_stems_that_two_images_share_name_none():
    assert by_stem({1: "a/x.jpg", 2: "b/x.jpg", 3: "y.png"}) == {"a/x": 1, "b/x": 2, "y": 3, "y.png": 3}


def test_yolo_labels_take_predictions_as_ultralytics_writes_them(tmp_path):
    from PIL import Image

    for name in ("000000000009", "street"):
        folder = tmp_path / name
        (folder / "images").mkdir(parents=True)
        (folder / "labels").mkdir()
        for stem in (name, "zz"):
            Image.new("RGB", (100, 50)).save(folder / "images" / f"{stem}.jpg")
            (folder / "labels" / f"{stem}.txt").write_text("0 0.5 0.5 0.2 0.4\n" if stem == name else "")
        (folder / "data.yaml").write_text("val: images\nnames: [thing]\n")
        box = {"image_id": name, "category_id": 0, "bbox": [40, 15, 20, 20], "score": 0.9}
        (folder / "predictions.json").write_text(json.dumps([box]))
        loaded = load(folder, folder / "predictions.json")
        assert evaluate(loaded.truth, loaded.table).figures.map == pytest.approx(1.0)


def test_images_named_by_numbers_have_these_ids(tmp_path):
    from PIL import Image

    from harness.accuracy.dataset import find_dataset

    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for stem in ("000042", "000007"):
        Image.new("RGB", (100, 50)).save(tmp_path / "images" / f"{stem}.jpg")
        (tmp_path / "labels" / f"{stem}.txt").write_text("0 0.5 0.5 0.2 0.4\n")
    (tmp_path / "data.yaml").write_text("val: images\nnames: [thing]\n")
    assert find_dataset(tmp_path).image_ids == (7, 42)
