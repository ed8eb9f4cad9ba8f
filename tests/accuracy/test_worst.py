"""Images with the most errors: which they are is worked out by hand, the drawings are read back."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageColor

from harness.accuracy.annotations import GroundTruth, ImageRow
from harness.accuracy.detections import DetectionTable
from harness.accuracy.worst import COLORS, draw_worst, find_worst
from harness.errors import DatasetError, OutputError

A, B, FAR = (100, 100, 100, 100), (300, 100, 100, 100), (500, 300, 60, 60)


def truth_of(*objects, names=("thing", "other")):
    """Objects are (image, category, box) in images 1…3."""
    boxes = np.array([box for _, _, box in objects], float).reshape(-1, 4)
    return GroundTruth(
        path=None,
        sha256="",
        images=tuple(ImageRow(k, f"sub/{k}.png") for k in (1, 2, 3)),
        categories=dict(enumerate(names, 1)),
        info=None,
        ids=np.arange(1, len(objects) + 1),
        image_ids=np.array([image for image, _, _ in objects], np.int64),
        category_ids=np.array([category for _, category, _ in objects], np.int64),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=np.zeros(len(objects), bool),
    )


def table_of(*found):
    return DetectionTable(np.array([(i, *box, s, c) for i, c, box, s in found], float).reshape(-1, 7))


TRUTH = truth_of((1, 1, A), (1, 1, B), (2, 1, A), (3, 1, A))
TABLE = table_of(
    (1, 1, FAR, 0.8), (1, 1, A, 0.9), (2, 1, A, 0.7), (3, 1, A, 0.7), (3, 1, FAR, 0.85), (2, 1, B, 0.01)
)  # fmt: skip


def opened(file):
    with Image.open(file) as picture:
        return picture.copy()


@pytest.fixture
def images(tmp_path):
    """Grey images of 640 × 480 px."""
    folder = tmp_path / "images"
    (folder / "sub").mkdir(parents=True)
    for k in (1, 2, 3):
        Image.new("RGB", (640, 480), "#808080").save(folder / "sub" / f"{k}.png")
    return folder


def test_the_images_with_most_missed_objects_and_wrong_detections_come_first():
    worst = find_worst(TRUTH, TABLE, 5)
    assert [image.image_id for image in worst] == [1, 3]  # 2 has no error
    assert [image.missed.tolist() for image in worst] == [[1], []]
    assert [image.wrong.tolist() for image in worst] == [[0], [4]]
    assert [image.right.tolist() for image in worst] == [[1], [3]]
    assert [image.found.tolist() for image in worst] == [[0], [3]]
    assert worst[0].threshold == 0.7  # F1 is 6 / 9 there, and 6 / 10 with the lowest score


def test_only_chosen_images_are_looked_at():
    assert [image.image_id for image in find_worst(TRUTH, TABLE, 5, image_ids=[2, 3])] == [3]
    assert len(find_worst(TRUTH, TABLE, 1)) == 1


def test_crowds_are_neither_missed_nor_wrong_to_find():
    truth = replace(TRUTH, crowd=np.array([False, True, False, False]))
    inside = DetectionTable(np.vstack([TABLE.rows, [1, 310, 110, 20, 20, 0.95, 1]]))
    first = find_worst(truth, inside, 1)[0]
    assert (first.missed.tolist(), first.wrong.tolist()) == ([], [0])


def test_without_detections_every_object_is_missed():
    worst = find_worst(TRUTH, table_of(), 2)
    assert [(image.image_id, len(image.missed), len(image.wrong)) for image in worst] == [
        (1, 2, 0),
        (2, 1, 0),
    ]


def test_boxes_are_drawn_in_their_colours_where_they_are(images, tmp_path):
    worst = find_worst(TRUTH, TABLE, 2)
    files = draw_worst(worst, TRUTH, TABLE, images, tmp_path / "out" / "deep")
    assert [file.name for file in files] == ["worst-001-image-1.png", "worst-002-image-3.png"]
    picture = opened(files[0])
    assert picture.size[0] == 640
    expected = {"missed": (350, 100), "wrong": (530, 300), "right": (150, 100), "found": (150, 103)}
    for kind, (x, y) in expected.items():
        assert picture.getpixel((x, y)) == ImageColor.getrgb(COLORS[kind]), kind
    assert picture.getpixel((50, 50)) == (128, 128, 128)


def test_existing_files_are_never_replaced_and_nothing_is_drawn(images, tmp_path):
    worst = find_worst(TRUTH, TABLE, 2)
    foreign = tmp_path / "worst-002-image-3.png"
    foreign.write_bytes(b"mine")
    with pytest.raises(OutputError, match="is there already and is not replaced"):
        draw_worst(worst, TRUTH, TABLE, images, tmp_path)
    assert foreign.read_bytes() == b"mine"
    assert not (tmp_path / "worst-001-image-1.png").exists()


def test_a_link_is_not_followed(images, tmp_path):
    (tmp_path / "worst-001-image-1.png").symlink_to(tmp_path / "target.png")
    with pytest.raises(OutputError, match="is there already"):
        draw_worst(find_worst(TRUTH, TABLE, 1), TRUTH, TABLE, images, tmp_path)
    assert not (tmp_path / "target.png").exists()


def test_a_folder_that_cannot_be_made_is_named(images, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        draw_worst(find_worst(TRUTH, TABLE, 1), TRUTH, TABLE, images, tmp_path / "file")


@pytest.mark.parametrize("name", ["\x1b[31mred\n\u202eevil", "猫 🐈", "x" * 5000, ""])
def test_any_class_name_is_drawn(images, tmp_path, name):
    truth = truth_of((1, 1, A), (1, 2, B), names=(name, "other"))
    table = table_of((1, 1, FAR, 0.9), (1, 2, B, 0.8))
    (file,) = draw_worst(find_worst(truth, table, 1), truth, table, images, tmp_path / "out")
    assert opened(file).size == (640, 502)


@pytest.mark.parametrize(
    "box", [(-50, -50, 1e9, 1e9), (600, 400, -80, -80), (10, 10, 0, 0), (900, 900, 5, 5)]
)
def test_boxes_of_any_place_and_size_are_drawn(images, tmp_path, box):
    truth, table = truth_of((1, 1, A)), table_of((1, 1, box, 0.9))
    assert draw_worst(find_worst(truth, table, 1), truth, table, images, tmp_path / "out")


def test_small_images_are_enlarged(tmp_path):
    Image.new("L", (96, 48)).save(tmp_path / "s.png")
    truth = replace(truth_of((1, 1, (10, 10, 20, 20))), images=(ImageRow(1, "s.png"),))
    (file,) = draw_worst(find_worst(truth, table_of(), 1), truth, table_of(), tmp_path, tmp_path / "out")
    picture = opened(file)
    assert picture.size == (480, 240 + 22)
    assert picture.getpixel((100, 50)) == ImageColor.getrgb(COLORS["missed"])  # 20, 10 enlarged by 5


def test_a_name_that_leads_out_of_the_image_folder_is_refused(images, tmp_path):
    truth = replace(TRUTH, images=tuple(ImageRow(k, "../secret.png") for k in (1, 2, 3)))
    with pytest.raises(DatasetError, match="leads out of the image folder"):
        draw_worst(find_worst(truth, TABLE, 1), truth, TABLE, images, tmp_path / "out")


def test_images_that_are_missing_or_broken_are_named(images, tmp_path):
    worst = find_worst(TRUTH, TABLE, 1)
    (images / "sub" / "1.png").write_bytes(b"no")
    with pytest.raises(DatasetError, match=r"1\.png: the image cannot be read"):
        draw_worst(worst, TRUTH, TABLE, images, tmp_path / "out")
    (images / "sub" / "1.png").unlink()
    with pytest.raises(DatasetError, match=r"1\.png: the image cannot be read"):
        draw_worst(worst, TRUTH, TABLE, images, tmp_path / "out")
