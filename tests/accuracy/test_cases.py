"""Odd COCO files of the shared cases give pycocotools' figures, or those of the same file in COCO's own types."""

import json
import subprocess
import sys

import numpy as np
import pytest

from harness.accuracy.coco import evaluate
from harness.accuracy.evaluation_input import load
from harness.errors import DatasetError

REFUSED = {
    "03_via_no_category": "annotation 1: the key 'category_id' is missing",
    "08_category0_dets1": "1 of 3 detections have 1 category id",
    "13_empty_bbox": r"annotation 4: 'bbox' is \[\], expected four finite numbers",
    "16_dup_image": "image id.s. stand more than once: 1",
    "17_dup_ann_id": "annotation id.s. stand more than once: 1",
    "21_nan": "annotation 3: 'area' is NaN",
    "22_nan_det": "detection at index 2: 'score' is NaN",
    "24_detectron_dict": "expected a list",
    "29_orphan_ann": "annotation 4 has image_id 99",
    "30_no_categories": "the key 'categories' is missing",
}
"""Files that say something impossible; all others give a figure."""
OTHER_THAN_ONE = {
    "05_annid0": 0.6261980198,
    "14_zero_box": 0.8316831683,
    "15_negative_wh": 0.7524752475,
    "26_xyxy_dets": 0.1,
    "31_no_annotations": None,
}
"""As `coco_json/reference.py` gives them with pycocotools; the figure of all others is 1."""


def test_every_odd_coco_file_gives_the_right_figure_or_says_what_is_wrong(shared_cases, tmp_path):
    subprocess.run([sys.executable, shared_cases / "coco_json" / "make.py"], cwd=tmp_path, check=True)
    folders = sorted(path for path in tmp_path.iterdir() if path.is_dir())
    assert len(folders) == 46
    for folder in folders:
        if folder.name in REFUSED:
            with pytest.raises(DatasetError, match=REFUSED[folder.name]):
                load(folder / "instances.json", folder / "det.json")
            continue
        loaded = load(folder / "instances.json", folder / "det.json")
        expected = OTHER_THAN_ONE.get(folder.name, 1.0)
        found = evaluate(loaded.truth, loaded.table).figures.map
        assert found == (expected if expected is None else pytest.approx(expected, abs=1e-4)), folder.name


def test_labels_of_a_turned_photo_are_of_the_upright_one(shared_cases, shared_data, tmp_path):
    subprocess.run([sys.executable, shared_cases / "exif" / "make.py"], cwd=tmp_path, check=True)
    loaded = load(tmp_path / "yolo", tmp_path / "yolo_det.json")
    assert loaded.truth.boxes == pytest.approx(np.array([[4.0, 10.0, 32.0, 40.0]]))
    assert loaded.truth.images[0].size == (40, 100)
    assert evaluate(loaded.truth, loaded.table).figures.map == pytest.approx(1.0)
    assert json.loads((tmp_path / "yolo_det.json").read_text())[0]["bbox"] == [4, 10, 32, 40]
