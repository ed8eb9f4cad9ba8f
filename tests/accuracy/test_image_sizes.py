"""Images are used as they were annotated: turned, scaled as a whole, or refused by name before anything is measured."""

import json

import numpy as np
import pytest
from PIL import Image

from harness.accuracy.dataset import find_dataset
from harness.accuracy.image_files import read_image
from harness.accuracy.prepare import Preparation
from harness.cards import InputSpec
from harness.errors import DatasetError
from harness.tflite.tensor_info import TensorInfo


def save(path, size, orientation=None):
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, "red").save(path, exif=exif)


def dataset(folder, images, limit=None):
    """Write images given as name: (annotated size, stored size, EXIF orientation), and find them."""
    rows = []
    for number, (name, (annotated, stored, orientation)) in enumerate(images.items(), 1):
        save(folder / name, stored, orientation)
        rows.append({"id": number, "file_name": name, "width": annotated[0], "height": annotated[1]})
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}
    document = {"images": rows, "annotations": [box], "categories": [{"id": 1, "name": "x"}]}
    (folder / "instances.json").write_text(json.dumps(document))
    return find_dataset(folder, limit)


def test_images_of_the_annotated_size_need_no_remark(tmp_path):
    found = dataset(tmp_path, {"a.jpg": ((40, 30), (40, 30), None), "b.jpg": ((30, 40), (40, 30), 6)})
    assert not found.remarks
    assert [read_image(image.file).size for image in found.images] == [(40, 30), (30, 40)]


def test_annotations_of_stored_pictures_are_not_turned_not_even_those_turned_by_half(tmp_path):
    found = dataset(tmp_path, {"a.jpg": ((40, 30), (40, 30), 6), "b.jpg": ((40, 30), (40, 30), 3)})
    assert [image.as_stored for image in found.images] == [True, True]
    assert read_image(found.images[0].file).size == (40, 30)
    assert "EXIF orientation of 2 of 2 images is not applied" in found.remarks[0]


def test_where_the_size_says_nothing_the_picture_is_upright(tmp_path):
    found = dataset(tmp_path, {"a.jpg": ((40, 40), (40, 40), 6), "b.jpg": ((40, 30), (40, 30), 3)})
    assert not any(image.as_stored for image in found.images)


def test_a_picture_scaled_as_a_whole_is_used_and_its_boxes_are_in_annotated_pixels(tmp_path):
    found = dataset(tmp_path, {"a.jpg": ((640, 427), (320, 213), None), "b.jpg": ((10, 10), (10, 10), None)})
    assert found.remarks == (
        "1 of 2 images have another size than annotated, scaled as a whole (a.jpg is 320×213, annotated as 640×427); "
        "detections are in pixels of the annotated size",
    )
    spec = InputSpec(width=64, height=64, resize="letterbox")
    preparation = Preparation(spec, TensorInfo("x", (1, 64, 64, 3), "uint8", None, 0))
    _, at = preparation.load(found.images[0].file)
    whole = np.array([[at.offset_x, at.offset_y, 64 - at.offset_x, 64 - at.offset_y]]) / 64
    assert np.abs(at.to_image(whole) - [[0, 0, 640, 427]]).max() < 7


@pytest.mark.parametrize("stored", [(427, 640), (300, 300), (640, 360)])
def test_any_other_size_is_refused_by_name(tmp_path, stored):
    with pytest.raises(
        DatasetError, match=r"1 of 2 images do not have the size.*b\.jpg is .*, annotated as 640×427"
    ):
        dataset(tmp_path, {"a.jpg": ((40, 30), (40, 30), None), "b.jpg": ((640, 427), stored, None)})


def test_only_the_images_that_are_used_are_looked_at(tmp_path):
    images = {"a.jpg": ((40, 30), (40, 30), None), "b.jpg": ((640, 427), (30, 30), None)}
    assert len(dataset(tmp_path, images, limit=1).images) == 1


def test_an_unreadable_image_is_left_for_the_count_of_those(tmp_path):
    dataset(tmp_path, {"a.jpg": ((40, 30), (40, 30), None)})
    (tmp_path / "a.jpg").write_bytes(b"")
    assert find_dataset(tmp_path).images[0].size == (40, 30)


def test_sizes_of_minus_one_are_unknown(tmp_path):
    assert dataset(tmp_path, {"a.jpg": ((-1, -1), (40, 30), None)}).images[0].size is None
