"""Images that belong together by a key of the dataset's card."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from harness.accuracy.annotations import ImageRow
from harness.accuracy.bootstrap import Interval
from harness.accuracy.clips import put_together
from harness.accuracy.coco import clusters_of
from harness.accuracy.dataset import find_dataset, read_truth, read_truth_of_card
from harness.accuracy.few_images import remarks
from harness.errors import DatasetError

NAMES = ("park-1_frame0.jpg", "park-1_frame1.jpg", "street_frame0.jpg", "single.jpg", "park-1_frame2.jpg")


@pytest.fixture
def card(tmp_path):
    """A function that writes a dataset of five images and its card with a pattern."""

    def write(pattern):
        images = [{"id": k, "file_name": name, "width": 8, "height": 8} for k, name in enumerate(NAMES)]
        boxes = [
            {"id": k + 1, "image_id": k, "category_id": 1, "bbox": [1, 1, 4, 4]} for k in range(len(NAMES))
        ]
        document = {"images": images, "annotations": boxes, "categories": [{"id": 1, "name": "cat"}]}
        (tmp_path / "instances.json").write_text(json.dumps(document))
        for name in NAMES:
            Image.new("RGB", (8, 8)).save(tmp_path / name)
        path = tmp_path / "card.toml"
        path.write_text(
            f"name = 'clips'\nannotations = 'instances.json'\nimages = '.'\ntogether = {pattern!r}\n"
        )
        return path

    return write


def test_the_frames_that_a_pattern_finds_together_are_one_draw(card):
    path = card("^(.+)_frame")
    for truth in (read_truth(find_dataset(path)), read_truth_of_card(path)):
        clusters = clusters_of(truth, range(5))
        assert [clusters[0] == clusters[1] == clusters[4], len(set(clusters.tolist()))] == [True, 3]
    assert clusters_of(read_truth(find_dataset(path).limited(3)), range(3)).max() == 1


def test_a_pattern_without_a_group_is_what_it_finds_and_finding_nothing_leaves_images_alone(card):
    whole = read_truth(find_dataset(card("park-[0-9]+")))
    assert [row.video_id for row in whole.images] == ["park-1", "park-1", None, None, "park-1"]
    assert clusters_of(put_together(whole, "no such text"), range(5)) is None


def test_a_pattern_that_is_none_is_named_with_its_key(card):
    with pytest.raises(DatasetError, match=r"card\.toml: key 'together': '\^\(\.\+_frame' is not a regular"):
        find_dataset(card("^(.+_frame"))


def test_it_is_said_of_how_many_clips_the_images_are(random_data):
    one = random_data.one_object((10, 10, 50, 50))
    images = tuple(ImageRow(k, video_id=k // 10) for k in range(20))
    truth = replace(one, images=images, image_ids=np.zeros(len(one), np.int64))
    said, *_ = remarks(truth, range(20), Interval(0.5, 0.4, 0.6))
    assert said == (
        "the 20 images are of 2 clips or other groups that belong together: the mAP's interval is that of 2 draws"
    )
